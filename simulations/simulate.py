"""A whole federation on one machine: the real ClientApp and ServerApp, and a release at the end."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

from client.app import SITES_DIR
from client.app import app as client_app
from privacy import replay_ledger
from server.app import Coordinator, make_server_app
from server.outcome import StudyOutcome
from server.release import check_output, staged_folder, write_release
from server.report import (
    LOCAL_TRUST,
    NOT_PROMISED,
    Cost,
    Phase,
    Promise,
    Release,
    Report,
    Traffic,
    Version,
    build_round,
    build_site,
)
from server.report import Site as SiteReport
from server.study import Study
from simulations.backends import SimulationRun, run_local
from simulations.evaluate import evaluate
from simulations.settings import Backend, SimulationSettings, make_study
from simulations.sites import ROWS_FILE, SimulatedSites, check_study, make_sites, write_sites
from synthesis.sampling import sample_table

SITES_FOLDER = "sites"
Event = Mapping[str, object]
OnEvent = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True, eq=False)
class SimulationResult:
    """A finished simulation.

    Attributes:
        study: the study's settings.
        outcome: generators and cost, as the coordinator holds them.
        synthetic: the published table.
        report: everything ``report.json`` says.
    """

    study: Study
    outcome: StudyOutcome
    synthetic: pd.DataFrame
    report: Report
    _sites: SimulatedSites = field(repr=False)
    _folder: tempfile.TemporaryDirectory[str] = field(repr=False)

    def sample(self, num_rows: int, *, where: Sequence[str] = (), seed: int = 0) -> pd.DataFrame:
        """Draw more synthetic rows; free of further cost.

        Raises:
            InputError: if ``num_rows`` or a condition is not possible.
        """
        return sample_table(
            self.outcome.generator, self._sites.schema, num_rows, seed=seed, where=where
        )

    def save(self, folder: str | Path) -> Path:
        """Write the release folder as one whole and return its path.

        Raises:
            InputError: if the folder exists and is not empty.
        """
        target = Path(folder)
        with staged_folder(target) as staging:
            write_release(
                staging,
                table=self.synthetic,
                generator=self.outcome.generator,
                schema=self._sites.schema,
                report=self.report,
            )
            shutil.copytree(Path(self._folder.name) / SITES_FOLDER, staging / SITES_FOLDER)
        return target


def run_simulation(
    content: Mapping[str, Any],
    settings: SimulationSettings,
    *,
    out: Path | None = None,
    command: str | None = None,
    on_event: OnEvent | None = None,
) -> SimulationResult:
    """Check everything, run the study, score the release and, if asked, save it.

    Args:
        content: the study's settings as plain values.
        settings: where rows come from and how sites are made.
        out: folder for the release, new or empty; nothing is kept when left out.
        command: what a reader would run to get the same release.
        on_event: called with small dicts of plain values as the work goes on.

    Raises:
        InputError: for anything wrong with settings or data; nothing is written or spent.
        StudyFailed: if the study cannot go on.
    """
    if out is not None:
        check_output(out)
    emit = on_event or (lambda event: None)
    sites = make_sites(settings)
    study = make_study(
        dict(content),
        rows_per_site=len(sites.train) // len(sites.tables),
        name=f"simulation-{settings.seed}",
        seed=settings.seed,
    )
    check_study(study, sites)
    folder = tempfile.TemporaryDirectory(prefix="fedsynth-")
    home = Path(folder.name) / SITES_FOLDER
    write_sites(sites, study, home, seed=settings.seed)
    coordinator = Coordinator(study, sites.schema, num_sites=len(sites.tables), on_event=on_event)
    emit({"event": "study-started", "sites": list(sites.names), "rounds": study.rounds})
    run = _run_backend(coordinator, settings.backend, len(sites.tables), home)
    outcome = coordinator.outcome
    assert outcome is not None  # the backend raises when the coordinator fails
    _remove_rows(home)
    emit({"event": "phase-started", "phase": "sample and score"})
    started = time.monotonic()
    num_rows = settings.rows or len(sites.train)
    synthetic = sample_table(outcome.generator, sites.schema, num_rows, seed=settings.seed)
    utility, pictures = evaluate(outcome, sites, synthetic, seed=settings.seed)
    scoring = Phase(name="sample and score", seconds=time.monotonic() - started)
    report = _make_report(study, sites, outcome, home, command).model_copy(
        update={
            "utility": utility,
            "pictures": pictures,
            "release": _describe_release(sites, num_rows),
            "cost": _make_cost(outcome, sites, run, scoring),
        }
    )
    result = SimulationResult(
        study=study,
        outcome=outcome,
        synthetic=synthetic,
        report=report,
        _sites=sites,
        _folder=folder,
    )
    if out is not None:
        result.save(out)
    return result


def _run_backend(
    coordinator: Coordinator, backend: Backend, num_sites: int, home: Path
) -> SimulationRun:
    server_app = make_server_app(coordinator)
    run_config = {SITES_DIR: str(home)}
    if backend is Backend.RAY:
        from simulations.ray_backend import run_ray  # Ray is an optional extra

        return run_ray(server_app, client_app, num_sites, run_config=run_config)
    return run_local(server_app, client_app, num_sites, run_config=run_config)


def _remove_rows(home: Path) -> None:
    """Delete the copies of real rows; ledgers and configurations stay."""
    for site in home.iterdir():
        (site / ROWS_FILE).unlink()
        shutil.rmtree(site / "state", ignore_errors=True)


def _describe_release(sites: SimulatedSites, num_rows: int) -> Release:
    return Release(rows=num_rows, columns=sites.schema.names, label=sites.schema.label)


def _make_report(
    study: Study, sites: SimulatedSites, outcome: StudyOutcome, home: Path, command: str | None
) -> Report:
    """Return the report without what only a simulation can measure."""
    libraries = ("fedsynth", "flwr", "torch", "opacus", "dp-accounting", "numpy")
    return Report(
        private=True,
        title=f"Synthetic {sites.schema.name} from {len(sites.names)} sites",
        dataset=sites.schema.name,
        study=study.name,
        created=datetime.now(UTC),
        command=command,
        software=tuple(Version(name=name, version=version(name)) for name in libraries),
        release=_describe_release(sites, 0),
        promise=Promise(
            epsilon=study.epsilon,
            delta=study.delta,
            randomness="seeded",
            trust_model=LOCAL_TRUST,
            not_promised=NOT_PROMISED,
        ),
        sites=_replay_sites(home, study, len(sites.names)),
        limits=(
            "This is a simulation: all rows were on one machine and the noise came from a seed, so "
            "the folder shows how a study works and protects nobody.",
        ),
    )


def _replay_sites(home: Path, study: Study, num_sites: int) -> tuple[SiteReport, ...]:
    return tuple(
        build_site(
            replay_ledger(home / f"site-{number}" / "ledger.sqlite"),
            adversarial_share=study.adversarial_share,
        )
        for number in range(1, num_sites + 1)
    )


def _make_cost(
    outcome: StudyOutcome, sites: SimulatedSites, run: SimulationRun, scoring: Phase
) -> Cost:
    names = dict(zip(outcome.nodes, sites.names, strict=False))
    training = sum(record.seconds for record in outcome.rounds)
    phases = [Phase(name=phase.name, seconds=phase.seconds) for phase in outcome.phases]
    if outcome.rounds:
        phases.append(Phase(name="adversarial rounds", seconds=training))
    traffic = []
    for node, name in names.items():
        own = [delivery for delivery in run.deliveries if delivery.node_id == node]
        traffic.append(
            Traffic(
                site=name,
                bytes_down=sum(d.bytes_down for d in own) if own else None,
                bytes_up=sum(d.bytes_up for d in own) if own else None,
            )
        )
    return Cost(
        phases=(*phases, scoring),
        rounds=tuple(build_round(record, names) for record in outcome.rounds),
        traffic=tuple(traffic),
    )
