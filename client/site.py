"""A data site on disk: one folder with its configuration, its ledger and its training state.

``site.toml`` names the data, the schema and the budget that the site grants for the life of the
data set. Nothing a coordinator sends can change this file.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from privacy import Budget, Ledger, Randomness, SeededRandomness, SystemRandomness
from synthesis import InputError
from synthesis.encoding import Codes, encode_fitting_rows
from synthesis.schema import Schema, load_schema
from synthesis.tables import read_records

SITE_FILE = "site.toml"


class SiteBudget(BaseModel):
    """What all studies on the data set together may cost one unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    epsilon: Annotated[float, Field(gt=0)]
    delta: Annotated[float, Field(gt=1e-10, lt=1)]


class SiteConfig(BaseModel):
    """The content of ``site.toml``; paths are relative to the site's folder.

    Attributes:
        name: how the site calls itself in its own ledger.
        data: table of records, CSV or Parquet.
        schema_file: the public schema the site has approved (``schema`` in the file).
        ledger: the ledger of this data set.
        budget: what the site grants for the life of the data set.
        holdout: share of the units that are kept for evaluation and never trained on.
        simulation_seed: makes noise repeatable, for simulations only; a deployed site has none.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=100)]
    data: str
    schema_file: Annotated[str, Field(alias="schema")]
    ledger: str = "ledger.sqlite"
    budget: SiteBudget
    holdout: Annotated[float, Field(ge=0, le=0.5, allow_inf_nan=False)] = 0.0
    simulation_seed: Annotated[int | None, Field(ge=0)] = None


@dataclass(frozen=True, kw_only=True)
class Site:
    """One data site: its folder and what it has decided."""

    folder: Path
    config: SiteConfig

    @property
    def schema(self) -> Schema:
        """The public schema the site has approved."""
        return load_schema(self.folder / self.config.schema_file)

    @property
    def ledger(self) -> Ledger:
        """The ledger of the site's data set, created on first use with the site's own budget.

        Raises:
            InputError: if the ledger was opened with another budget than ``site.toml`` names.
        """
        path = self.folder / self.config.ledger
        budget = Budget(epsilon=self.config.budget.epsilon, delta=self.config.budget.delta)
        if not path.exists():
            return Ledger.create(
                path, site=self.config.name, dataset=self.config.data, budget=budget
            )
        ledger = Ledger.open(path)
        if ledger.budget != budget:
            raise InputError(
                f"budget in {SITE_FILE} must be the one the ledger was opened with (epsilon "
                f"{ledger.budget.epsilon:g}, delta {ledger.budget.delta:g}), for it holds for the "
                "life of the data set; put it back.",
                argument="budget",
            )
        return ledger

    @property
    def randomness(self) -> Randomness:
        """Operating-system entropy, or a seed in a simulation."""
        if self.config.simulation_seed is None:
            return SystemRandomness()
        return SeededRandomness(self.config.simulation_seed)

    def read_codes(self) -> Codes:
        """Read and encode the private table. Call it only after the ledger holds the reservation.

        Every record is read by itself: one that breaks the schema does not take part, and changes
        neither how others are read nor whether an answer leaves.

        Raises:
            InputError: if the file is absent, unreadable or lacks a column.
        """
        return encode_fitting_rows(self.schema, read_records(self.folder / self.config.data))


def load_site(folder: str | Path) -> Site:
    """Read a site's folder.

    Raises:
        InputError: if ``site.toml`` is missing or says something it must not.
    """
    path = Path(folder) / SITE_FILE
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            f"site folder must hold {SITE_FILE}, and {folder} does not.", argument="site"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{path.name} is not valid TOML: {error}.", argument="site") from None
    try:
        config = SiteConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise InputError(f"{path.name}: {place}: {first['msg']}.", argument=place) from None
    return Site(folder=Path(folder), config=config)
