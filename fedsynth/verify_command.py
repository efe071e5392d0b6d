"""``fedsynth verify``: what can be found out about a release without asking anybody."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from fedsynth.console import say
from server.attestation import TrustedKeys, Verdict, verify_release

_COMPARED = {True: "trusted", False: "not trusted", None: "not compared"}


def show_verdict(console: Console, folder: Path, *, trust: Path | None, as_json: bool) -> bool:
    """Check a release, show what was found, and return whether it holds.

    Args:
        console: where to show it.
        folder: the release.
        trust: file of the public keys that the reader trusts.
        as_json: one JSON object instead of words.

    Raises:
        InputError: if the file of keys cannot be used.
        ReleaseBroken: if there is no statement that could be checked.
    """
    verdict = verify_release(folder, None if trust is None else _read_keys(trust))
    if as_json:
        say(console, json.dumps(to_json(verdict)))
    else:
        _show(console, verdict)
    return verdict.holds


def to_json(verdict: Verdict) -> dict[str, object]:
    """Return a JSON-ready mapping of everything that was found."""
    predicate = verdict.statement.predicate
    return {
        "holds": verdict.holds,
        "summary": verdict.summarise(),
        "kind": predicate.kind,
        "study": predicate.study.name,
        "guarantee": predicate.guarantee.model_dump(mode="json"),
        "epsilon": max(site.epsilon for site in predicate.sites),
        "checks": [
            {
                "name": check.name,
                "holds": check.holds,
                "found": check.found,
                "problems": list(check.problems),
            }
            for check in verdict.checks
        ],
        "signers": [
            {
                "role": signer.role,
                "name": signer.name,
                "public_key": signer.key.hex,
                "fingerprint": signer.key.fingerprint,
                "trusted": signer.trusted,
            }
            for signer in verdict.signers
        ],
        "not_shown": list(predicate.not_shown),
    }


def _read_keys(path: Path) -> TrustedKeys:
    from fedsynth.trusted_keys import read_trusted_keys  # brings pandas, which takes a while

    return read_trusted_keys(path)


def _show(console: Console, verdict: Verdict) -> None:
    for check in verdict.checks:
        say(console, f"{'holds' if check.holds else 'FAILS'}  {check.name}: {check.found}")
        for problem in check.problems:
            say(console, f"       - {problem}")
    say(console, "Signed by:")
    for signer in verdict.signers:
        who = f"{signer.role} {signer.name}".strip()
        say(console, f"- {who}, key {signer.key.fingerprint}, {_COMPARED[signer.trusted]}")
    say(console, "What the signatures do not show:")
    for sentence in verdict.statement.predicate.not_shown:
        say(console, f"- {sentence}")
    say(console, "")
    say(console, verdict.summarise())
