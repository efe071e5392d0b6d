"""Which columns sites lack, as they declared at hello, and whether a study can go on with that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from statistics import median
from typing import TypeAlias

from server.kinds import unit_scale
from server.pooling import Missing, noise_of
from server.study import Study
from strategies import protocol
from strategies.aggregation import PooledSketch
from strategies.collect import Answers
from strategies.errors import StudyFailed
from strategies.rules import HeldRule, MdGan, Rule
from strategies.validation import Reply
from synthesis.coverage import Coverage, coverage_of
from synthesis.images.sketch import ImageLayout
from synthesis.kinds import VAE, AnySchema
from synthesis.layout import SketchLayout
from synthesis.schema import Schema

AnyLayout: TypeAlias = SketchLayout | ImageLayout
_FREE = "no budget was spent, because "


def read_missing(hello: Mapping[int, Reply]) -> Missing:
    """Return the positions of the columns that sites lack, without sites that have all."""
    told = {
        node: str(reply.config[protocol.MISSING_COLUMNS])
        for node, reply in sorted(hello.items())
        if protocol.MISSING_COLUMNS in reply.config
    }
    return {node: tuple(map(int, text.split(","))) for node, text in told.items()}


def check_missing(hello: Mapping[int, Reply], study: Study, schema: AnySchema, rule: Rule) -> None:
    """Raise unless the study can go on with the columns that its sites have.

    Raises:
        StudyFailed: in a sentence; it costs nobody anything.
    """
    missing = read_missing(hello)
    if not isinstance(schema, Schema):
        if missing:
            raise StudyFailed(f"{_FREE}site {min(missing)} declares missing columns of images.")
        return
    last = len(schema.names) - 1
    layout = SketchLayout.from_schema(schema)
    for node, columns in missing.items():
        is_listed = list(columns) == sorted(set(columns)) and columns[-1] <= last
        is_listed = is_listed and schema.label_index not in columns
        if not is_listed or layout.lacking(columns).sensitivity == 0:
            raise StudyFailed(
                f"{_FREE}site {node} declares missing columns that are not features of the schema, "
                "or leave nothing to count."
            )
    if not missing:
        return
    if study.model == VAE:
        raise StudyFailed(
            f"{_FREE}an autoencoder reads all columns, and some sites lack columns; use the model "
            "mixture."
        )
    if isinstance(rule, MdGan):
        raise StudyFailed(
            f"{_FREE}strategy {study.strategy} takes discriminators of all columns, and some sites "
            "lack columns; use fedavg."
        )
    if isinstance(rule, HeldRule):
        raise StudyFailed(
            f"{_FREE}strategy {study.strategy} compares all cells of all sites, and some sites "
            "lack columns; use fedavg."
        )
    if study.evaluation:
        raise StudyFailed(
            f"{_FREE}an evaluation asks for all columns, and some sites lack some; set evaluation "
            "to false."
        )
    check_told(hello, missing, schema, reason=_FREE)


def check_told(
    nodes: Collection[int], missing: Missing, schema: AnySchema, *, reason: str = ""
) -> None:
    """Raise unless each column is told of by some site.

    Args:
        nodes: of the sites that take part.
        missing: what sites lack.
        schema: the public schema.
        reason: what the sentence begins with.

    Raises:
        StudyFailed: naming the columns.
    """
    if not isinstance(schema, Schema):
        return
    layout = SketchLayout.from_schema(schema)
    patterns = {missing.get(node, ()) for node in nodes}
    untold = set(layout.features)
    for columns in patterns:
        site = layout.lacking(columns)
        lost = Coverage.of_site(site).find_untold(site)
        untold &= {layout.features[feature] for feature in lost}
    if untold:
        names = ", ".join(repr(schema.names[column]) for column in sorted(untold))
        raise StudyFailed(
            f"{reason}no site tells anything of column {names}; take it out of the schema or find "
            "a site that has it."
        )


def find_site_noise(layout: AnyLayout, sketches: Answers, missing: Missing) -> float:
    """Return the noise in a count of one site's sketch, in units; the median where sites differ."""
    return median(
        noise_of(reply) * _own(layout, missing.get(node, ())).sensitivity / unit_scale(layout)
        for node, reply in sketches.valid.items()
    )


def _own(layout: AnyLayout, columns: tuple[int, ...]) -> AnyLayout:
    return layout.lacking(columns) if isinstance(layout, SketchLayout) else layout


def name_missing(missing: Missing, schema: AnySchema) -> dict[int, tuple[str, ...]]:
    """Return the names of the columns that sites lack, by node."""
    if not isinstance(schema, Schema):
        return {}
    return {
        node: tuple(schema.names[column] for column in columns) for node, columns in missing.items()
    }


def name_apart(
    layout: AnyLayout, pooled: PooledSketch, schema: AnySchema
) -> tuple[tuple[str, str], ...]:
    """Return the pairs of columns that no site has together."""
    if not (isinstance(layout, SketchLayout) and isinstance(schema, Schema)):
        return ()
    coverage = coverage_of(layout, pooled.coverage)
    names = [schema.names[column] for column in layout.features]
    return tuple((names[one], names[other]) for one, other in coverage.find_apart(layout))
