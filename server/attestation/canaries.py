"""The canaries of a release: what is stated of them, and whether the audit follows from it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field, ValidationError

from privacy import Event, GaussianEvent, compute_epsilon
from privacy.canaries import FEWEST, MOST, Opening, count_guesses
from server.attestation.checks import shown
from server.attestation.predicate import Digest, Fields, Line, Predicate
from server.attestation.verdict import Check

if TYPE_CHECKING:
    from server.attestation.folder import FolderContent

CANARIES_FILE: Final = "canaries.json"
CONFIDENCE: Final = 0.95
AUDITED: Final = "sketch"
"""Purpose of the event that is audited."""
_TOLERANCE: Final = 1e-5  # bounds are found within 1e-6


class SiteCanaries(Fields):
    """The canaries of one site."""

    site: Line
    """Its public name."""
    public_key: Digest
    """Its key, from which the canaries' rows follow."""
    canaries: Annotated[int, Field(ge=FEWEST, le=MOST)]
    """How many there were."""
    commitment: Digest
    """SHA-256 of salt, coins and their number, given with the sketch and held by the ledger."""
    salt: Digest | None
    """Opened after the last round; None if the site did not, or not as it had committed."""
    coins: Annotated[str, Field(pattern=r"^([0-9a-f]{2})+$")] | None
    """One bit for each canary, the first in the highest bit of the first byte; None as above."""
    guesses: int
    """For how many a guess was made: half of them in, for the highest scores, half out."""
    scores: tuple[float, ...]
    """One for each canary, from the noisy sketch and the generator fitted to all sketches."""

    def open(self) -> Opening | None:
        """Return salt and coins; None if there are none.

        Raises:
            ValueError: if they are not those of so many canaries.
        """
        if self.salt is None or self.coins is None:
            return None
        return Opening.from_texts(self.salt, self.coins, self.canaries)


class CanaryStatement(Fields):
    """The canaries of all sites that planted some, as they lie in a release."""

    format: Literal["fedsynth-canaries/1"] = "fedsynth-canaries/1"
    """Version of this layout."""
    study: Digest
    """Digest of the study's settings, from which the canaries' rows follow."""
    schema_digest: Digest
    """Digest of the schema, from which the canaries' rows follow."""
    release: Literal["sketch"] = AUDITED
    """Purpose of the event that is audited."""
    confidence: float = CONFIDENCE
    """That each bound holds."""
    sites: tuple[SiteCanaries, ...]
    """In the order of the report."""

    def to_text(self) -> str:
        """Return the content of the file."""
        return self.model_dump_json(indent=1) + "\n"


def judge_site(site: SiteCanaries, events: tuple[Event, ...], delta: float) -> dict[str, Any]:
    """Return what a report says of one site's canaries, by the names of `report.json`.

    Args:
        site: what is stated of them.
        events: what the site ran in the study.
        delta: of the promise.

    Raises:
        ValueError: if it cannot be judged: no sketch, or scores, guesses or coins of another
            number, or coins that are not those of the commitment.
    """
    import numpy as np

    from privacy.audits import find_ceiling, guess_members, judge

    audited = [e for e in events if isinstance(e, GaussianEvent) and e.purpose == AUDITED]
    if len(audited) != 1:
        raise ValueError("no sketch is stated that could be audited")
    if site.guesses != count_guesses(site.canaries) or len(site.scores) != site.canaries:
        raise ValueError("scores or guesses are of another number than the canaries")
    claim, opening = compute_epsilon(audited, delta), site.open()
    made, significance = site.guesses, 1 - CONFIDENCE
    found: dict[str, Any] = {
        "site": site.site,
        "claim": claim,
        "commitment": site.commitment,
        "canaries": site.canaries,
        "guesses": site.guesses,
        "right": None,
        "one_run": None,
        "f_dp": None,
        "ceiling": find_ceiling(
            canaries=site.canaries, made=made, delta=delta, significance=significance
        ),
        "refutes": False,
    }
    if opening is None:
        return found
    if not opening.fits(site.commitment):
        raise ValueError("the coins opened are not those of the commitment")
    guesses = guess_members(np.array(site.scores), opening.coins, made=made)
    bounds = judge(guesses, audited, epsilon=claim, delta=delta, significance=significance)
    found |= {"right": guesses.right, "one_run": bounds.one_run, "f_dp": bounds.f_dp}
    return found | {"refutes": bounds.refutes}


def read_canaries(folder: Path, content: FolderContent) -> CanaryStatement | str | None:
    """Return what a release states of its canaries, None if nothing, or why it cannot be read."""
    if CANARIES_FILE not in content.digests:
        return None
    try:
        return CanaryStatement.model_validate_json((folder / CANARIES_FILE).read_bytes())
    except (OSError, ValidationError, RecursionError):
        return f"{CANARIES_FILE} cannot be read"


def check_canaries(
    predicate: Predicate, stated: CanaryStatement | str | None, report: object
) -> Check:
    """Open every commitment, count guesses and find bounds again, and hold the report to them.

    Args:
        predicate: the signed statement.
        stated: what `read_canaries` returned.
        report: plain JSON of `report.json`.
    """
    audit = report.get("audit") if isinstance(report, dict) else None
    if stated is None:
        lacks = (f"the report states an audit, and {CANARIES_FILE} is missing",)
        return Check(name="canaries", found="no site planted any", problems=lacks if audit else ())
    if isinstance(stated, str):
        return Check(name="canaries", found="what the sites planted", problems=(stated,))
    number = sum(site.salt is not None for site in stated.sites)
    return Check(
        name="canaries",
        found=f"{number} of {len(stated.sites)} sites opened their coins; the audit was done again",
        problems=tuple(_find_problems(predicate, stated, audit)),
    )


def _find_problems(predicate: Predicate, stated: CanaryStatement, audit: object) -> Iterator[str]:
    study = predicate.study
    if (stated.study, stated.schema_digest) != (study.digest, study.schema_digest):
        yield f"{CANARIES_FILE} is of another study or schema"
    if stated.confidence != CONFIDENCE:
        yield f"{CANARIES_FILE} states another confidence than {CONFIDENCE}"
    reported = audit if isinstance(audit, Mapping) else {}
    heads = {"release": stated.release, "confidence": stated.confidence}
    entries = reported.get("sites")
    if {key: reported.get(key) for key in heads} != heads or not isinstance(entries, list):
        yield "the report states no audit of this release and confidence"
        entries = []
    if len(entries) != len(stated.sites) or len({s.site for s in stated.sites}) < len(stated.sites):
        yield f"the report and {CANARIES_FILE} name different sites"
    claims = {site.name: site for site in predicate.sites}
    for place, site in enumerate(stated.sites):
        name, claim = shown(site.site), claims.get(site.site)
        if claim is None or claim.public_key != site.public_key:
            yield f"the canaries of site {name} are not those of its key"
            continue
        try:
            found = judge_site(site, claim.read_events(), predicate.guarantee.delta)
        except ValueError as error:
            yield f"the audit of site {name} does not follow: {error}"
            continue
        if place < len(entries) and not _agree(entries[place], found):
            yield f"the report states another audit of site {name} than follows from its canaries"


def _agree(entry: object, found: Mapping[str, Any]) -> bool:
    if not isinstance(entry, Mapping) or entry.keys() != found.keys():
        return False
    return all(_is_same(entry[key], value) for key, value in found.items())


def _is_same(told: object, value: object) -> bool:
    if isinstance(value, float):
        if isinstance(told, bool) or not isinstance(told, int | float):
            return False
        return math.isclose(told, value, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    return type(told) is type(value) and told == value
