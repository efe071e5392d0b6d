"""A table, a schema and generators so small that every model test runs in moments."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from synthesis import decode
from synthesis.architecture import ColumnForm, GeneratorSettings, SiteGroup
from synthesis.columns import PlainColumn
from synthesis.generator import Generator, Mixture
from synthesis.layout import SketchLayout
from synthesis.schema import Boolean, Categorical, Integer, Schema

SCHEMA = Schema(
    name="tiny",
    columns=(
        Integer(name="age", minimum=0, maximum=29),
        Categorical(name="colour", categories=("red", "green", "blue"), missing=True),
        Categorical(name="outcome", categories=("well", "ill")),
        Boolean(name="smokes", true="yes", false="no"),
    ),
    label="outcome",
)
MAX_GROUPS = 10  # so that age has groups and a block of its own


def make_layout(schema: Schema = SCHEMA, max_groups: int = MAX_GROUPS) -> SketchLayout:
    return SketchLayout.from_schema(schema, max_groups=max_groups)


def draw_codes(rows: int, seed: int = 0, schema: Schema = SCHEMA) -> np.ndarray:
    """Codes with structure: every column leans on the first."""
    rng = np.random.default_rng(seed)
    lead = rng.random(rows)
    columns = [
        np.minimum((lead + 0.5 * rng.random(rows)) / 1.5 * size, size - 1) for size in schema.sizes
    ]
    return np.stack(columns, axis=1).astype(np.int16)


def draw_table(rows: int, seed: int = 0) -> pd.DataFrame:
    return decode(SCHEMA, draw_codes(rows, seed), np.random.default_rng(seed))


def make_generator(
    source: Schema | tuple[int, ...] = SCHEMA,
    *,
    num_anchors: int = 32,
    num_members: int = 1,
    groups: Sequence[SiteGroup] = (),
    seed: int = 0,
) -> Generator:
    """A generator with peaked columns, so that independence would be noticed.

    For mere sizes every code has an output of its own, and the first column is the label. Groups of
    sites, of a schema only, differ in their bases.
    """
    numbers = {
        "num_members": num_members,
        "num_anchors": num_anchors,
        "latent_dim": 4,
        "hidden": 16,
    }
    if isinstance(source, Schema):
        settings = GeneratorSettings.for_schema(source, groups=groups, **numbers)
    else:
        forms = tuple(ColumnForm(size=size) for size in source)
        settings = GeneratorSettings(forms=forms, label_index=0, **numbers)
    generator = Generator(settings, rng=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        generator.network[-1].weight.mul_(12)
        if len(groups) > 1:
            generator.base.normal_(generator=torch.Generator().manual_seed(seed))
    return generator


def to_mixture(rows: torch.Tensor, sizes: tuple[int, ...], label_index: int) -> Mixture:
    """Rows (one-hot or not), each as a part of a mixture."""
    columns = [PlainColumn(probabilities=each) for each in rows.split(sizes, dim=1)]
    return Mixture(
        distributions=tuple(columns), label_index=label_index, weights=torch.ones(len(rows))
    )


def pair_shares(table: np.ndarray, a: int, b: int, sizes: tuple[int, ...]) -> np.ndarray:
    """Share of every combination of the codes of two columns."""
    counts = np.bincount(table[:, a].astype(int) * sizes[b] + table[:, b], minlength=0)
    padded = np.zeros(sizes[a] * sizes[b])
    padded[: len(counts)] = counts
    return padded.reshape(sizes[a], sizes[b]) / len(table)


CODES_2000 = draw_codes(2000)
