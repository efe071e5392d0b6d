"""What our method is held against: each baseline spends the same budget at every site.

Where the schema protects persons, the rows of one weigh one together, as in every study.
"""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

import numpy as np
import pandas as pd

from privacy import SeededRandomness, gaussian_mechanism
from privacy.calibration import calibrate_gaussian
from simulations.benchmarks.tabular.setting import Made, Setting
from synthesis.architecture import GeneratorSettings
from synthesis.encoding import decode, read_units
from synthesis.fitting import FitSettings, fit_to_sketch
from synthesis.generator import Generator
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.sampling import sample_table
from synthesis.targets import make_targets
from synthesis.units import Units

BYTES_PER_COUNT = 4


def real_rows(setting: Setting) -> Made:
    """Return the training rows themselves: what no synthetic table can beat."""
    return Made(table=setting.sites.train, processor_s=0.0, sent_bytes=0)


def independent_columns(setting: Setting) -> Made:
    """Return columns drawn by themselves from the sum of every site's noisy counts."""
    began = process_time()
    schema, randomness = setting.sites.schema, SeededRandomness(setting.seed)
    noise = calibrate_gaussian(setting.budget)
    ends = np.cumsum(schema.sizes)
    pooled = np.zeros(int(ends[-1]))
    for name, units in zip(setting.sites.names, setting.read_units(), strict=True):
        weights = units.weights()
        counts = [
            np.bincount(codes, weights, minlength=size)
            for codes, size in zip(units.codes.T, schema.sizes, strict=True)
        ]
        pooled += gaussian_mechanism(
            np.concatenate(counts),
            sensitivity=len(schema.sizes) ** 0.5,
            noise_multiplier=noise,
            stream=randomness.stream("independent", name),
        )
    rng = randomness.numpy("independent")
    shares = [np.maximum(part, 0.0) + 1e-9 for part in np.split(pooled, ends[:-1])]
    num_rows = len(setting.sites.train)
    drawn = [rng.choice(len(share), num_rows, p=share / share.sum()) for share in shares]
    table = decode(schema, np.column_stack(drawn).astype(np.int16), rng)
    sent = BYTES_PER_COUNT * len(pooled) * len(setting.sites.tables)
    return Made(table=table, processor_s=process_time() - began, sent_bytes=sent)


def each_site_alone(setting: Setting) -> Made:
    """Return the rows of as many generators as there are sites, each fitted to one site's sketch.

    This is what sites can do without us: nothing but finished rows is put together.
    """
    began = process_time()
    parts = [
        _sketch_rows(setting, units, path=("alone", name))
        for name, units in zip(setting.sites.names, setting.read_units(), strict=True)
    ]
    table = pd.concat(parts, ignore_index=True)
    return Made(
        table=table,
        of_sites=dict(zip(setting.sites.names, parts, strict=True)),
        processor_s=process_time() - began,
        sent_bytes=0,
    )


def central(setting: Setting) -> Made:
    """Return rows of one generator fitted to the sketch of one site that holds all rows."""
    began = process_time()
    together = read_units(setting.sites.schema, setting.sites.tables)
    table = _sketch_rows(setting, together, path=("central",))
    return Made(table=table, processor_s=process_time() - began, sent_bytes=0)


def _sketch_rows(setting: Setting, units: Units, *, path: tuple[str, ...]) -> pd.DataFrame:
    """Return as many rows as these units have, from their sketch."""
    schema, randomness = setting.sites.schema, SeededRandomness(setting.seed)
    layout = SketchLayout.from_schema(schema)
    noise = calibrate_gaussian(setting.budget)
    sketch = gaussian_mechanism(
        compute_sketch(layout, units.codes, units.weights()),
        sensitivity=layout.sensitivity,
        noise_multiplier=noise,
        stream=randomness.stream(*path, 0),
    )
    targets = make_targets(layout, sketch, noise * layout.sensitivity)
    generator = Generator(GeneratorSettings.for_schema(schema), rng=randomness.torch(*path))
    steps = FitSettings(steps=setting.make_study().fit_steps)
    fitted = fit_to_sketch(generator, targets, steps, rng=randomness.numpy(*path))
    return sample_table(fitted, schema, len(units.codes), seed=setting.seed)


BASELINES: dict[str, Callable[[Setting], Made]] = {
    "real rows": real_rows,
    "independent columns": independent_columns,
    "each site alone": each_site_alone,
    "central sketch": central,
}
