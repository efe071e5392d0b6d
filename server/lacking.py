"""Which columns sites lack, as they declared at hello, and whether a study can go on with that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from statistics import median

from server.pooling import Missing, noise_of
from server.study import Study
from strategies import protocol
from strategies.collect import Answers
from strategies.errors import StudyFailed
from strategies.rules import HeldRule, Rule
from strategies.validation import Reply
from synthesis.coverage import Coverage
from synthesis.layout import PAIR_SCALE, SketchLayout
from synthesis.schema import Schema

_FREE = "no budget was spent, because "


def read_missing(hello: Mapping[int, Reply]) -> Missing:
    """Return the positions of the columns that sites lack, without sites that have all."""
    told = {
        node: str(reply.config[protocol.MISSING_COLUMNS])
        for node, reply in sorted(hello.items())
        if protocol.MISSING_COLUMNS in reply.config
    }
    return {node: tuple(map(int, text.split(","))) for node, text in told.items()}


def check_missing(hello: Mapping[int, Reply], study: Study, schema: Schema, rule: Rule) -> None:
    """Raise unless the study can go on with the columns that its sites have.

    Raises:
        StudyFailed: in a sentence; it costs nobody anything.
    """
    missing, last = read_missing(hello), len(schema.names) - 1
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
    nodes: Collection[int], missing: Missing, schema: Schema, *, reason: str = ""
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


def find_site_noise(layout: SketchLayout, sketches: Answers, missing: Missing) -> float:
    """Return the noise in a count of one site's sketch, in units; the median where sites differ."""
    return median(
        noise_of(reply) * layout.lacking(missing.get(node, ())).sensitivity / PAIR_SCALE
        for node, reply in sketches.valid.items()
    )


def name_missing(missing: Missing, schema: Schema) -> dict[int, tuple[str, ...]]:
    """Return the names of the columns that sites lack, by node."""
    return {
        node: tuple(schema.names[column] for column in columns) for node, columns in missing.items()
    }


def name_apart(
    layout: SketchLayout, coverage: Coverage, schema: Schema
) -> tuple[tuple[str, str], ...]:
    """Return the pairs of columns that no site has together."""
    names = [schema.names[column] for column in layout.features]
    return tuple((names[one], names[other]) for one, other in coverage.find_apart(layout))
