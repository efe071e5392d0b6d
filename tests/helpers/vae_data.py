"""A small table, small images and autoencoders of them, with weights that are nowhere zero."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema
from synthesis.kinds.vae import AnyVae, VaeKind
from synthesis.schema import Schema, parse_schema
from synthesis.units import Codes

IMAGES = ImageSchema(name="small", height=8, width=8, classes=("a", "b"))
TABLE: Schema = parse_schema(
    {
        "name": "small",
        "label": "ill",
        "columns": [
            {"name": "ill", "kind": "categorical", "categories": ["no", "yes"]},
            {"name": "place", "kind": "categorical", "categories": ["a", "b", "c"]},
            {"name": "age", "kind": "integer", "minimum": 0, "maximum": 99},
        ],
    }
)


def draw_codes(schema: AnySchema, number: int, seed: int = 0) -> Codes:
    rng = np.random.default_rng(seed)
    if isinstance(schema, ImageSchema):
        sizes = [256] * schema.num_pixels + [schema.num_classes]
    else:
        sizes = list(schema.sizes)
    return rng.integers(0, sizes, (number, len(sizes))).astype(np.int16)


def make_vae(schema: AnySchema, seed: int = 0) -> AnyVae:
    rng = torch.Generator().manual_seed(seed)
    vae = VaeKind(schema).make(rng)
    with torch.no_grad():
        for weight in vae.parameters():
            weight.add_(0.05 * torch.randn(weight.shape, generator=rng))
    return vae


def make_bound(schema: AnySchema, seed: int = 0) -> tuple[VaeKind, nn.Module]:
    kind = VaeKind(schema)
    return kind, kind.bound(make_vae(schema, seed))


def sharp_generator(schema: ImageSchema = IMAGES, seed: int = 0) -> ImageGenerator:
    """A generator as a sketch gives it: few directions, of which the first says most."""
    rng = torch.Generator().manual_seed(seed)
    generator = ImageGenerator(ImageGeneratorSettings.for_schema(schema), rng=rng)
    with torch.no_grad():
        size = generator.means.shape[1]
        generator.means.copy_(0.05 * torch.randn(generator.means.shape, generator=rng))
        generator.means[:, 0] = 0.3
        basis = torch.linalg.qr(torch.randn(size, size, generator=rng))[0]
        sizes = 0.2 / (1.0 + torch.arange(generator.factors.shape[1]))
        generator.factors.copy_((sizes[:, None] * basis[: len(sizes)]).expand_as(generator.factors))
    return generator


__all__ = [
    "IMAGES",
    "TABLE",
    "draw_codes",
    "make_bound",
    "make_vae",
    "sharp_generator",
]
