"""``fedsynth audit study``: what the canaries of a release show, found again offline."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from server.attestation import ReleaseBroken, verify_release
from server.attestation.canaries import CONFIDENCE, judge_site, read_canaries
from server.attestation.folder import read_folder
from synthesis.errors import InputError

__all__ = ["StudyAudit", "audit_study"]


@dataclass(frozen=True, kw_only=True)
class StudyAudit:
    """What was found.

    Attributes:
        study: name of the study.
        delta: of the claims.
        sites: for each site that planted canaries, what `report.json` says of it.
        problems: what does not hold in the release, one clause each; its audit is then no evidence.
    """

    study: str
    delta: float
    sites: tuple[dict[str, Any], ...]
    problems: tuple[str, ...]

    @property
    def is_refuted(self) -> bool:
        """Whether the claim of a site is refuted."""
        return any(site["refutes"] for site in self.sites)

    @property
    def holds(self) -> bool:
        """Whether all follows from the release and nothing is refuted."""
        return not self.problems and not self.is_refuted

    def sentence(self) -> str:
        """Return what came of it, for people."""
        if self.problems:
            more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
            return f"The audit does not follow from the release: {self.problems[0]}{more}."
        if not self.sites:
            return "No site planted canaries in this study, so there is nothing to audit."
        if self.is_refuted:
            names = " and ".join(site["site"] for site in self.sites if site["refutes"])
            return (
                f"VIOLATION: at {names} more canaries were told apart than the claimed epsilon "
                f"allows, at {CONFIDENCE:.0%} confidence: the claim is refuted."
            )
        closed = [site["site"] for site in self.sites if site["right"] is None]
        if len(closed) == len(self.sites):
            return "No site opened the coins that it had committed to, so nothing was audited."
        silent = f" {' and '.join(closed)} did not open the coins committed to." if closed else ""
        return (
            f"No violation shown in the sketches.{silent} A lower bound of 0 means: no violation "
            "shown. It is no proof."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "audit": "study",
            "study": self.study,
            "delta": self.delta,
            "confidence": CONFIDENCE,
            "refuted": self.is_refuted,
            "holds": self.holds,
            "sentence": self.sentence(),
            "problems": list(self.problems),
            "sites": list(self.sites),
        }


def audit_study(release: str | Path) -> StudyAudit:
    """Find the bounds of a release's audit again, from its scores and the coins that were opened.

    Args:
        release: folder of a release; nothing is written into it.

    Raises:
        InputError: if it is no signed release.
    """
    folder = Path(release)
    try:
        verdict = verify_release(folder)
    except ReleaseBroken as error:
        raise InputError(str(error), argument="release") from None
    problems = tuple(problem for check in verdict.checks for problem in check.problems)
    predicate = verdict.statement.predicate
    stated = None if problems else read_canaries(folder, read_folder(folder))
    events = {site.name: site.read_events() for site in predicate.sites} if not problems else {}
    delta = predicate.guarantee.delta
    return StudyAudit(
        study=predicate.study.name,
        delta=delta,
        sites=()
        if stated is None or isinstance(stated, str)
        else tuple(judge_site(site, events[site.site], delta) for site in stated.sites),
        problems=problems,
    )
