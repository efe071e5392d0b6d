"""Whole studies on shipped data, timed: overhead of a round, bytes on the wire, and Ray."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from client.training import train_round
from server.outcome import StudyOutcome
from server.study import Study
from simulations.demos import load_demo
from simulations.events import Events
from simulations.settings import Backend, SimulationSettings
from simulations.simulate import run_study
from simulations.sites import SimulatedSites, make_sites, write_sites
from strategies.wire_field import WireFormat
from synthesis.layout import SketchLayout


@dataclass(frozen=True, kw_only=True)
class Overhead:
    """What rounds take beside the training of their sites.

    Attributes:
        share: seconds of all rounds that no site trains in, over those in which one does.
        round_s: median wall time of a round.
        wire: bytes of a round, both ways, over two bytes for each weight that must travel; the
            largest of all rounds but the first, which also carries the pooled sketch.
        first_wire: the same of the first round, where the sketch counts as two bytes a number too.
    """

    share: float
    round_s: float
    wire: float
    first_wire: float


def measure_overhead(*, rounds: int = 5, wire_format: WireFormat = WireFormat.FLOAT16) -> Overhead:
    """Run the demonstration with its rounds, and time what its sites train.

    Args:
        rounds: of the study, with as many steps as usual.
        wire_format: how weights travel.
    """
    sites = make_sites(SimulationSettings())
    study = Study(
        name="overhead",
        epsilon=10.0,
        rounds=rounds,
        nominal_rows=sites.num_units // len(sites.tables),
        fit_steps=10,
        wire_format=wire_format.value,
    )
    with _train_timer() as seconds:
        outcome = _run(study, sites, Backend.LOCAL)
    total = sum(each.seconds for each in outcome.rounds)
    weights = outcome.table_generator.settings.num_weights
    numbers = 2 * weights * len(sites.tables)  # down and up
    bytes_of = [each.bytes_down + each.bytes_up for each in outcome.rounds]
    pooled = SketchLayout.from_schema(sites.schema).dimension * len(sites.tables)
    return Overhead(
        share=(total - sum(seconds)) / sum(seconds),
        round_s=float(np.median([each.seconds for each in outcome.rounds])),
        wire=max(bytes_of[1:]) / (2 * numbers),
        first_wire=bytes_of[0] / (2 * numbers + 2 * pooled),
    )


def measure_ray(*, num_sites: int = 16, rounds: int = 2) -> float:
    """Return how many times faster rounds are with Ray's processes than with one.

    Args:
        num_sites: sites that train at once as far as there are processors.
        rounds: of the study.
    """
    sites = make_sites(SimulationSettings(sites=num_sites))
    seconds = {}
    for backend in (Backend.LOCAL, Backend.RAY):
        study = Study(
            name=f"on-{backend.value}",
            epsilon=10.0,
            rounds=rounds,
            generator_steps=60,
            nominal_rows=sites.num_units // num_sites,
            fit_steps=10,
        )
        outcome = _run(study, sites, backend)
        seconds[backend] = sum(each.seconds for each in outcome.rounds)
    return seconds[Backend.LOCAL] / seconds[Backend.RAY]


def make_few_rows_each(num_sites: int, *, rows: int = 40) -> SimulatedSites:
    """Return sites of a few rows each, drawn from the demonstration with replacement."""
    demo = load_demo("adult")
    rng = np.random.default_rng(num_sites)
    drawn = [rng.integers(0, len(demo.train), rows) for _ in range(num_sites)]
    return SimulatedSites(
        schema=demo.schema,
        names=tuple(f"site-{number + 1}" for number in range(num_sites)),
        tables=tuple(demo.train.iloc[each].reset_index(drop=True) for each in drawn),
        held=(demo.test,),
    )


def run_small_study(sites: SimulatedSites) -> float:
    """Run a study of one short round, and return its processor seconds without the founding."""
    study = Study(
        name="growth",
        epsilon=10.0,
        rounds=1,
        discriminator_steps=2,
        generator_steps=2,
        nominal_rows=len(sites.tables[0]),
        fit_steps=2,
    )
    with _founded(study, sites) as (home, events):
        began = time.process_time()
        run_study(study, sites, SimulationSettings(), home, events)
        return time.process_time() - began


def _run(study: Study, sites: SimulatedSites, backend: Backend) -> StudyOutcome:
    with _founded(study, sites) as (home, events):
        return run_study(study, sites, SimulationSettings(backend=backend), home, events)[0]


@contextmanager
def _founded(study: Study, sites: SimulatedSites) -> Iterator[tuple[Path, Events]]:
    with tempfile.TemporaryDirectory(prefix="fedsynth-") as folder:
        home = Path(folder)
        write_sites(sites, study, home, holdout=0.0, seed=0)
        yield home, Events(None, study=study, names=sites.names, home=home)


@contextmanager
def _train_timer() -> Iterator[list[float]]:
    """Collect how long every site trains; nothing of it is anybody's but the benchmark's."""
    seconds: list[float] = []

    def timed(*words: Any, **named: Any) -> Any:
        began = time.perf_counter()
        result = train_round(*words, **named)
        seconds.append(time.perf_counter() - began)
        return result

    with mock.patch("client.app.train_round", timed):
        yield seconds
