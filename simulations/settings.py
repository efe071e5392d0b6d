"""What a simulation adds to a study: where the rows come from and how they are dealt to sites."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from privacy import SitePlan
from privacy.canaries import check_number
from server.planning.split import leave_open, parse_open_study, settle_share
from server.study import Study, explain_settings, parse_study, read_toml
from simulations.partition_spec import parse_partition
from synthesis import InputError
from synthesis.layout import SketchLayout

if TYPE_CHECKING:
    from server.public_target import PublicTarget
    from synthesis.kinds import AnySchema

USUAL_HOLDOUT = 0.1
"""Share of the units of a simulated site that an evaluation holds out."""
CROWD = 16
"""Sites from which on a simulation spends less time on each."""


class Backend(StrEnum):
    """Where the sites run: in this process, or as Ray actors of Flower's simulation engine."""

    LOCAL = "local"
    RAY = "ray"


class SimulationSettings(BaseModel):
    """The ``[simulation]`` table of a study file.

    Attributes:
        demo: a data set that comes with fedsynth.
        data: a table of your own instead, CSV or Parquet, with ``schema_file``.
        schema_file: its schema, TOML (``schema`` in the file).
        sites: number of sites; a partition by column takes it from the column.
        partition: ``iid``, ``sizes:7,2,1``, ``lacking:2``, ``dirichlet[:NAME]`` or ``column:NAME``.
        alpha: Dirichlet concentration; small values mean more skew.
        seed: makes the whole simulation repeatable, noise included.
        rows: synthetic rows to publish; as many as training rows when left out.
        backend: where the sites run.
        holdout: share of each site's units that are kept for the evaluation and never trained on;
            0.1 where the study has an evaluation, else 0, when left out.
        site_epsilons: what each site may spend, in the order of the sites, where they differ; the
            study asks for the largest.
        canaries: made-up units that each site plants for an audit; 0, or in [50, 2000].
        missing_columns: by name of a site, the columns that it declares that it does not have. What
            the table holds of them there is not given to the site; figures that compare with real
            rows take the table as it is.
        attacks: whether to try what an attacker could learn of real rows from the published ones.
        target: public shares that the report holds the table and its sites to (TOML).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    demo: str | None = None
    data: Path | None = None
    schema_file: Annotated[Path | None, Field(alias="schema")] = None
    sites: Annotated[int, Field(ge=2, le=10_000)] = 4
    partition: str = "iid"
    alpha: Annotated[float, Field(gt=0)] = 0.5
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    rows: Annotated[int | None, Field(ge=1)] = None
    backend: Backend = Backend.LOCAL
    holdout: Annotated[float | None, Field(ge=0, le=0.5)] = None
    site_epsilons: tuple[Annotated[float, Field(gt=0)], ...] = ()
    canaries: Annotated[int, AfterValidator(check_number)] = 0
    missing_columns: Mapping[str, tuple[str, ...]] = {}
    attacks: bool = True
    target: Path | None = None

    def load_target(self, schema: AnySchema) -> PublicTarget | None:
        """Return the public target, if there is one.

        Raises:
            InputError: if its file cannot be used with this schema.
        """
        from server.public_target import PublicTarget  # torch comes with it, and plans need none

        return None if self.target is None else PublicTarget.load(self.target, schema)

    def count_trained(self, units: int, content: Mapping[str, Any]) -> int:
        """Return how many of all units are not held out, rounded down.

        Args:
            units: in all.
            content: of the study.

        Raises:
            InputError: if the study evaluates on units that nobody holds out, or is none.
        """
        return int(units * (1 - self.holdout_for(parse_open_study(content))))

    def holdout_for(self, study: Study) -> float:
        """Return the share of units to hold out.

        Raises:
            InputError: if the study evaluates on units that nobody holds out.
        """
        if self.holdout is None:
            return USUAL_HOLDOUT if study.evaluation else 0.0
        if study.evaluation and self.holdout == 0:
            raise InputError(
                "holdout must be above 0 in a study with an evaluation, got 0; leave it out for "
                f"the default {USUAL_HOLDOUT}.",
                argument="holdout",
            )
        return self.holdout

    def ask_for_most(self, content: Mapping[str, Any], num_sites: int) -> dict[str, Any]:
        """Return what a study must ask for where sites have epsilons of their own.

        Args:
            content: the study's settings as they were given.
            num_sites: how many sites there are.

        Raises:
            InputError: if there are more or fewer, or the study asks for another epsilon.
        """
        if not self.site_epsilons:
            return {}
        most = max(self.site_epsilons)
        if len(self.site_epsilons) != num_sites:
            raise InputError(
                f"site_epsilons must be one for each of {num_sites} sites, got "
                f"{len(self.site_epsilons)}; correct the list or the number of sites.",
                argument="site_epsilons",
            )
        if content.get("epsilon", most) != most:
            raise InputError(
                f"epsilon must be the largest of site_epsilons, {most:g}, got "
                f"{content['epsilon']}; leave epsilon out.",
                argument="epsilon",
            )
        return {"epsilon": most, "allow_less_epsilon": True}

    @model_validator(mode="after")
    def _check_source(self) -> SimulationSettings:
        if self.data is None and self.schema_file is None:
            return self
        if self.demo is not None:
            raise ValueError("demo and data must not both be given; leave one of them out")
        if self.data is None or self.schema_file is None:
            raise ValueError(
                "data and schema must be given together; 'fedsynth schema draft' proposes a schema"
            )
        return self


def read_settings(
    path: Path | None, *, study: dict[str, Any], simulation: dict[str, Any]
) -> tuple[dict[str, Any], SimulationSettings]:
    """Read a study file, if there is one, and put the given settings over what it says.

    Args:
        path: study file (TOML) with an optional ``[simulation]`` table.
        study: settings of the study that override the file.
        simulation: settings of the simulation that override the file.

    Returns:
        Plain values for :func:`make_study`, and the simulation's settings.

    Raises:
        InputError: naming the setting, its value and the rule.
    """
    content = {} if path is None else read_toml(path, argument="study")
    table = content.pop("simulation", {})
    content.pop("release", None)
    if path is not None and isinstance(table, dict):
        for key in ("data", "schema", "target"):
            if isinstance(table.get(key), str):
                table[key] = path.parent / table[key]
    merged = _override(table, simulation) if isinstance(table, dict) else table
    try:
        settings = SimulationSettings.model_validate(merged)
    except ValidationError as error:
        found = explain_settings(error, SimulationSettings)
        raise _name_file(found, path, "[simulation]", given=simulation) from None
    content |= study
    try:
        parse_open_study(content)
    except InputError as error:
        raise _name_file(error, path, "study", given=study) from None
    return content, settings


def make_study(
    content: Mapping[str, Any],
    *,
    units_per_site: int,
    num_sites: int,
    layout: SketchLayout,
    name: str,
    seed: int,
) -> Study:
    """Build the study of a simulation.

    Where no setting says anything of the rounds, the planner chooses their share of the budget.
    ``nominal_rows``, when it is not given, is ``units_per_site``, the average number of units of a
    site that are not held out, rounded to one digit: a simulation may look at its own rows, and the
    number is declared in the report. Beyond 16 sites, which one machine must serve one after
    another, each takes fewer generator steps by default.

    Raises:
        InputError: naming the setting, its value and the rule.
    """
    digits = 10 ** (len(str(max(1, units_per_site))) - 1)
    nominal = max(1, round(units_per_site / digits) * digits)
    declared = {"name": name, "nominal_rows": nominal, "seed": seed}
    if num_sites > CROWD:
        usual: int = Study.model_fields["generator_steps"].default
        declared["generator_steps"] = max(4, CROWD * usual // num_sites)
    settled = settle_share(leave_open(content), nominal_rows=units_per_site, layout=layout)
    return parse_study(declared | settled)


def plan_of(study: Study, epsilon: float | None = None) -> SitePlan:
    """Return what a site would spend; it is kept, so that asking again takes no time.

    Args:
        study: the public settings.
        epsilon: of the site, where it spends less than the study asks for.

    Raises:
        InputError: if no noise meets the budget.
    """
    try:
        return study.make_plan(epsilon)
    except (ValueError, ArithmeticError) as error:
        reason = error if isinstance(error, ValueError) else "it is too small; use a larger one"
        asked = study.epsilon if epsilon is None else epsilon
        raise InputError(
            f"epsilon {asked:g} at delta {study.delta:g} cannot be planned for: {reason}.",
            argument="epsilon",
        ) from None


def _name_file(
    error: InputError, path: Path | None, table: str, *, given: dict[str, Any]
) -> InputError:
    """Say in which file a setting stands, unless it was given beside the file."""
    if path is None or error.argument in given:
        return error
    where = path.name if table == "study" else f"{path.name}, {table}"
    return InputError(f"{where}: {error}", argument=error.argument)


def _override(table: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Put given settings over those of a file.

    A given source of rows replaces the file's, and a given partition what it leaves no use for.
    """
    replaced: set[str] = set()
    if "demo" in given:
        replaced = {"data", "schema"}
    elif "data" in given or "schema" in given:
        replaced = {"demo"}
    if isinstance(partition := given.get("partition"), str):
        replaced |= parse_partition(partition).idle_settings
    return {name: value for name, value in table.items() if name not in replaced} | given
