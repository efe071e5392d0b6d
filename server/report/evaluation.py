"""The part of a report about the hold-outs: the only figures that leave in a deployed study."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from server.report.cost import Rejection
from server.report.parts import Count, NotNegative, Part, Share

if TYPE_CHECKING:  # reading a record takes neither Flower nor torch
    from server.outcome import Evaluation as EvaluationOutcome


VACUOUS_WIDTH = 0.9
"""All figures lie between 0 and 1."""


class ExactFigures(Part):
    """The same figures without noise, from all real rows; only a simulation has them."""

    one_way: Share
    """Mean distance of the columns."""
    two_way: Share
    """Mean distance of the pairs of columns, on coarse groups."""
    auc: Share
    """AUC of the score network, in the same bins."""


class Figure(Part):
    """One figure, measured under noise."""

    kind: Literal["one_way", "two_way", "auc"]
    """Mean distance of columns, mean distance of pairs on coarse groups, or the AUC of a network
    that was trained on synthetic rows alone."""
    value: Share
    """The estimate."""
    low: Share
    """Where its 95 % interval begins."""
    high: Share
    """Where its 95 % interval ends."""
    exact: Share | None = None
    """The same on all real rows without noise; only in a simulation."""

    @property
    def is_vacuous(self) -> bool:
        """Whether noise hides the figure: its interval holds nearly all that it could be."""
        return self.high - self.low >= VACUOUS_WIDTH


class Noise(Part):
    """How noisy one of the pooled releases is."""

    purpose: str
    """The release, as ledgers name it."""
    noise_std: NotNegative
    """Standard deviation of the noise in one count, all answering sites together."""


class HoldOutSize(Part):
    """How many hold-out units stand behind the figures, estimated under noise."""

    value: NotNegative
    """The estimate."""
    low: NotNegative
    """Where its 95 % interval begins."""
    high: NotNegative
    """Where its 95 % interval ends."""


class Evaluation(Part):
    """What noised counts of the hold-outs say about the release."""

    asked: Annotated[int, Field(ge=0)]
    """Sites asked."""
    answered: Count
    """Sites whose answers are in the figures."""
    rejected: tuple[Rejection, ...] = ()
    """Sites whose answers are not."""
    synthetic_rows: Count
    """Synthetic rows that the hold-outs were compared with."""
    units: HoldOutSize | None = None
    """None where too few sites answered."""
    figures: tuple[Figure, ...] = ()
    """Empty where too few sites answered."""
    noise: tuple[Noise, ...] = ()
    """One entry per release."""


def build_evaluation(
    outcome: "EvaluationOutcome",
    site_names: Mapping[int, str],
    exact: ExactFigures | None = None,
) -> Evaluation:
    """Return the part about the hold-outs.

    Args:
        outcome: what the coordinator found.
        site_names: the public name of each node.
        exact: the figures without noise, in a simulation.
    """
    found = Evaluation(
        asked=len(outcome.nodes) + len(outcome.rejected),
        answered=len(outcome.nodes),
        rejected=tuple(
            Rejection(site=site_names.get(node, str(node)), reason=reason)
            for node, reason in outcome.rejected.items()
        ),
        synthetic_rows=len(outcome.synthetic),
    )
    if outcome.figures is None:
        return found
    estimates = {
        "one_way": outcome.figures.one_way,
        "two_way": outcome.figures.two_way,
        "auc": outcome.figures.auc,
    }
    figures = tuple(
        Figure.model_validate(
            {
                "kind": kind,
                "value": estimate.value,
                "low": estimate.low,
                "high": estimate.high,
                "exact": None if exact is None else getattr(exact, kind),
            }
        )
        for kind, estimate in estimates.items()
    )
    units = outcome.figures.units
    noise = tuple(Noise(purpose=p, noise_std=s) for p, s in outcome.noise_stds.items())
    size = HoldOutSize(value=units.value, low=units.low, high=units.high)
    return found.model_copy(update={"units": size, "figures": figures, "noise": noise})
