"""What a reader learns of a release: each check, and one sentence about all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from privacy import PublicKey
from server.attestation.predicate import Statement

TrustedKeys: TypeAlias = Mapping[PublicKey, str | None]
"""Keys that a reader trusts, and whose each is where the reader wrote it down."""


class ReleaseBroken(RuntimeError):
    """Report that a folder holds no statement that could be checked."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: a word for it.
        found: what was looked at, for people, whether it holds or not.
        problems: what does not hold, one clause each.
    """

    name: str
    found: str
    problems: tuple[str, ...] = ()

    @property
    def holds(self) -> bool:
        """Whether there is no problem."""
        return not self.problems


@dataclass(frozen=True, kw_only=True)
class Signer:
    """Somebody whose signature is in the release.

    Attributes:
        role: `further` is whoever signed the envelope besides the coordinator.
        name: as the coordinator states it; empty for further signers.
        key: the public key.
        trusted: whether the reader trusts it under this name; None where nobody said whom to trust.
    """

    role: Literal["coordinator", "site", "further"]
    name: str
    key: PublicKey
    trusted: bool | None = None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What was found.

    Attributes:
        statement: what the coordinator states.
        checks: in the order in which they were made.
        signers: the coordinator, the sites whose receipts are held, and further ones.
    """

    statement: Statement
    checks: Sequence[Check]
    signers: Sequence[Signer]

    @property
    def holds(self) -> bool:
        """Whether every check holds."""
        return all(check.holds for check in self.checks)

    def summarise(self) -> str:
        """Return one sentence: what holds, and what does not or is not shown."""
        problems = [problem for check in self.checks for problem in check.problems]
        if problems:
            right = [check.name for check in self.checks if check.holds]
            rest = f"; what holds: {', '.join(right)}" if right else ""
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            return f"The release does not hold: {problems[0]}{more}{rest}."
        predicate = self.statement.predicate
        guarantee, sites = predicate.guarantee, len(predicate.sites)
        worst = max(site.epsilon for site in predicate.sites)
        events = "its ledger, which is here" if self._is_replayed else "the coordinator's statement"
        is_trusted = all(signer.trusted for signer in self.signers)
        trusted = f"; all {len(self.signers)} signers are among the keys you trust"
        return (
            f"The release holds: {len(self.statement.subject)} files are as they were signed, and "
            f"epsilon {worst:.4f} of {guarantee.epsilon:g} at delta {guarantee.delta:g} for one "
            f"{guarantee.unit.value} follows from what each of {sites} sites ran by {events}"
            f"{trusted if is_trusted else ''}; but {self._doubts(is_trusted)}."
        )

    @property
    def _is_replayed(self) -> bool:
        return all(site.source == "site-ledger" for site in self.statement.predicate.sites)

    def _doubts(self, is_trusted: bool) -> str:
        doubts = []
        if self.statement.predicate.kind == "simulation":
            doubts.append("this is a simulation only, whose noise came from a seed")
        if not self._is_replayed:
            doubts.append("receipts do not show what is in the sites' ledgers")
        if not is_trusted:
            doubts.append("keys were not compared with any that you trust")
        doubts.append("no signature shows that a site added its noise")
        return f"{', '.join(doubts[:-1])}, and {doubts[-1]}" if doubts[1:] else doubts[0]
