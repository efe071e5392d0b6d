"""The settings of the published tables, so that one command runs a whole table."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from privacy import Budget
from simulations.benchmarks.tabular.setting import Run, Setting
from simulations.demos import DEFAULT_DEMO
from simulations.partition_spec import PartitionKind, parse_partition
from simulations.settings import SimulationSettings, read_settings
from simulations.sites import check_study, make_sites

_DATA = files("simulations") / "data"


@dataclass(frozen=True, kw_only=True)
class Row:
    """One setting without its seed.

    Attributes:
        data: CSV or Parquet file; None for the shipped census.
        schema: TOML file that declares it; None for the shipped census.
        sites: sites to make, where the partition does not say.
        partition: how rows find their site, as in ``fedsynth simulate``.
        alpha: Dirichlet concentration; None for the usual one.
        epsilon: of each site.
        delta: failure probability.
    """

    data: Path | None = None
    schema: Path | None = None
    sites: int = 4
    partition: str = "iid"
    alpha: float | None = None
    epsilon: float = 1.0
    delta: float = 1e-5

    @property
    def name(self) -> str:
        """Name of the data set in the table."""
        return DEFAULT_DEMO if self.data is None else self.data.name.partition(".")[0]

    @property
    def concentration(self) -> float | None:
        """Return the Dirichlet concentration where it matters, for it is part of what a run is."""
        if parse_partition(self.partition).kind is not PartitionKind.DIRICHLET:
            return None
        usual: float = SimulationSettings.model_fields["alpha"].default
        return usual if self.alpha is None else self.alpha

    def holds(self, run: Run) -> bool:
        """Return whether a run was made in this setting."""
        mine = (self.name, self.partition, self.concentration, self.epsilon, self.delta)
        theirs = (run.data, run.partition, run.alpha, run.epsilon, run.delta)
        return mine == theirs and (run.num_sites == self.sites or self._tells_sites)

    def make_setting(self, seed: int) -> Setting:
        """Deal the rows to sites, and check that the study is possible there.

        Raises:
            InputError: if the data or the study are not usable.
        """
        simulation: dict[str, Any] = {"seed": seed, "partition": self.partition}
        if not self._tells_sites:
            simulation["sites"] = self.sites
        chosen = {"data": self.data, "schema": self.schema, "alpha": self.alpha}
        simulation |= {name: value for name, value in chosen.items() if value is not None}
        budget = {"epsilon": self.epsilon, "delta": self.delta}
        _, settings = read_settings(None, study=budget, simulation=simulation)
        setting = Setting(
            data=self.name,
            sites=make_sites(settings),
            partition=self.partition,
            alpha=self.concentration,
            budget=Budget(**budget),
            seed=seed,
        )
        check_study(setting.make_study(), setting.sites)
        return setting

    @property
    def _tells_sites(self) -> bool:
        return parse_partition(self.partition).tells_sites


def adult_rows() -> list[Row]:
    """Return the settings of the table in ``docs/utility.md`` for the shipped census."""
    at_four = [Row(epsilon=epsilon) for epsilon in (0.3, 1.0, 3.0, 10.0)]
    return [
        *at_four,
        Row(partition="dirichlet:occupation", alpha=0.5),
        Row(sites=16),
        Row(sites=64),
    ]


def other_rows(stack: ExitStack) -> list[Row]:
    """Return the settings for other tables that are shipped, by their own sites or many of them.

    Args:
        stack: keeps their files readable for as long as it is open.
    """

    def row(name: str, **more: Any) -> Row:
        data = stack.enter_context(as_file(_DATA / f"{name}.csv.gz"))
        schema = stack.enter_context(as_file(_DATA / f"{name}.toml"))
        return Row(data=data, schema=schema, **more)

    return [
        row("covid", sites=16),
        row("airport", partition="column:origin"),
        row("airport", sites=16),
    ]
