"""One study with a bad site in it, and what its table is worth."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from client.app import SITES_DIR
from client.app import app as honest_app
from server.app import Coordinator, make_server_app
from server.checkpoint import Checkpoint, Tensors
from server.outcome import StudyOutcome
from server.study import Study
from simulations.backends import run_local
from simulations.benchmarks.robustness.attacks import ATTACKS, make_bad_app
from simulations.settings import SimulationSettings
from simulations.sites import SimulatedSites, make_sites, write_sites
from strategies.rules import usual_settings
from synthesis.layout import SketchLayout
from synthesis.quality import marginal_distance
from synthesis.quality.prediction import train_and_test
from synthesis.sampling import sample_table

NONE = "none"
LEFT_OUT = "left out"
SETTINGS: Mapping[str, Any] = {
    "epsilon": 10.0,
    "rounds": 3,
    "generator_steps": 16,
    "fit_steps": 600,
}


@dataclass(frozen=True, kw_only=True)
class Line:
    """What came of one study.

    Attributes:
        attack: what the bad site did; ``none`` if nothing, ``left out`` if it took no part.
        strategy: of the study.
        seed: of everything that is drawn.
        boosting_auc: gradient boosting trained on the synthetic table, tested on real rows.
        two_way: mean total variation distance of pairs of columns from the real training rows.
        named: numbers, from 1, of the sites that are said to differ; None where nobody compared.
        rounds: that counted.
        processor_s: of the whole study, without the fit where an earlier one had made it.
    """

    attack: str
    strategy: str
    seed: int
    boosting_auc: float | None
    two_way: float
    named: tuple[int, ...] | None
    rounds: int
    processor_s: float


class _KeptFit(Checkpoint):
    """Remembers the fit of an earlier study with the very same sketches, and nothing else."""

    def __init__(self) -> None:
        super().__init__()
        self._fit: tuple[Tensors, float] | None = None

    def keep_fit(self, weights: Tensors, seconds: float) -> None:
        """Remember it."""
        self._fit = ({name: np.array(w) for name, w in weights.items()}, seconds)

    def find_fit(self) -> tuple[Tensors, float] | None:
        """Return what is remembered."""
        return self._fit


@dataclass(frozen=True, kw_only=True, eq=False)
class Bench:
    """The rows of a benchmark at their sites; the last site is the bad one.

    Attributes:
        sites: all of them.
        seed: of everything that is drawn.
        settings: of the study, over the usual ones.
    """

    sites: SimulatedSites
    seed: int
    settings: Mapping[str, Any] = field(default_factory=lambda: dict(SETTINGS))
    _fits: dict[tuple[str, str], _KeptFit] = field(default_factory=dict)

    @classmethod
    def of_census(cls, *, seed: int, sites: int = 8) -> Bench:
        """Deal the shipped census table to sites."""
        return cls(sites=make_sites(SimulationSettings(sites=sites, seed=seed)), seed=seed)

    def run(self, attack: str, strategy: str) -> Line:
        """Run one study and score its table against all real rows, those of the bad site included.

        Args:
            attack: one of ``ATTACKS``, ``none`` or ``left out``.
            strategy: name of a rule; robust ones are to stand one bad site.
        """
        sites = self._without_last() if attack == LEFT_OUT else self.sites
        began = process_time()
        outcome = self._run_study(sites, attack, self._make_study(strategy, len(sites.names)))
        seconds = process_time() - began
        schema, train = self.sites.schema, self.sites.train
        table = sample_table(outcome.table_generator, schema, len(train), seed=self.seed)
        differing = outcome.differing
        return Line(
            attack=attack,
            strategy=strategy,
            seed=self.seed,
            boosting_auc=train_and_test(schema, table, self.sites.test, "boosting").auc,
            two_way=marginal_distance(schema, table, train, 2),
            named=None
            if differing is None
            else tuple(outcome.nodes.index(n) + 1 for n in differing),
            rounds=sum(record.changed for record in outcome.rounds),
            processor_s=seconds,
        )

    def _make_study(self, strategy: str, num_sites: int) -> Study:
        bad = 1 if "bad_sites" in usual_settings(strategy) else 0
        given = {
            "name": "robustness",
            "seed": self.seed,
            "nominal_rows": self.sites.num_units // len(self.sites.names),
            "minimum_sites": num_sites,
            "strategy": strategy,
            "bad_sites": bad,
        }
        return Study.model_validate(given | dict(self.settings))

    def _run_study(self, sites: SimulatedSites, attack: str, study: Study) -> StudyOutcome:
        layout, last = SketchLayout.from_schema(sites.schema), len(sites.names) - 1
        is_bad = attack in ATTACKS
        app = make_bad_app(attack, layout, last) if is_bad else honest_app
        # Attacks on weights alone leave the sketches, and so the fit, what they are without any.
        spoils_sketch = is_bad and ATTACKS[attack][0] is not None
        of_sketch = attack if spoils_sketch or attack == LEFT_OUT else NONE
        kept = self._fits.setdefault((study.strategy, of_sketch), _KeptFit())
        with tempfile.TemporaryDirectory(prefix="fedsynth-") as folder:
            write_sites(sites, study, Path(folder), holdout=0.0, seed=self.seed)
            coordinator = Coordinator(
                study, sites.schema, num_sites=len(sites.names), checkpoint=kept
            )
            server, config = make_server_app(coordinator), {SITES_DIR: folder}
            run_local(server, app, len(sites.names), run_config=config)
        assert coordinator.outcome is not None  # else it has raised
        return coordinator.outcome

    def _without_last(self) -> SimulatedSites:
        sites = self.sites
        return replace(sites, names=sites.names[:-1], tables=sites.tables[:-1])
