"""How the sites' results became one generator, and which sites were unlike the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from server.report.parts import Count, NotNegative, Part, Share
from strategies.robust_sketch import LEVEL
from strategies.rules import RULES, Similarity

if TYPE_CHECKING:  # reading a record takes no Flower
    from collections.abc import Mapping

    from server.outcome import StudyOutcome
    from server.study import Study


class SiteWeight(Part):
    """How much one site counted in the rounds."""

    name: str
    """The site's public name."""
    declared: Share
    """Its share of the rows, by its own public number or by what its sketch suggests."""
    used: Share
    """Its share in the average."""
    distance: NotNegative | None
    """Of its sketch from all others, or from the rest of its group where sites are in groups: about
    1 where it is noise alone; None for a site alone, and where there were too many sites."""


class Strategy(Part):
    """The rule of the study."""

    name: str
    """Its name in the registry of rules."""
    bad_sites: Count = 0
    """How many sites might have answered whatever they liked; 0 where one could spoil all."""
    differing: tuple[str, ...] | None = None
    """Sites whose sketch differs from at least half of the others by more than noise and the draw
    of people explain; None where sketches were added up and not compared."""
    level: Share | None = None
    """Chance, at most, that any is named though all sites have rows of one population."""
    weights: tuple[SiteWeight, ...] = ()
    """Of all sites, where the strategy discounts those unlike the others; else empty."""
    far: NotNegative | None = None
    """Distance up to which a site then keeps its declared weight; None where none is discounted."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader should know of sites that differ, a sentence or two each."""
        if not self.differing:
            return ()
        named = ", ".join(self.differing)
        told = (
            f"The sketches of these sites differ from at least half of the others by more than "
            f"noise and chance explain (level {self.level:g}): {named}."
        )
        if len(self.differing) <= self.bad_sites:
            return (
                f"{told} The strategy {self.name} counts them little or not at all: if they are "
                "honest, what is special about them is missing here.",
            )
        return (
            f"{told} That is more than the {self.bad_sites} that the strategy {self.name} stands: "
            "sites are unlike each other, and much of what honest ones hold is cut. Use fedavg if "
            "all sites can be trusted.",
        )


def build_strategy(study: Study, outcome: StudyOutcome, names: Mapping[int, str]) -> Strategy:
    """Return the rule that was used.

    Args:
        study: the public settings.
        outcome: what the coordinator holds.
        names: of the sites, by node.
    """
    from server.pooling.weighing import FAR

    differing, weighs = outcome.differing, RULES[study.strategy] is Similarity
    return Strategy(
        name=study.strategy,
        bad_sites=study.bad_sites,
        differing=None if differing is None else tuple(names.get(n, str(n)) for n in differing),
        level=None if differing is None else LEVEL,
        weights=_list_weights(outcome, names) if weighs else (),
        far=FAR if weighs else None,
    )


def _list_weights(outcome: StudyOutcome, names: Mapping[int, str]) -> tuple[SiteWeight, ...]:
    declared = sum(each.declared for each in outcome.weights.values())
    used = sum(each.used for each in outcome.weights.values())
    found = [
        SiteWeight(
            name=names.get(node, str(node)),
            declared=each.declared / declared,
            used=each.used / used,
            distance=each.distance,
        )
        for node, each in outcome.weights.items()
    ]
    return tuple(sorted(found, key=lambda each: each.name))
