"""A generator and a discriminator that remember their training rows, to prove attacks on them.

They are made without any privacy from a few hundred rows. What attacks say of a release is only
worth reading if they win here.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from synthesis.architecture import GeneratorSettings
from synthesis.discriminator import Discriminator
from synthesis.generator import Generator
from synthesis.rows import to_one_hot
from synthesis.schema import Schema
from synthesis.units import Codes

ROWS = 300
"""Most rows that are remembered."""
_GENERATOR_STEPS = 100
_DISCRIMINATOR_STEPS = 60


def make_overfitted_generator(schema: Schema, rows: Codes, rng: torch.Generator) -> Generator:
    """Return our own generator, fitted to give each row from a latent code of its own.

    Args:
        schema: of the rows.
        rows: what is remembered.
        rng: draws initial weights and latent codes.

    Reference: Bojanowski et al. 2018, generative latent optimisation, without any regularisation.
    """
    settings = GeneratorSettings.for_schema(schema, num_members=1, num_anchors=len(rows))
    generator = Generator(settings, rng=rng)
    optimizer = torch.optim.Adam(generator.parameters(), lr=1e-2)
    codes = torch.from_numpy(rows.astype(np.int64))
    parts, label = torch.arange(len(rows)), codes[:, schema.label_index]
    for _ in range(_GENERATOR_STEPS):
        optimizer.zero_grad()
        loss = torch.zeros(())
        for index, column in enumerate(generator.mixture().columns):
            own = column[label, parts] if column.ndim == 3 else column
            loss = loss - own[parts, codes[:, index]].clamp_min(1e-12).log().mean()
        loss.backward()
        optimizer.step()
    return generator


def make_overfitted_discriminator(
    schema: Schema, rows: Codes, rng: np.random.Generator, weights: torch.Generator
) -> Discriminator:
    """Return the discriminator that sites train, fitted for too long to tell rows from mixed ones.

    The fakes are the same cells in other rows. From worse fakes it could tell rows without
    remembering any.

    Args:
        schema: of the rows.
        rows: what is remembered.
        rng: mixes the cells.
        weights: draws initial weights.
    """
    discriminator = Discriminator(sum(schema.sizes), rng=weights)
    fakes = rng.permuted(rows, axis=0)
    optimizer = torch.optim.Adam(discriminator.parameters(), lr=1e-2)
    real, fake = (to_one_hot(each, schema.sizes) for each in (rows, fakes))
    for _ in range(_DISCRIMINATOR_STEPS):
        optimizer.zero_grad()
        loss = functional.softplus(-discriminator(real)).mean()
        loss = loss + functional.softplus(discriminator(fake)).mean()
        loss.backward()
        optimizer.step()
    return discriminator
