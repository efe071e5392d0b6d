"""What a site with images runs, with its noise off, as the sensitivity test wants it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from privacy import SeededRandomness
from privacy.audits.sensitivity import Draw
from simulations.audits.mechanisms import Mechanism, make_discriminator_step, spoil_a_row
from synthesis.images.schema import ImageSchema
from synthesis.kinds.images import ImageKind
from synthesis.units import Codes, Units

__all__ = ["draw_images", "make_image_sketch", "make_image_step"]

_MOST_IMAGES = 8
_LOOKS = 4
_BRIGHTEST = 255


def make_image_sketch(schema: ImageSchema) -> Mechanism:
    """Return the sketch, the one release of counts that images have."""
    kind = ImageKind(schema)

    def release(rows: Tensor) -> Tensor:
        return torch.from_numpy(kind.count(Units.from_records(_to_codes(rows))))

    return Mechanism(
        name="sketch",
        unit="record",
        claimed=kind.layout.sensitivity,
        release=release,
        draw_records=_several(schema, _MOST_IMAGES),
        draw_adversary=lambda rng: draw_images(schema, 1, rng),
    )


def make_image_step(
    schema: ImageSchema,
    *,
    clip: float,
    batch: int,
    randomness: SeededRandomness,
    path: tuple[str, ...],
) -> Mechanism:
    """Return one discriminator step; images and fakes are moved by chance, as at a site.

    Args:
        schema: decides how large the discriminator is.
        clip: norm that an image's gradient is clipped to.
        batch: declared batch size and number of fakes.
        randomness: draws weights and fakes.
        path: names this step among the streams.
    """
    kind, several = ImageKind(schema), _several(schema, batch)

    def to_rows(images: Tensor, rng: torch.Generator) -> Tensor:
        return kind.to_rows(_to_codes(images), rng)

    def draw_adversary(rng: torch.Generator) -> Tensor:
        row = to_rows(draw_images(schema, 1, rng), rng)
        return row if _toss(rng) else spoil_a_row(kind.width, rng)

    rng = randomness.torch(*path, "fakes")
    return make_discriminator_step(
        kind.make_discriminator(randomness.torch(*path, "weights")),
        to_rows(draw_images(schema, batch, rng), rng),
        clip=clip,
        stream=randomness.stream(*path, "no-noise"),
        draw_records=lambda rng: to_rows(several(rng), rng),
        draw_adversary=draw_adversary,
    )


def _several(schema: ImageSchema, most: int) -> Draw:
    def draw(rng: torch.Generator) -> Tensor:
        number = int(torch.randint(0, most + 1, (1,), generator=rng))
        return draw_images(schema, number, rng)

    return draw


def draw_images(schema: ImageSchema, number: int, rng: torch.Generator) -> Tensor:
    """Draw codes ``(number, num_pixels + 1)``: white, black, random or black-and-white images."""
    values = torch.rand(number, schema.num_pixels, generator=rng)
    looks = torch.randint(_LOOKS, (number, 1), generator=rng)
    sharp = (values < torch.rand(number, 1, generator=rng)).float()  # few or many pixels are lit
    flat = (looks == 0).float().expand_as(values)
    pixels = torch.where(looks < 2, flat, torch.where(looks == 2, values, sharp))
    labels = torch.randint(schema.num_classes, (number, 1), generator=rng)
    return torch.cat([(pixels * _BRIGHTEST).round().long(), labels], dim=1)


def _to_codes(rows: Tensor) -> Codes:
    return np.asarray(rows.numpy().astype(np.int16))


def _toss(rng: torch.Generator) -> bool:
    return bool(torch.randint(2, (1,), generator=rng))
