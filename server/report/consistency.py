"""How alike the sites are, and which of them are described together."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from server.report.parts import NotNegative, Part, Share

if TYPE_CHECKING:  # reading a record takes no Flower
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from server.outcome import StudyOutcome
    from synthesis.kinds import AnySchema
    from synthesis.schema import Schema


class SiteGroup(Part):
    """Sites that the generator describes together, by members of their own."""

    sites: tuple[str, ...]
    """Their names."""
    share: Share
    """Of the rows."""


class Conflict(Part):
    """What a site has otherwise than all other sites, beyond noise.

    A column, or a pair of columns neither of which conflicts by itself.
    """

    columns: tuple[str, ...]
    """One or two names."""
    distance: NotNegative
    """Total variation between the noisy shares, which noise makes larger; at most 1, but not in
    reports of earlier versions."""


class SiteConsistency(Part):
    """One site beside the others."""

    name: str
    """The site's public name."""
    from_others: NotNegative
    """Difference from all other sites together: about 1 where it is noise alone."""
    from_group: NotNegative | None
    """The same from the other sites of its group; None for a site alone in one."""
    conflicts: tuple[Conflict, ...]
    """In what it differs from all other sites: columns, then pairs, the largest distance first."""


class Consistency(Part):
    """What noisy sketches tell of the differences between sites; post-processing, so it is free."""

    groups: tuple[SiteGroup, ...]
    """Largest first; one where all sites are described together."""
    sites: tuple[SiteConsistency, ...] = ()
    """Empty where they are not compared: the study tells none apart, or there were too many."""
    differences: tuple[tuple[NotNegative, ...], ...] = ()
    """Between every two sites, in their order here: mean square of standardised differences."""
    apart: NotNegative
    """Standard deviations beyond 1 from which a difference keeps sites from being described
    together, unless there are too many groups."""
    level: Share
    """Chance, at most, that any conflict is named though all sites are alike."""


def build_consistency(
    outcome: StudyOutcome, schema: AnySchema, names: Mapping[int, str]
) -> Consistency | None:
    """Return how alike the sites of a finished study are; None for images.

    Images are described together, whatever their site.

    Args:
        outcome: with a generator that names its sites.
        schema: the public schema.
        names: of the sites, by node.
    """
    from server.pooling.grouping import STRAYS
    from server.pooling.share_tests import LEVEL
    from synthesis.images.schema import ImageSchema

    if isinstance(schema, ImageSchema):
        return None
    own = [group for group in outcome.table_generator.settings.groups if group.sites]
    total = sum(group.share for group in own)
    groups = tuple(SiteGroup(sites=group.sites, share=group.share / total) for group in own)
    compared = outcome.comparison
    if compared is None:
        return Consistency(groups=groups, apart=STRAYS, level=LEVEL)
    by_name = sorted(
        (names.get(node, str(node)), place) for place, node in enumerate(sorted(outcome.nodes))
    )
    return Consistency(
        groups=groups,
        sites=tuple(
            SiteConsistency(
                name=name,
                from_others=float(compared.from_others[place]),
                from_group=_or_none(float(compared.from_group[place])),
                conflicts=_list_conflicts(
                    schema, compared.conflicts[place], compared.distances[place]
                ),
            )
            for name, place in by_name
        ),
        differences=tuple(
            tuple(float(compared.differences[place, other]) for _, other in by_name)
            for _, place in by_name
        ),
        apart=STRAYS,
        level=LEVEL,
    )


def _list_conflicts(
    schema: Schema, is_conflict: NDArray[np.bool_], distances: NDArray[np.float64]
) -> tuple[Conflict, ...]:
    """List columns, then pairs of columns that do not conflict by themselves."""
    from synthesis.layout import SketchLayout

    layout = SketchLayout.from_schema(schema)
    features = [schema.names[position] for position in layout.features]
    pairs = [(features[one], features[other]) for one, other in layout.pairs]
    columns = {name for name, found in zip(schema.names, is_conflict, strict=False) if found}
    several = [*((name,) for name in schema.names), *pairs]
    found = [
        (names, float(distance))
        for names, is_one, distance in zip(several, is_conflict, distances, strict=True)
        if is_one and (len(names) == 1 or not columns & set(names))
    ]
    found.sort(key=lambda each: (len(each[0]), -each[1]))
    return tuple(Conflict(columns=names, distance=distance) for names, distance in found)


def _or_none(value: float) -> float | None:
    return None if math.isnan(value) else value
