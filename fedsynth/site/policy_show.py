"""The policy in force beside the one in the site's file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from client.founding import check_unit
from client.site import Site, load_site
from client.site_config import SITE_FILE
from fedsynth.console import add_row, make_table, say, screen
from fedsynth.site.ledger_view import short_time
from fedsynth.site.policy_history import policies_of
from fedsynth.site.policy_view import policy_cells
from fedsynth.site.reading import LedgerReading, read_ledger, source_of_site
from privacy import Policy
from privacy.policy import find_loosened
from synthesis import InputError


@dataclass(frozen=True, kw_only=True, eq=False)
class Difference:
    """A site's two policies: in force, and in its file.

    Attributes:
        site: whose they are.
        reading: its ledger.
        loosened: settings in which the file allows more.
    """

    site: Site
    reading: LedgerReading
    loosened: tuple[str, ...]

    @property
    def old(self) -> Policy:
        """The policy in force."""
        return self.reading.book.policy

    @property
    def new(self) -> Policy:
        """The policy in the file."""
        return self.site.config.policy


def compare_policies(folder: Path) -> Difference:
    """Read both policies of a site; nothing is written.

    Raises:
        InputError: if the file changes what is fixed for life, or something cannot be read.
        LedgerBroken: if the ledger was altered.
    """
    site = load_site(folder)
    reading = read_ledger(source_of_site(site))
    check_unit(site.config.policy, site.schema)
    try:
        loosened = find_loosened(reading.book.policy, site.config.policy)
    except ValueError as error:
        raise InputError(f"policy in {SITE_FILE}: {error}.", argument="policy") from None
    return Difference(site=site, reading=reading, loosened=loosened)


def show_policy(folder: Path) -> None:
    """Print the policy in force, how the file differs, and what that needs."""
    difference = compare_policies(folder)
    show_difference(
        f"Policy of {difference.site.config.name}",
        difference.old,
        difference.new,
        difference.loosened,
        only_changes=False,
    )
    last = policies_of(difference.reading.book)[-1]
    by = f", approved by {last.approver}" if last.approver else ""
    say(screen, f"In force since {short_time(last.since)} UTC{by}.")
    if difference.old == difference.new:
        say(screen, f"{SITE_FILE} says the same.")
    elif difference.loosened:
        say(
            screen,
            f"{SITE_FILE} is looser ({', '.join(difference.loosened)}). Until it is approved by "
            f"{list_approvers(difference.old)}, or put back, the site answers no study.",
        )
    else:
        say(
            screen,
            f"{SITE_FILE} only tightens the policy: it comes into force with the next question of "
            "a coordinator, or now with 'fedsynth site policy approve'.",
        )


def list_approvers(policy: Policy) -> str:
    """Return who may loosen a policy."""
    return " or ".join(approver.name for approver in policy.approvers) or "nobody"


def show_difference(
    title: str, old: Policy, new: Policy, loosened: tuple[str, ...], *, only_changes: bool
) -> None:
    """Print settings side by side, with the word looser where the new one allows more."""
    before, after = policy_cells(old), policy_cells(new)
    if before == after:
        table = make_table(title, ["setting", "in force"], [])
        for name, text in before.items():
            add_row(table, [name, text])
    else:
        table = make_table(title, ["setting", "in force", "asked for", ""], [])
        for name, text in before.items():
            if only_changes and text == after[name]:
                continue
            changed = after[name] if after[name] != text else ""
            word = "" if not changed else "LOOSER" if name in loosened else "tighter"
            add_row(table, [name, text, changed, word])
    screen.print(table)
