"""A whole federation on images: the same ClientApp and ServerApp as for tables, and a release."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from privacy import SigningKey
from server.attestation import Attestation, SiteEvents, sign_release
from server.image_release import write_image_release
from server.outcome import StudyOutcome
from server.publication import Publication
from server.release import check_output, staged_folder
from server.report import Report
from server.study import Study, parse_study
from simulations.events import Events, OnEvent
from simulations.images.assessing import assess_images
from simulations.images.sites import SimulatedImages, found_image_sites, make_image_sites
from simulations.reporting import find_events, make_report
from simulations.settings import SimulationSettings, plan_of
from simulations.simulate import COORDINATOR, SITES_FOLDER, run_study
from simulations.site_files import SiteFile, read_site_files
from simulations.sites import check_study
from synthesis import InputError
from synthesis.images.generator import ImageGenerator
from synthesis.images.sampling import sample_images
from synthesis.kinds import IMAGES, VAE
from synthesis.units import Codes

USUAL = {"model": IMAGES, "rounds": 0, "adversarial_share": 0.0}
"""Settings of a study on images where nothing else is asked for."""
USUAL_OF_VAE = {"model": VAE, "rounds": 4, "adversarial_share": 0.3, "max_grad_norm": 1000.0}
"""The same where an autoencoder is asked for; its losses are sums over pixels, hence the clip."""
USUAL_EXPECTED_BATCH = 600


@dataclass(frozen=True, kw_only=True, eq=False)
class ImageSimulationResult:
    """A finished simulation on images.

    Attributes:
        study: the study's settings.
        outcome: generators and cost, as the coordinator holds them.
        synthetic: the published images, as codes: pixels and then the class.
        report: everything ``report.json`` says.
    """

    study: Study
    outcome: StudyOutcome
    synthetic: Codes
    report: Report
    _seed: int = field(repr=False)
    _events: Sequence[SiteEvents] = field(repr=False)
    _sites: SimulatedImages = field(repr=False)
    _site_files: Mapping[Path, SiteFile] = field(repr=False)
    _key: SigningKey = field(default_factory=SigningKey.generate, repr=False)

    def save(self, folder: str | Path) -> Path:
        """Write the release folder as one whole, signed, and return its path.

        Raises:
            InputError: if the folder exists and is not empty.
        """
        target = Path(folder)
        assert isinstance(self.outcome.generator, ImageGenerator)
        with staged_folder(target) as staging:
            write_image_release(
                staging,
                codes=self.synthetic,
                generator=self.outcome.generator,
                schema=self._sites.schema,
                report=self.report,
            )
            for path, file in self._site_files.items():
                file.write(staging / SITES_FOLDER / path)
            sign_release(
                staging,
                self.report,
                Attestation(
                    key=self._key,
                    coordinator=COORDINATOR,
                    study=self.study,
                    schema_digest=self._sites.schema.digest(),
                    seed=self._seed,
                    sites=self._events,
                ),
            )
        return target


def run_image_simulation(
    content: Mapping[str, Any],
    settings: SimulationSettings,
    *,
    out: Path | None = None,
    command: str | None = None,
    on_event: OnEvent | None = None,
    publication: Publication | None = None,
) -> ImageSimulationResult:
    """Check everything, run the study, score the release and, if asked, save it.

    Args:
        content: the study's settings as plain values.
        settings: where images come from and how sites are made.
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
        epsilons = settings.site_epsilons or [study.epsilon] * len(sites.names)
        found_image_sites(sites, study, home, epsilons=epsilons, seed=settings.seed)
        events = Events(on_event, study=study, names=sites.names, home=home)
        outcome, run = run_study(study, sites, settings.backend, home, events)
        started = time.monotonic()
        events({"event": "phase-started", "phase": "sample and score"})
        assert isinstance(outcome.generator, ImageGenerator)
        num_images = settings.rows or len(sites.train)
        synthetic = sample_images(outcome.generator, sites.schema, num_images, seed=settings.seed)
        assessment = assess_images(outcome, sites, synthetic, seed=settings.seed, started=started)
        seconds = assessment.phases[0].seconds
        events({"event": "scored", "phase": "sample and score", "seconds": seconds})
        report = make_report(
            study,
            sites,
            outcome,
            run,
            assessment,
            home=home,
            num_rows=len(synthetic),
            command=command,
        )
        result = ImageSimulationResult(
            study=study,
            outcome=outcome,
            synthetic=synthetic,
            report=(publication or Publication()).write_into(report),
            _seed=settings.seed,
            _events=find_events(home, study.name, len(sites.names), SITES_FOLDER),
            _sites=sites,
            _site_files=read_site_files(home),
        )
    if out is not None:
        result.save(out)
    return result


def _prepare(
    content: Mapping[str, Any], settings: SimulationSettings
) -> tuple[Study, SimulatedImages]:
    """Make the sites and the study, and let nothing pass that would fail later."""
    _check_settings(settings)
    sites = make_image_sites(settings)
    given = {**content, **settings.ask_for_most(content, len(sites.tables))}
    per_site = sites.num_units // len(sites.tables)
    digits = 10 ** (len(str(max(1, per_site))) - 1)
    nominal = max(1, round(per_site / digits) * digits)
    declared = {
        "name": f"simulation-{settings.seed}",
        "nominal_rows": nominal,
        "sample_rate": min(1.0, USUAL_EXPECTED_BATCH / nominal),
        "seed": settings.seed,
    }
    if given.get("model") == VAE:
        usual = USUAL_OF_VAE
    else:
        usual = USUAL if not given.keys() & {"rounds", "adversarial_share"} else {"model": IMAGES}
    study = parse_study(declared | usual | given)
    check_study(study, sites)
    for epsilon in settings.site_epsilons or (study.epsilon,):
        plan_of(study, epsilon)
    return study, sites


def _check_settings(settings: SimulationSettings) -> None:
    """Refuse what was asked for and what only tables have, rather than leave it undone."""
    asked = {"canaries": settings.canaries, "holdout": settings.holdout}
    if "attacks" in settings.model_fields_set:
        asked["attacks"] = settings.attacks
    reasons = {
        "canaries": "they are rows of a table",
        "holdout": "it is for an evaluation, whose counts are of columns",
        "attacks": "they are on rows of a table, and the report counts copies of images anyway",
    }
    for name, value in asked.items():
        if value:
            raise InputError(
                f"{name} must be {'false' if value is True else 0} in a study on images, got "
                f"{str(value).lower()}: {reasons[name]}; leave {name} out.",
                argument=name,
            )
