"""Putting another policy in force: here with a key, or by a request and an approval as files."""

from __future__ import annotations

from pathlib import Path

import typer

from client.site_config import SITE_FILE
from fedsynth.console import say, screen
from fedsynth.new_file import check_new_file
from fedsynth.site.policy_files import (
    PolicyApproval,
    PolicyRequest,
    read_policy_file,
    write_policy_file,
)
from fedsynth.site.policy_show import (
    Difference,
    compare_policies,
    list_approvers,
    show_difference,
)
from privacy import Approval, Ledger, Policy, PublicKey, SigningKey, approve
from privacy.policy import find_loosened
from synthesis import InputError


def approve_here(folder: Path, key: Path | None, *, is_sure: bool) -> None:
    """Sign the policy in the site's file and put it in force, after showing what changes.

    Raises:
        InputError: if a key is needed and is missing or not an approver's.
        Exit: with code 1 if the person says no.
    """
    difference = compare_policies(folder)
    if difference.old == difference.new:
        say(screen, f"{SITE_FILE} says what is in force; there is nothing to approve.")
        return
    approval = None
    if difference.loosened:
        signing = _load_approver(key, difference.old)
        replacing = difference.reading.book.policy_digest
        approval = approve(difference.new, replacing=replacing, key=signing)
    title = f"What would change at {difference.site.config.name}"
    _show_change(title, difference.old, difference.new)
    if not is_sure:
        _ask("Put this in force?")
    _put_in_force(difference, approval)


def write_request(folder: Path, out: Path) -> None:
    """Write down what an approver elsewhere is to sign.

    Raises:
        InputError: if nothing needs an approval, or the file cannot be written.
    """
    check_new_file(out, endings=[".json"])
    difference = compare_policies(folder)
    if not difference.loosened:
        raise InputError(
            f"policy in {SITE_FILE} is not looser than the one in force, so it needs no approval.",
            argument="policy",
        )
    header = difference.reading.book.header
    asked = PolicyRequest(
        site=header.site,
        dataset=header.dataset,
        replacing=difference.reading.book.policy_digest,
        in_force=difference.old,
        asked=difference.new,
    )
    write_policy_file(asked, out)
    say(
        screen,
        f"The request is in {out}. It holds both policies and no data; send it to "
        f"{list_approvers(difference.old)}, who answers it with 'fedsynth site policy approve "
        f"--request {out.name} --key KEYFILE --out approval.json'.",
    )


def approve_request(
    request: Path | None, key: Path | None, out: Path | None, *, site: Path | None, is_sure: bool
) -> None:
    """Sign what a site asked for, after showing what changes.

    Raises:
        InputError: if something is missing or cannot be used.
        Exit: with code 1 if the person says no.
    """
    if request is None or out is None or site is not None:
        raise InputError(
            "request and out must be given together and without site; leave both out to approve "
            "in the site's own folder.",
            argument="request",
        )
    check_new_file(out, endings=[".json"])
    asked = read_policy_file(request, PolicyRequest, argument="request")
    signing = _load_approver(key, asked.in_force)
    _show_change(f"What would change at {asked.site}", asked.in_force, asked.asked)
    say(screen, f"It is about the data set {asked.dataset}.")
    if not is_sure:
        _ask("Sign this?")
    approval = approve(asked.asked, replacing=asked.replacing, key=signing)
    signed = PolicyApproval(
        policy=asked.asked, public_key=approval.public_key.hex, signature=approval.signature
    )
    write_policy_file(signed, out)
    say(
        screen,
        f"The approval is in {out}. It holds once, for this change of this ledger; the site puts "
        f"it in force with 'fedsynth site policy accept {out.name}'.",
    )


def accept_approval(folder: Path, path: Path) -> None:
    """Put the policy in the site's file in force with what an approver sent.

    Raises:
        InputError: if the approval is for another policy.
        PolicyViolation: if it is not of an approver, or for another place in the ledger.
    """
    signed = read_policy_file(path, PolicyApproval, argument="approval")
    difference = compare_policies(folder)
    if signed.policy != difference.new:
        raise InputError(
            f"approval must be for the policy that stands in {SITE_FILE}, and it is for another "
            "one; put the approved policy there, or ask again.",
            argument="approval",
        )
    if difference.old == difference.new:
        say(screen, "This policy is in force already.")
        return
    _put_in_force(difference, signed.approval)


def _load_approver(key: Path | None, policy: Policy) -> SigningKey:
    who = list_approvers(policy)
    if key is None:
        raise InputError(
            f"key must be given, for the policy would be looser, which {who} may approve; without "
            "it, make a request with 'fedsynth site policy request'.",
            argument="key",
        )
    try:
        signing = SigningKey.load(key)
    except ValueError as error:
        raise InputError(f"{error}; name the approver's own file.", argument="key") from None
    if signing.public not in {PublicKey(a.public_key) for a in policy.approvers}:
        raise InputError(
            f"key must be that of an approver of the policy in force ({who}), and "
            f"{signing.public.fingerprint} is not.",
            argument="key",
        )
    return signing


def _show_change(title: str, old: Policy, new: Policy) -> None:
    try:
        loosened = find_loosened(old, new)
    except ValueError as error:
        raise InputError(f"policy asked for: {error}.", argument="request") from None
    show_difference(title, old, new, loosened, only_changes=True)
    if loosened:
        say(screen, f"The site would allow more than now: {', '.join(loosened)}.")
    else:
        say(screen, "The site would allow less than now, and nothing more.")


def _ask(question: str) -> None:
    """Leave with code 1 unless the person says yes."""
    try:
        agreed = typer.confirm(question)
    except typer.Abort:
        say(screen, "")
        agreed = False
    if not agreed:
        say(screen, "Nothing was changed.")
        raise typer.Exit(1)


def _put_in_force(difference: Difference, approval: Approval | None) -> None:
    site = difference.site
    ledger = Ledger.open(site.folder / site.config.ledger, key=site.key)
    ledger.change_policy(difference.new, approval)
    say(
        screen,
        f"In force: {difference.site.config.name} allows epsilon {difference.new.epsilon:g} for "
        f"life, {difference.new.study_limit:g} a study. The ledger holds who approved it and when."
        if approval
        else f"In force, and it needed no approval: {SITE_FILE} only tightens.",
    )
