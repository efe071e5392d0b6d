"""How far a release and its sites are from a public target, in shares that somebody published."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from server.report.parts import NotNegative, Part, Share

if TYPE_CHECKING:  # reading a record takes no Flower
    from collections.abc import Mapping

    from server.outcome import StudyOutcome
    from server.pooling.target_tests import TargetTests
    from synthesis.kinds import AnySchema


class TargetDistance(Part):
    """What noisy sketches tell of one margin of the target."""

    distance: NotNegative
    """Total variation from the target, noise included; at most 1, but not in reports of earlier
    versions."""
    expected: NotNegative
    """What noise and the draw of people make of that on average where the target is met."""
    is_beyond: bool
    """Whether it is more than they explain, at the level of all margins and sites together."""


class TargetMargin(Part):
    """One margin of the target: shares of a column, or of two together."""

    columns: tuple[str, ...]
    """One or two names."""
    generator: Share
    """Total variation between the target and the generator, from which the table is drawn."""
    together: TargetDistance | None
    """Of all sites together; None where no sketch tells of it."""
    sites: tuple[TargetDistance | None, ...] = ()
    """Of every site, in the order of their names; None for a site that does not tell of it."""


class TargetReport(Part):
    """Distances to a public target; post-processing of sketches and generator, so it is free."""

    sha256: str
    """Of what the target's file asks for."""
    margins: tuple[TargetMargin, ...]
    """In the order of the file."""
    sites: tuple[str, ...] = ()
    """Names; empty where sites are not compared: see ``Consistency.sites``."""
    level: Share
    """Chance, at most, that any distance is said to be beyond noise though the target is met."""

    @property
    def furthest(self) -> tuple[str, TargetMargin, TargetDistance] | None:
        """The site that is furthest beyond what noise explains, and in what; None if none is."""
        found = [
            (name, margin, distance)
            for margin in self.margins
            for name, distance in zip(self.sites, margin.sites, strict=True)
            if distance is not None and distance.is_beyond
        ]
        return max(found, key=lambda each: each[2].distance - each[2].expected, default=None)


def build_target(
    outcome: StudyOutcome, schema: AnySchema, names: Mapping[int, str]
) -> TargetReport | None:
    """Return how far a finished study is from the target it was held to; None without one.

    Args:
        outcome: of the study.
        schema: the public schema.
        names: of the sites, by node.
    """
    from server.pooling.share_tests import LEVEL
    from synthesis.schema import Schema

    if outcome.target is None or not isinstance(schema, Schema):
        return None
    target, tests = outcome.target.target, outcome.target.tests
    is_compared = len(tests.distances) > 1
    by_name = sorted(
        (names.get(node, str(node)), place)
        for place, node in enumerate(sorted(outcome.nodes) if is_compared else (), start=1)
    )
    return TargetReport(
        sha256=target.sha256,
        margins=tuple(
            TargetMargin(
                columns=tuple(schema.names[column] for column in cells.margin.columns),
                generator=cells.measure(outcome.table_generator),
                together=_distance(tests, 0, number),
                sites=tuple(_distance(tests, place, number) for _, place in by_name),
            )
            for number, cells in enumerate(target.margins)
        ),
        sites=tuple(name for name, _ in by_name),
        level=LEVEL,
    )


def _distance(tests: TargetTests, place: int, margin: int) -> TargetDistance | None:
    distance = float(tests.distances[place, margin])
    if math.isnan(distance):
        return None
    return TargetDistance(
        distance=distance,
        expected=float(tests.expected[place, margin]),
        is_beyond=bool(tests.beyond[place, margin]),
    )
