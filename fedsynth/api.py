"""The Python API: what the command line does, as functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fedsynth.sampling import sample, sample_batches, write_sample
from server.publication import load_publication
from simulations.images import ImageSimulationResult, is_of_images, run_image_simulation
from simulations.settings import SimulationSettings, read_settings
from simulations.simulate import SimulationResult, run_simulation

__all__ = [
    "ImageSimulationResult",
    "SimulationResult",
    "sample",
    "sample_batches",
    "simulate",
    "write_sample",
]


def simulate(
    study: str | Path | None = None,
    *,
    demo: str | None = None,
    data: str | Path | None = None,
    schema: str | Path | None = None,
    sites: int | None = None,
    partition: str | None = None,
    alpha: float | None = None,
    epsilon: float | None = None,
    delta: float | None = None,
    rounds: int | None = None,
    seed: int | None = None,
    rows: int | None = None,
    backend: str | None = None,
    site_epsilons: Sequence[float] | None = None,
    canaries: int | None = None,
    attacks: bool | None = None,
    target: str | Path | None = None,
    out: str | Path | None = None,
    on_event: Callable[[Mapping[str, object]], None] | None = None,
) -> SimulationResult | ImageSimulationResult:
    """Run a whole federation on this machine and return its synthetic data and report.

    What is left out comes from the study file, or else is the default: the Adult demo, 4 sites
    with equal random shares, epsilon 1, delta 1e-5, noise from seed 0.

    Args:
        study: study file (TOML).
        demo: name of a data set that comes with fedsynth.
        data: a table instead of the demo, CSV or Parquet, or images as ``docs/images.md`` says;
            needs ``schema``.
        schema: the schema of the table or of the images (TOML).
        sites: number of sites, >= 2.
        partition: ``"iid"``, ``"dirichlet"`` (labels in other shares at each site),
            ``"dirichlet:NAME"`` (the values of a column) or ``"column:NAME"``;
            ``"sizes:7,2,1"`` makes three sites, and the largest has seven tenths of the rows.
        alpha: Dirichlet concentration, > 0.
        epsilon: what each site may spend, > 0.
        delta: failure probability, above 1e-10 and below 1 / rows.
        rounds: adversarial rounds; 0 is the sketch alone. When left out, 5 if they are likely to
            bring what they take from the sketch (``server.planning.split``), else none.
        seed: makes the simulation repeatable.
        rows: synthetic rows; as many as training rows when left out.
        backend: ``"local"`` or ``"ray"``.
        site_epsilons: what each site may spend, in the order of the sites, where they differ.
        canaries: made-up units that each site plants for an audit; 0, or in [50, 2000].
        attacks: whether to try what the published rows give away of real ones; true when left out.
        target: public shares that the report holds the table and its sites to (TOML), as
            ``docs/mixing.md`` says.
        out: new or empty folder for the release.
        on_event: called with small dicts of plain values as the study goes on.

    Returns:
        What came of it: of images an ``ImageSimulationResult``, whose ``synthetic`` are codes and
        whose ``sample`` gives a table with the columns ``image`` and ``class``.

    Raises:
        InputError: if a setting or the data cannot be used; nothing is written or spent.
        StudyFailed: if the study cannot go on.
    """
    content, settings = resolve(
        study,
        {"epsilon": epsilon, "delta": delta, "rounds": rounds},
        {
            "demo": demo,
            "data": data,
            "schema": schema,
            "sites": sites,
            "partition": partition,
            "alpha": alpha,
            "seed": seed,
            "rows": rows,
            "backend": backend,
            "site_epsilons": site_epsilons,
            "canaries": canaries,
            "attacks": attacks,
            "target": target,
        },
    )
    run = run_image_simulation if is_of_images(settings) else run_simulation
    return run(
        content,
        settings,
        out=None if out is None else Path(out),
        on_event=on_event,
        publication=load_publication(study),
    )


def resolve(
    study: str | Path | None, changes: Mapping[str, Any], simulation: Mapping[str, Any]
) -> tuple[dict[str, Any], SimulationSettings]:
    """Put what was given over what the study file says; ``rounds=0`` names the sketch alone."""
    given = {name: value for name, value in changes.items() if value is not None}
    if given.get("rounds") == 0:
        given["adversarial_share"] = 0.0
    return read_settings(
        None if study is None else Path(study),
        study=given,
        simulation={name: value for name, value in simulation.items() if value is not None},
    )
