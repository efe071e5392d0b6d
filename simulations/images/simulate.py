"""A whole federation on images: the same ClientApp and ServerApp as for tables, and a release."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from privacy import SigningKey
from server.attestation import Attestation, SiteEvents
from server.outcome import StudyOutcome
from server.publication import Publication
from server.publishing import publish
from server.release import check_output
from server.report import Report
from server.study import Study
from simulations.events import Events, OnEvent
from simulations.images.assessing import assess_images
from simulations.images.settings import make_image_study
from simulations.images.sites import SimulatedImages, found_image_sites, make_image_sites
from simulations.reporting import find_events, make_report
from simulations.settings import SimulationSettings, plan_of
from simulations.simulate import COORDINATOR, run_study
from simulations.site_files import SITES_FOLDER, SiteFile, read_site_files, write_site_files
from simulations.sites import check_study
from synthesis import InputError
from synthesis.image_tables import parse_class, to_table
from synthesis.images.generator import ImageGenerator
from synthesis.images.sampling import sample_images
from synthesis.units import Codes


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

    def sample(self, num_rows: int, *, where: Sequence[str] = (), seed: int = 0) -> pd.DataFrame:
        """Draw more images, as a table with the columns ``image`` and ``class``; free.

        Args:
            num_rows: images to draw, >= 1.
            where: nothing, or ``class=NAME``.
            seed: the same seed gives the same images.

        Raises:
            InputError: if the number or the condition is not possible.
        """
        schema, generator = self._sites.schema, self.outcome.generator
        assert isinstance(generator, ImageGenerator)
        only = parse_class(where)
        return to_table(sample_images(generator, schema, num_rows, seed=seed, only=only), schema)

    def save(self, folder: str | Path) -> Path:
        """Write the release folder as one whole, signed, and return its path.

        Raises:
            InputError: if the folder exists and is not empty.
        """
        target = Path(folder)
        publish(
            target,
            Attestation(
                key=self._key,
                coordinator=COORDINATOR,
                study=self.study,
                schema_digest=self._sites.schema.digest(),
                seed=self._seed,
                sites=self._events,
            ),
            records=self.synthetic,
            generator=self.outcome.generator,
            schema=self._sites.schema,
            report=self.report,
            put_beside=partial(write_site_files, self._site_files),
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
        outcome, run = run_study(study, sites, settings, home, events)
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
    settings.load_target(sites.schema)
    given = {**content, **settings.ask_for_most(content, len(sites.tables))}
    per_site = sites.num_units // len(sites.tables)
    study = make_image_study(given, images_per_site=per_site, seed=settings.seed)
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
