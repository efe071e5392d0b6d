"""Time to fit a generator to the sum of sketches, by the number of rows and of sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from time import process_time

import numpy as np

from privacy import SeededRandomness
from simulations.demos import DEFAULT_DEMO, Demo, load_demo
from synthesis.architecture import GeneratorSettings
from synthesis.encoding import encode
from synthesis.fitting import FitSettings, fit_to_sketch
from synthesis.generator import Generator
from synthesis.layout import Counts, SketchLayout, compute_sketch
from synthesis.targets import make_targets

STEPS = 40
_NOISE_MULTIPLIER = 0.01  # so little that no fit ends before its last step


@dataclass(frozen=True, kw_only=True)
class FitFigures:
    """What one fit took.

    Attributes:
        rows: records of all sites together.
        sites: how many sketches were added up.
        steps: steps of the fit that were done.
        processor_seconds: of all of them, targets and start included.
    """

    rows: int
    sites: int
    steps: int
    processor_seconds: float


def measure_fits(
    cases: Sequence[tuple[int, int]], *, steps: int = STEPS, repeats: int = 3
) -> list[FitFigures]:
    """Return the least of some repeats for each pair of rows and sites; cases take turns."""
    demo = load_demo(DEFAULT_DEMO)
    layout = SketchLayout.from_schema(demo.schema)
    exact = compute_sketch(layout, encode(demo.schema, demo.train)) / len(demo.train)
    figures = [
        [_measure(demo, layout, exact, rows, sites, steps) for rows, sites in cases]
        for _ in range(repeats)
    ]
    return [min(each, key=lambda one: one.processor_seconds) for each in zip(*figures, strict=True)]


def _measure(
    demo: Demo, layout: SketchLayout, exact: Counts, rows: int, sites: int, steps: int
) -> FitFigures:
    rng = np.random.default_rng(0)
    noise_std = _NOISE_MULTIPLIER * layout.sensitivity * sites**0.5
    pooled = exact * rows + rng.normal(0, noise_std, layout.dimension)
    done = 0

    def count(*_: int) -> None:
        nonlocal done
        done += 1

    began = process_time()
    generator = Generator(
        GeneratorSettings.for_schema(demo.schema), rng=SeededRandomness(0).torch("generator")
    )
    targets = make_targets(layout, pooled, noise_std)
    fit_to_sketch(generator, targets, FitSettings(steps=steps), rng=rng, on_step=count)
    return FitFigures(
        rows=rows, sites=sites, steps=done, processor_seconds=round(process_time() - began, 2)
    )
