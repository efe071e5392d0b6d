"""A whole federation on one machine: the real ClientApp and ServerApp, and a release at the end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from client.app import SITES_DIR
from client.app import app as client_app
from privacy import SigningKey
from server.app import Coordinator, make_server_app
from server.attestation import Attestation, SiteEvents
from server.attestation.canaries import CanaryStatement
from server.canaries import state_canaries
from server.outcome import StudyOutcome
from server.publication import Publication
from server.publishing import publish
from server.release import check_output
from server.report import Attacks, Phase, Report
from server.report.attack_words import ATTACKS_PHASE
from server.study import Study
from simulations.attacks import attack_release
from simulations.backends import SimulationRun, run_local
from simulations.evaluate import evaluate
from simulations.events import Events, OnEvent
from simulations.reporting import Assessment, find_events, make_report, name_nodes
from simulations.settings import Backend, SimulationSettings, make_study, plan_of
from simulations.site_files import SITES_FOLDER, SiteFile, read_site_files, write_site_files
from simulations.sites import AnySites, SimulatedSites, check_study, make_sites, write_sites
from synthesis.layout import SketchLayout
from synthesis.sampling import sample_table

COORDINATOR = "simulation"


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
    _seed: int = field(repr=False)
    _events: Sequence[SiteEvents] = field(repr=False)
    _sites: SimulatedSites = field(repr=False)
    _site_files: Mapping[Path, SiteFile] = field(repr=False)
    _canaries: CanaryStatement | None = field(repr=False)
    _key: SigningKey = field(default_factory=SigningKey.generate, repr=False)

    def sample(self, num_rows: int, *, where: Sequence[str] = (), seed: int = 0) -> pd.DataFrame:
        """Draw more synthetic rows; free of further cost.

        Raises:
            InputError: if ``num_rows`` or a condition is not possible.
        """
        return sample_table(
            self.outcome.table_generator, self._sites.schema, num_rows, seed=seed, where=where
        )

    def save(self, folder: str | Path) -> Path:
        """Write the release folder as one whole, signed, and return its path.

        The key was made for this run and is kept nowhere, so nobody signs with it again.

        Raises:
            InputError: if the folder exists and is not empty.
        """
        target = Path(folder)
        publish(
            target,
            self._attest(),
            records=self.synthetic,
            generator=self.outcome.generator,
            schema=self._sites.schema,
            report=self.report,
            canaries=self._canaries,
            put_beside=partial(write_site_files, self._site_files),
        )
        return target

    def _attest(self) -> Attestation:
        return Attestation(
            key=self._key,
            coordinator=COORDINATOR,
            study=self.study,
            schema_digest=self._sites.schema.digest(),
            seed=self._seed,
            sites=self._events,
        )


def run_simulation(
    content: Mapping[str, Any],
    settings: SimulationSettings,
    *,
    out: Path | None = None,
    command: str | None = None,
    on_event: OnEvent | None = None,
    publication: Publication | None = None,
) -> SimulationResult:
    """Check everything, run the study, score the release and, if asked, save it.

    Args:
        content: the study's settings as plain values.
        settings: where rows come from and how sites are made.
        out: folder for the release, new or empty; nothing is kept when left out.
        command: what a reader would run to get the same release.
        on_event: called with small dicts of plain values as the work goes on.
        publication: licence and creator, where they are known.

    Raises:
        InputError: for anything wrong with settings or data; nothing is written or spent.
        StudyFailed: if the study cannot go on.
    """
    if out is not None:
        check_output(out)
    study, sites = _prepare(content, settings)
    with tempfile.TemporaryDirectory(prefix="fedsynth-") as folder:
        home = Path(folder) / SITES_FOLDER
        _found(sites, study, settings, home)
        events = Events(on_event, study=study, names=sites.names, home=home)
        unnamed, run = run_study(study, sites, settings, home, events)
        outcome = unnamed.with_names(nodes := name_nodes(sites, run.partitions))
        synthetic, assessment = _assess(outcome, study, sites, settings, home, events)
        canaries = state_canaries(study, sites.schema, outcome, nodes)
        report = make_report(
            study,
            sites,
            outcome,
            run,
            assessment,
            home=home,
            num_rows=len(synthetic),
            command=command,
            canaries=canaries,
        )
        result = SimulationResult(
            study=study,
            outcome=outcome,
            synthetic=synthetic,
            report=(publication or Publication()).write_into(report),
            _seed=settings.seed,
            _events=find_events(home, study.name, len(sites.names), SITES_FOLDER),
            _sites=sites,
            _site_files=read_site_files(home),
            _canaries=canaries,
        )
    if out is not None:
        result.save(out)
    return result


def _prepare(
    content: Mapping[str, Any], settings: SimulationSettings
) -> tuple[Study, SimulatedSites]:
    """Make the sites and the study, and let nothing pass that would fail later."""
    sites = make_sites(settings)
    settings.load_target(sites.schema)
    content = {**content, **settings.ask_for_most(content, len(sites.tables))}
    num_sites = len(sites.tables)
    study = make_study(
        content,
        units_per_site=settings.count_trained(sites.num_units, content) // num_sites,
        num_sites=num_sites,
        layout=SketchLayout.from_schema(sites.schema),
        name=f"simulation-{settings.seed}",
        seed=settings.seed,
    )
    check_study(study, sites)
    for epsilon in settings.site_epsilons or (study.epsilon,):
        plan_of(study, epsilon)
    return study, sites


def _found(sites: SimulatedSites, study: Study, settings: SimulationSettings, home: Path) -> None:
    write_sites(
        sites,
        study,
        home,
        holdout=settings.holdout_for(study),
        seed=settings.seed,
        canaries=settings.canaries,
        site_epsilons=settings.site_epsilons,
    )


def run_study(
    study: Study, sites: AnySites, settings: SimulationSettings, home: Path, events: Events
) -> tuple[StudyOutcome, SimulationRun]:
    """Run the study at sites that were founded, and return what came of it and how.

    Args:
        study: the study's settings.
        sites: the rows, which the sites' folders hold too.
        settings: where the sites run, and the public target, if there is one.
        home: folder of the sites' folders.
        events: told what happens.

    Raises:
        StudyFailed: if the study cannot go on.
    """
    num_sites, target = len(sites.tables), settings.load_target(sites.schema)
    coordinator = Coordinator(
        study, sites.schema, num_sites=num_sites, on_event=events, target=target
    )
    server_app, run_config = make_server_app(coordinator), {SITES_DIR: str(home)}
    events({"event": "study-started", "sites": list(sites.names), "rounds": study.rounds})
    if settings.backend is Backend.RAY:
        from simulations.ray_backend import run_ray  # Ray is an optional extra

        run = run_ray(server_app, client_app, num_sites, run_config=run_config)
    else:
        run = run_local(
            server_app,
            client_app,
            num_sites,
            run_config=run_config,
            on_delivery=events.deliver,
        )
    if coordinator.outcome is None:
        raise RuntimeError("the backend ended without an outcome and without an error.")
    return coordinator.outcome, run


def _assess(
    outcome: StudyOutcome,
    study: Study,
    sites: SimulatedSites,
    settings: SimulationSettings,
    home: Path,
    events: Events,
) -> tuple[pd.DataFrame, Assessment]:
    """Sample the release, score it and, if asked, attack it."""
    name = "sample and score"
    started = time.monotonic()
    events({"event": "phase-started", "phase": name})
    num_rows = settings.rows or len(sites.train)
    synthetic = sample_table(outcome.table_generator, sites.schema, num_rows, seed=settings.seed)
    utility, pictures = evaluate(
        outcome,
        sites,
        synthetic,
        seed=settings.seed,
        on_step=lambda done, total: events(
            {"event": "score-progress", "done": done, "total": total}
        ),
    )
    seconds = time.monotonic() - started
    events({"event": "scored", "phase": name, "seconds": seconds})
    scoring = Phase(name=name, seconds=seconds)
    if not settings.attacks or sites.missing:
        return synthetic, Assessment(utility=utility, pictures=pictures, phases=(scoring,))
    attacks, attacking = _attack(outcome, study, sites, synthetic, settings, home, events)
    phases = (scoring, attacking)
    return synthetic, Assessment(utility=utility, pictures=pictures, phases=phases, attacks=attacks)


def _attack(
    outcome: StudyOutcome,
    study: Study,
    sites: SimulatedSites,
    synthetic: pd.DataFrame,
    settings: SimulationSettings,
    home: Path,
    events: Events,
) -> tuple[Attacks | None, Phase]:
    """Try what the release gives away of real rows."""
    started = time.monotonic()
    events({"event": "phase-started", "phase": ATTACKS_PHASE})
    attacks = attack_release(
        outcome,
        study,
        sites,
        synthetic,
        partition=settings.partition,
        home=home,
        seed=settings.seed,
        on_step=lambda done, total: events(
            {"event": "attack-progress", "done": done, "total": total}
        ),
    )
    seconds = time.monotonic() - started
    events({"event": "attacked", "phase": ATTACKS_PHASE, "seconds": seconds})
    return attacks, Phase(name=ATTACKS_PHASE, seconds=seconds)
