"""What a rehearsal says about each claim of a study, and in which words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from privacy.audits import Bounds

__all__ = ["CONTROL", "AuditedClaim", "Rehearsal"]

CONTROL = 4
"""By how much the noise of the control is divided."""


@dataclass(frozen=True, kw_only=True)
class AuditedClaim:
    """One claim, the run of the shipped code, and the control.

    Attributes:
        name: what is released.
        epsilon: the claim, for these releases alone, at the study's delta.
        found: in the rehearsal.
        control: in the same rehearsal with a quarter of the noise, which should be refuted.
    """

    name: str
    epsilon: float
    found: Bounds
    control: Bounds

    def verdict(self) -> str:
        """Return one or two words."""
        if self.found.refutes:
            return "REFUTED"
        return "not refuted" if self.control.refutes else "too weak"

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "name": self.name,
            "epsilon": self.epsilon,
            "verdict": self.verdict(),
            "found": self.found.to_dict(),
            "control": self.control.to_dict(),
        }


@dataclass(frozen=True, kw_only=True)
class Rehearsal:
    """Everything a rehearsal found.

    Attributes:
        study: name of the study.
        delta: of the claims.
        unit: ``record`` or ``person``.
        canaries: how many there were.
        rows: other units beside them, and ``source`` says what they were.
        source: in words.
        confidence: of all bounds of the audit together.
        seed: repeats the rehearsal; None if it was drawn from the operating system.
        claims: one entry for each release, and one for all together.
    """

    study: str
    delta: float
    unit: str
    canaries: int
    rows: int
    source: str
    confidence: float
    seed: int | None
    claims: tuple[AuditedClaim, ...]

    @property
    def is_refuted(self) -> bool:
        """Whether a claim of the study is refuted."""
        return any(claim.found.refutes for claim in self.claims)

    @property
    def weak(self) -> tuple[str, ...]:
        """Names of claims for which not even the control was noticed."""
        return tuple(claim.name for claim in self.claims if not claim.control.refutes)

    def sentence(self) -> str:
        """Return what came of it, for people."""
        if self.is_refuted:
            names = _join([claim.name for claim in self.claims if claim.found.refutes])
            return (
                f"VIOLATION: for {names} more canaries were told apart than the claimed epsilon "
                f"allows, at {self.confidence:.0%} confidence: the claim is refuted; do not run "
                "this study with this version."
            )
        if len(self.weak) == len(self.claims):
            return (
                "No violation shown, but this audit is too weak to show one: it did not notice "
                f"noise divided by {CONTROL} either; audit a smaller epsilon, a schema with more "
                "different rows, or more canaries."
            )
        weak = (
            f" For {_join(self.weak)} alone the audit is too weak: it did not notice noise "
            f"divided by {CONTROL} either."
            if self.weak
            else ""
        )
        return (
            "No violation shown; the same audit notices noise divided by "
            f"{CONTROL}.{weak} A lower bound of 0 means: no violation shown. It is no proof."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return vars(self) | {
            "audit": "rehearse",
            "refuted": self.is_refuted,
            "too_weak": list(self.weak),
            "sentence": self.sentence(),
            "claims": [claim.to_dict() for claim in self.claims],
        }


def _join(names: list[str] | tuple[str, ...]) -> str:
    return " and ".join(names)
