"""What a unit of a study's work takes on this machine, from two schemas of different width."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from time import process_time

import numpy as np
import torch
from flwr.app import ArrayRecord

from privacy import PrivateTrainer, SampledGaussianEvent, SeededRandomness, gaussian_mechanism
from server.planning import Circumstances, UnitCosts
from server.planning.cost import fit_work
from synthesis.architecture import GeneratorSettings
from synthesis.discriminator import Discriminator, make_discriminator_optimizer
from synthesis.fitting import SketchLoss
from synthesis.generator import Generator
from synthesis.layout import compute_sketch
from synthesis.rows import to_one_hot
from synthesis.schema import Schema
from synthesis.targets import make_targets, perturb

ROWS = 20_000
BATCH = 500
NOISE_STD = 50.0
ENVELOPE_BYTES = 1500.0
"""A message of a study beside its arrays: settings, names and a receipt."""
_START = """
import resource
import client.app
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def measure_unit_costs(narrow: Schema, wide: Schema, *, repeats: int = 5) -> UnitCosts:
    """Measure processor time, sizes and memory; nothing of it is exact but the sizes.

    Args:
        narrow: a schema of few codes.
        wide: a schema of many.
        repeats: how often a step is run; the median counts.
    """
    two = [Circumstances(schema=each, units=(ROWS,), basis="made up") for each in (narrow, wide)]
    widths = [float(sum(each.layout.sizes)) for each in two]
    generators = [_generator(each.schema) for each in two]
    beside = [
        ArrayRecord(each.state_dict()).count_bytes() - 4 * each.settings.num_weights
        for each in generators
    ]
    weights = [float(sum(p.numel() for p in _discriminator(int(w)).parameters())) for w in widths]
    start_s, start_bytes = _measure_start()
    record_s, noise_s = _measure_sketch(two[1], repeats)
    fits = [_measure_fit(each, g, repeats) for each, g in zip(two, generators, strict=True)]
    privates = [_measure_private(int(width), repeats) for width in widths]
    weights_at_least, weights_each = _line(widths, weights)
    fit_at_least, fit_each = _line([fit_work(each) for each in two], fits)
    private_at_least, private_each = _line([2 * BATCH * width for width in widths], privates)
    return UnitCosts(
        envelope_bytes=ENVELOPE_BYTES,
        generator_bytes=float(max(beside)),
        discriminator_weights=weights_at_least,
        discriminator_weights_per_code=weights_each,
        start_s=start_s,
        start_bytes=start_bytes,
        record_s=record_s,
        noise_s=noise_s,
        fit_s=fit_each,
        fit_s_at_least=fit_at_least,
        private_s=private_each,
        private_s_at_least=private_at_least,
    )


def _line(at: list[float], values: list[float]) -> tuple[float, float]:
    """Return start, at least 0, and slope of the line through two points."""
    slope = (values[1] - values[0]) / (at[1] - at[0])
    return max(0.0, values[0] - slope * at[0]), slope


def _median_seconds(work: Callable[[], object], repeats: int) -> float:
    taken = []
    for _ in range(repeats):
        began = process_time()
        work()
        taken.append(process_time() - began)
    return float(np.median(taken))


def _generator(schema: Schema) -> Generator:
    return Generator(GeneratorSettings.for_schema(schema), rng=torch.Generator())


def _discriminator(width: int) -> Discriminator:
    return Discriminator(width, rng=torch.Generator())


def _measure_start() -> tuple[float, float]:
    """Return processor time and memory of a program that is ready to be a site."""
    words = [sys.executable, "-c", _START]
    seconds, kilobytes = subprocess.run(
        words, check=True, capture_output=True, text=True
    ).stdout.split()
    return float(seconds), 1024 * float(kilobytes)


def _codes(schema: Schema) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    rng = np.random.default_rng(0)
    columns = [rng.integers(0, size, ROWS) for size in schema.sizes]
    return np.column_stack(columns).astype(np.int16)


def _measure_sketch(where: Circumstances, repeats: int) -> tuple[float, float]:
    """Return the time to count a record in a block, and to add noise to a count."""
    layout, codes = where.layout, _codes(where.schema)
    stream = SeededRandomness(0).stream("unit-costs")
    counting = _median_seconds(lambda: compute_sketch(layout, codes), repeats)
    noising = _median_seconds(
        lambda: gaussian_mechanism(
            np.zeros(layout.dimension), sensitivity=1.0, noise_multiplier=NOISE_STD, stream=stream
        ),
        repeats,
    )
    return counting / (ROWS * len(layout.blocks)), noising / layout.dimension


def _measure_fit(where: Circumstances, generator: Generator, repeats: int) -> float:
    sketch = compute_sketch(where.layout, _codes(where.schema))
    targets = make_targets(where.layout, sketch, NOISE_STD)
    members = perturb(targets, generator.settings.num_members, np.random.default_rng(0))
    loss = SketchLoss(*members)
    optimizer = torch.optim.Adam(generator.parameters())

    def step() -> None:
        optimizer.zero_grad()
        loss.penalised(generator.mixture()).backward()
        optimizer.step()

    step()
    return _median_seconds(step, repeats)


def _measure_private(width: int, repeats: int) -> float:
    """Return the time of a discriminator step with as many real rows as fakes."""
    sizes, codes = (width,), np.zeros((1, 1), dtype=np.int16)
    trainer = PrivateTrainer(
        SampledGaussianEvent(
            noise_multiplier=1.0, sample_rate=1.0, steps=repeats + 1, purpose="training"
        ),
        _discriminator(width),
        make_discriminator_optimizer,
        width=width,
        max_grad_norm=1.0,
        expected_batch_size=BATCH,
        fake_batch_size=BATCH,
        randomness=SeededRandomness(0),
        path=("unit-costs",),
        simulation=True,
    )

    def rows(number: int) -> torch.Tensor:
        return to_one_hot(np.repeat(codes, number, axis=0), sizes)

    def step() -> None:
        trainer.train(BATCH, lambda chosen: rows(len(chosen)), rows, steps=1)

    step()
    return _median_seconds(step, repeats)
