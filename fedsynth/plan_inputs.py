"""What a plan can be told about sites: from options, from the study file, from a demonstration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from server.planning import (
    Circumstances,
    ImageCircumstances,
    RoundsOutlook,
    find_outlook,
    leave_open,
    parse_open_study,
    settle_share,
)
from server.study import AUTO, Study, parse_study
from simulations.demos import DEFAULT_DEMO, DEMO_ROWS, IMAGE_DEMO_NUMBERS, load_demo_schema
from simulations.partition_spec import PartitionKind, parse_partition
from simulations.settings import SimulationSettings, make_study
from simulations.site_count import check_public, count_sites
from synthesis.errors import InputError
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema, load_any_schema


def find_circumstances(
    content: Mapping[str, Any],
    settings: SimulationSettings,
    *,
    schema: Path | None,
    sites: int | None,
    rows: str | None,
) -> Circumstances | ImageCircumstances | None:
    """Return schema and sites of a study, or None if no schema or no number of rows is known.

    Rows of the study's own data are never read.

    Args:
        content: the study's settings as its file gives them.
        settings: of the simulation that the file may describe.
        schema: schema file that was asked for.
        sites: number of sites that was asked for.
        rows: declared rows of every site: one number for all, or one for each.

    Raises:
        InputError: if one of them cannot be used, or they contradict each other.
    """
    study = parse_open_study(content)
    is_simulation = bool(settings.model_fields_set)
    demo = _demo_of(settings) if is_simulation and schema is None else None
    found = find_schema(settings, schema, demo)
    declared = _parse_rows(rows)
    num_sites = _count_sites(settings, study, sites, declared, schema=found)
    settings.holdout_for(study)  # refuses an evaluation on rows that nobody holds out
    if found is None:
        return None
    if is_simulation:
        check_public(settings, found, num_sites)
    if len(declared) > 1:
        return _describe(found, declared, "as declared for each")
    if declared:
        units, basis = declared[0], "as declared"
    elif demo is not None:
        trained = settings.count_trained(_rows_of(demo), content)
        units, basis = trained // num_sites, "public, of the demonstration"
    elif "nominal_rows" in content:
        units, basis = study.nominal_rows, "the study's nominal_rows"
    else:
        return None
    return _describe(found, (units,) * num_sites, basis)


def _describe(
    schema: AnySchema, units: tuple[int, ...], basis: str
) -> Circumstances | ImageCircumstances:
    if isinstance(schema, ImageSchema):
        return ImageCircumstances(schema=schema, units=units, basis=basis)
    return Circumstances(schema=schema, units=units, basis=basis)


def _rows_of(demo: str) -> int:
    return (DEMO_ROWS | IMAGE_DEMO_NUMBERS)[demo]


def study_of(
    content: Mapping[str, Any],
    settings: SimulationSettings,
    where: Circumstances | ImageCircumstances | None,
) -> Study:
    """Return the study as it would run: a simulation fills in what its file leaves open.

    Raises:
        InputError: if the settings contradict each other, or sites must be known to settle them.
    """
    content = _ask_for_most(content, settings, where)
    if where is None:
        if content.get("adversarial_share") == AUTO:
            raise InputError(
                f"adversarial_share must be a number where sites and schema are not known, got "
                f"{AUTO!r}; give --schema, --sites and --rows, or a number.",
                argument="adversarial_share",
            )
        return parse_study(dict(content))
    if isinstance(where, ImageCircumstances):
        return _image_study_of(content, settings, where)
    if not settings.model_fields_set:
        settled = settle_share(content, nominal_rows=where.units_per_site, layout=where.layout)
        return parse_study(settled)
    return make_study(
        content,
        units_per_site=where.units_per_site,
        num_sites=where.num_sites,
        layout=where.layout,
        name=f"simulation-{settings.seed}",
        seed=settings.seed,
    )


def outlook_of(
    content: Mapping[str, Any],
    settings: SimulationSettings,
    where: Circumstances | ImageCircumstances | None,
) -> RoundsOutlook | None:
    """Return what the planner chose the rounds of a study by; None where it had no choice."""
    if not isinstance(where, Circumstances):
        return None
    asked = _ask_for_most(content, settings, where)
    given = leave_open(asked) if settings.model_fields_set else asked
    return find_outlook(given, nominal_rows=where.units_per_site, layout=where.layout)


def _ask_for_most(
    content: Mapping[str, Any],
    settings: SimulationSettings,
    where: Circumstances | ImageCircumstances | None,
) -> dict[str, Any]:
    """Return a study's settings with the largest epsilon of its simulated sites."""
    num_sites = count_sites(settings, None) if where is None else where.num_sites
    return {**content, **settings.ask_for_most(content, num_sites or 0)}


def _image_study_of(
    content: Mapping[str, Any],
    settings: SimulationSettings,
    where: ImageCircumstances,
) -> Study:
    if content.get("adversarial_share") == AUTO:
        raise InputError(
            f"adversarial_share must be a number in a study on images, got {AUTO!r}: it is chosen "
            "for tables alone; leave it out for no rounds.",
            argument="adversarial_share",
        )
    if not settings.model_fields_set:
        from server.kinds import check_kind  # brings torch

        study = parse_study(dict(content))
        check_kind(study, where.schema)
        return study
    from simulations.images.settings import make_image_study  # brings torch

    return make_image_study(content, images_per_site=where.units_per_site, seed=settings.seed)


def find_schema(
    settings: SimulationSettings, given: Path | None, demo: str | None
) -> AnySchema | None:
    """Return the schema that was asked for, that of the study's own data, or of a demonstration."""
    path = given or settings.schema_file
    if path is not None:
        return load_any_schema(path)
    if demo not in IMAGE_DEMO_NUMBERS:
        return None if demo is None else load_demo_schema(demo)
    from simulations.images.demos import IMAGE_SCHEMAS  # brings torch, which a plan can do without

    return IMAGE_SCHEMAS[demo]


def _demo_of(settings: SimulationSettings) -> str | None:
    return (settings.demo or DEFAULT_DEMO) if settings.data is None else None


def _parse_rows(text: str | None) -> tuple[int, ...]:
    """Return the numbers of ``--rows``, such as ``5000`` or ``400,160,22``."""
    if text is None:
        return ()
    parts = [part.strip().replace("_", "") for part in text.split(",")]
    if not all(part.isascii() and part.isdigit() and int(part) > 0 for part in parts):
        raise InputError(
            "rows must be a whole number above 0 for all sites, or one for each with commas "
            f"between them, got {text!r}; declare an order of magnitude, such as 5000 or "
            "400,160,22.",
            argument="rows",
        )
    return tuple(int(part) for part in parts)


def _count_sites(
    settings: SimulationSettings,
    study: Study,
    asked: int | None,
    declared: tuple[int, ...],
    *,
    schema: AnySchema | None,
) -> int:
    """Return how many sites there are; as few as the study needs where nobody says."""
    if asked is not None and asked < 2:
        raise InputError(
            f"sites must be at least 2, got {asked}; a study pools several sites.",
            argument="sites",
        )
    if len(declared) > 1:
        stated = _stated_sites(settings) if asked is None else asked
        if stated not in (None, len(declared)):
            raise InputError(
                f"rows must be one number or one for each of the {stated} sites, got "
                f"{len(declared)}; correct rows, or the number of sites.",
                argument="rows",
            )
        return len(declared)
    if asked is not None:
        return asked
    told = count_sites(settings, schema) if settings.model_fields_set else None
    return study.minimum_sites if told is None else told


def _stated_sites(settings: SimulationSettings) -> int | None:
    """Return how many sites the study file says there are, or None if it does not say."""
    spec = parse_partition(settings.partition)
    if spec.kind is PartitionKind.COLUMN:
        return None  # the table says
    return len(spec.sizes) or (settings.sites if "sites" in settings.model_fields_set else None)
