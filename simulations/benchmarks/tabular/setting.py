"""One setting of the benchmark, and what a method came to in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import pandas as pd

from privacy import Budget
from server.study import Study
from simulations.settings import make_study
from simulations.sites import SimulatedSites
from synthesis import InputError
from synthesis.encoding import read_units
from synthesis.layout import SketchLayout
from synthesis.quality import Quality
from synthesis.units import Units

FIGURES = (
    "boosting_auc",
    "logistic_auc",
    "accuracy",
    "f1",
    "one_way",
    "two_way",
    "three_way",
    "two_sample_auc",
    "worst_site",
    "processor_s",
    "megabytes",
)
"""The figures of a run, in the order in which they are printed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Setting:
    """The rows, how they lie at sites, and what each site may spend.

    Attributes:
        data: name of the data set, for the table.
        sites: rows of every site, and those nobody trains on.
        partition: how rows found their site, for the table.
        budget: of each site.
        alpha: Dirichlet concentration where the partition has one, for the table.
        seed: of everything that is drawn, noise included.
        study: settings of the study other than the usual ones, such as ``{"fit_steps": 100}``.
    """

    data: str
    sites: SimulatedSites
    partition: str
    budget: Budget
    seed: int
    study: Mapping[str, Any] = field(default_factory=dict)
    alpha: float | None = None

    def make_study(self, **content: Any) -> Study:
        """Return the study that a user would get here, with these settings over the usual ones."""
        budget, tables = self.budget, self.sites.tables
        given = {"epsilon": budget.epsilon, "delta": budget.delta}
        return make_study(
            given | dict(self.study) | content,
            units_per_site=self.sites.num_units // len(tables),
            num_sites=len(tables),
            layout=SketchLayout.from_schema(self.sites.schema),
            name=f"benchmark-{self.seed}",
            seed=self.seed,
        )

    def read_units(self) -> list[Units]:
        """Return the records or persons of each site, as the site itself reads them."""
        return [read_units(self.sites.schema, table) for table in self.sites.tables]


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """A table, and what it cost to make.

    Attributes:
        table: the synthetic rows, or real ones.
        of_sites: by name, rows that describe one site where a method can tell it apart.
        processor_s: processor time over all sites and the coordinator together, in seconds.
        sent_bytes: between sites and coordinator, both ways.
        sent_by_sites: the part of it that sites sent, where a study was run.
    """

    table: pd.DataFrame
    of_sites: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    processor_s: float
    sent_bytes: int
    sent_by_sites: int = 0


@dataclass(frozen=True, kw_only=True)
class Run:
    """One line of the benchmark; what cannot be told is None.

    Attributes:
        data: name of the data set.
        num_sites: sites in the setting.
        partition: how rows found their site.
        epsilon: of each site, with the delta beside it.
        delta: failure probability.
        seed: of everything that is drawn.
        method: what made the table.
        boosting_auc: gradient boosting trained on the table, tested on real rows.
        logistic_auc: the same with logistic regression.
        accuracy: of gradient boosting.
        f1: of gradient boosting.
        one_way: mean total variation distance of the columns from the training rows.
        two_way: the same over pairs of columns.
        three_way: the same over triples.
        two_sample_auc: how well trees tell the table from training rows; 0.5 is best.
        worst_site: largest two-way distance of a site's rows from what describes that site.
        processor_s: processor time over all sites and the coordinator, in seconds.
        megabytes: sent between sites and coordinator, in 10^6 bytes.
        alpha: Dirichlet concentration; None where the partition has none.
    """

    data: str
    num_sites: int
    partition: str
    epsilon: float
    delta: float
    seed: int
    method: str
    boosting_auc: float | None
    logistic_auc: float | None
    accuracy: float
    f1: float
    one_way: float
    two_way: float
    three_way: float
    two_sample_auc: float | None
    worst_site: float
    processor_s: float
    megabytes: float
    alpha: float | None = None

    @classmethod
    def of(
        cls,
        setting: Setting,
        method: str,
        made: Made,
        quality: Quality,
        *,
        three_way: float,
        worst_site: float,
    ) -> Run:
        """Return the line of a table that was made and scored."""
        return cls(
            data=setting.data,
            num_sites=len(setting.sites.tables),
            partition=setting.partition,
            epsilon=setting.budget.epsilon,
            delta=setting.budget.delta,
            seed=setting.seed,
            method=method,
            boosting_auc=quality.boosting.auc,
            logistic_auc=quality.logistic.auc,
            accuracy=quality.boosting.accuracy,
            f1=quality.boosting.f1,
            one_way=quality.one_way,
            two_way=quality.two_way,
            three_way=three_way,
            two_sample_auc=quality.two_sample,
            worst_site=worst_site,
            processor_s=made.processor_s,
            megabytes=made.sent_bytes / 1e6,
            alpha=setting.alpha,
        )

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Run:
        """Return the run of one JSON line.

        Raises:
            InputError: if it is not a line of this benchmark.
        """
        names = {each.name for each in fields(cls)} - {"alpha"}
        if set(values) - {"alpha"} != names:
            raise InputError(
                f"a line must hold {', '.join(sorted(names))}, alpha where rows were dealt by a "
                "Dirichlet draw, and nothing else; the file was "
                "written by something else or by another version.",
                argument="out",
            )
        return cls(**values)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for one JSON line; alpha only where the partition has one."""
        values = asdict(self)
        if self.alpha is None:
            del values["alpha"]
        return values
