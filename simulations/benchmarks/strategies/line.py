"""One run as one line of JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from simulations.benchmarks.tabular import Made, Setting
from synthesis import InputError
from synthesis.quality import marginal_distance, score


@dataclass(frozen=True, kw_only=True)
class Case:
    """What is run.

    Attributes:
        data: name of the data set.
        sites: how many there are.
        epsilon: of each site.
        delta: failure probability.
        seed: of everything that is drawn.
        partition: one of ``PARTITIONS``.
        strategy: what makes one table of many.
    """

    data: str
    sites: int
    epsilon: float
    delta: float
    seed: int
    partition: str
    strategy: str


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What came of it.

    Attributes:
        auc: of gradient boosting, trained on the table and tested on real rows.
        logistic_auc: the same with logistic regression.
        two_way: mean total variation distance of pairs of columns from all training rows.
        two_sample_auc: how well trees tell the table from training rows; None if it is too small.
        worst_site: largest two-way distance of a site's rows from what describes that site.
        processor_s: processor time of all sites and the coordinator, that of the fit included.
        seconds: on the clock, as it was run: without a fit that an earlier run had made.
        megabytes_up: that one site sends, on average, in 10^6 bytes.
        megabytes_down: that one site is sent.
        commit: of the code; ``-dirty`` after it where files differed.
    """

    auc: float | None
    logistic_auc: float | None
    two_way: float
    two_sample_auc: float | None
    worst_site: float
    processor_s: float
    seconds: float
    megabytes_up: float
    megabytes_down: float
    commit: str

    @classmethod
    def of(cls, setting: Setting, made: Made, *, seconds: float, commit: str) -> Figures:
        """Score a table against all real rows, and what describes each site against its own."""
        sites, num_sites = setting.sites, len(setting.sites.names)
        quality = score(sites.schema, made.table, sites.train, sites.test)
        return cls(
            auc=quality.boosting.auc,
            logistic_auc=quality.logistic.auc,
            two_way=quality.two_way,
            two_sample_auc=quality.two_sample,
            worst_site=max(
                marginal_distance(sites.schema, made.of_sites.get(name, made.table), table, 2)
                for name, table in zip(sites.names, sites.tables, strict=True)
            ),
            processor_s=round(made.processor_s, 2),
            seconds=round(seconds, 2),
            megabytes_up=made.sent_by_sites / num_sites / 1e6,
            megabytes_down=(made.sent_bytes - made.sent_by_sites) / num_sites / 1e6,
            commit=commit,
        )


@dataclass(frozen=True, kw_only=True)
class Line:
    """A case and its figures."""

    case: Case
    figures: Figures

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Line:
        """Return what ``to_dict`` made.

        Raises:
            InputError: if these are other values.
        """
        of_case, of_figures = ({each.name for each in fields(kind)} for kind in (Case, Figures))
        if set(values) != of_case | of_figures:
            raise InputError(
                f"a line must hold {', '.join(sorted(of_case | of_figures))} and nothing else; "
                "the file was written by something else or by another version.",
                argument="out",
            )
        return cls(
            case=Case(**{name: values[name] for name in of_case}),
            figures=Figures(**{name: values[name] for name in of_figures}),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for one line of JSON."""
        return asdict(self.case) | asdict(self.figures)


def read_lines(path: Path) -> list[Line]:
    """Return the runs of earlier calls; a last line that was not finished is cut off the file.

    Raises:
        InputError: if another line is not one of this benchmark.
    """
    if not path.exists():
        return []
    text = path.read_text(encoding="utf-8")
    whole = text[: text.rfind("\n") + 1]
    try:
        lines = [Line.from_dict(json.loads(line)) for line in whole.splitlines()]
    except (json.JSONDecodeError, AttributeError, TypeError):
        raise InputError(
            f"{path} must hold one JSON object on each line; correct it or name another file.",
            argument="out",
        ) from None
    if whole != text:
        path.write_text(whole, encoding="utf-8")
    return lines


def add_line(path: Path, line: Line) -> None:
    """Write one more run at the end of the file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line.to_dict()) + "\n")
