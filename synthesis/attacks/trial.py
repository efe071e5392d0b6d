"""What came of one attack, with its control."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from synthesis.attacks.intervals import compare_shares, estimate_auc, estimate_share
from synthesis.evaluation.estimate import Estimate

Kind = Literal["membership", "attribute", "singling-out", "copies"]


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One attack that was tried on members and on others alike.

    Attributes:
        kind: what it tries to find out.
        name: how it works, in a few words.
        measure: what ``found`` is: an AUC, or a share of tries that succeed.
        tried: tries on each side.
        found: success on members.
        baseline: success on others, or the 0.5 of guessing where ``found`` is an AUC.
        guessing: success on members without the synthetic table; None where that has no meaning.
        p_value: how likely as much success would be if members were like others.
    """

    kind: Kind
    name: str
    measure: Literal["auc", "share"]
    tried: int
    found: Estimate
    baseline: Estimate
    guessing: float | None = None
    p_value: float

    @classmethod
    def of_scores(
        cls, name: str, members: NDArray[np.floating], others: NDArray[np.floating]
    ) -> Trial:
        """Judge a membership attack by its scores; higher means more likely a member."""
        found, p_value = estimate_auc(members.astype(np.float64), others.astype(np.float64))
        return cls(
            kind="membership",
            name=name,
            measure="auc",
            tried=min(len(members), len(others)),
            found=found,
            baseline=Estimate(value=0.5, low=0.5, high=0.5),
            guessing=0.5,
            p_value=p_value,
        )

    @classmethod
    def of_successes(
        cls,
        kind: Kind,
        name: str,
        members: NDArray[np.bool_],
        others: NDArray[np.bool_],
        guessing: float | None = None,
    ) -> Trial:
        """Judge an attack that succeeds or fails, tried as often on members as on others."""
        tries, found, control = len(members), int(members.sum()), int(others.sum())
        return cls(
            kind=kind,
            name=name,
            measure="share",
            tried=tries,
            found=estimate_share(found, tries),
            baseline=estimate_share(control, tries),
            guessing=guessing,
            p_value=compare_shares(found, control, tries),
        )
