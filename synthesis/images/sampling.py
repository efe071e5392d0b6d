"""From a generator to images: any number of them, free of further cost."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from synthesis.errors import InputError
from synthesis.images.generator import ImageGenerator
from synthesis.images.schema import ImageSchema
from synthesis.sharded_sample import check_size
from synthesis.units import Codes

_PART = 1000
_MOST_TRIES = 1000
MOST_IMAGES = 10_000_000


@torch.no_grad()
def sample_images(
    generator: ImageGenerator,
    schema: ImageSchema,
    number: int,
    *,
    seed: int,
    only: str | None = None,
) -> Codes:
    """Draw images as codes, ``(number, num_pixels + 1)``; the same seed gives the same images.

    Args:
        generator: the global generator.
        schema: its schema.
        number: images to draw, >= 1.
        seed: of the draw, >= 0.
        only: name of the one class to draw; all, by their shares, if left out.

    Raises:
        InputError: if the number, the seed or the class is not possible.
    """
    check_size(number, seed, most=MOST_IMAGES)
    if only is not None and only not in schema.classes:
        raise InputError(
            f"class must be one of {', '.join(schema.classes)}, got {only!r}.", argument="where"
        )
    rng = torch.Generator().manual_seed(seed)
    codes = np.empty((number, schema.num_pixels + 1), dtype=np.int16)
    for start in range(0, number, _PART):
        part = codes[start : start + _PART]
        if only is None:
            images, labels = generator.draw(len(part), rng)
        else:
            images, labels = _draw_one_class(generator, schema.classes.index(only), len(part), rng)
        part[:, :-1] = (images.flatten(1) * 255).round().to(torch.int16).numpy()
        part[:, -1] = labels.numpy()
    return codes


def _draw_one_class(
    generator: ImageGenerator, label: int, number: int, rng: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Draw images of one class; by rejection where the class is what the labeller sees.

    Raises:
        InputError: if the generator hardly ever draws that class.
    """
    labels = torch.full((number,), label)
    if not generator.is_labelling:
        latent = torch.randn(number, generator.settings.directions, generator=rng)
        return generator(latent, labels), labels
    kept: list[Tensor] = []
    found = 0
    for _ in range(_MOST_TRIES):
        images, seen = generator.draw(_PART, rng)
        kept.append(images[seen == label])
        found += len(kept[-1])
        if found >= number:
            return torch.cat(kept)[:number], labels
    raise InputError(
        f"class must be one that the generator draws, and of {_MOST_TRIES * _PART:,} images "
        f"{found:,} were of this one where {number:,} are needed; leave it out.",
        argument="where",
    )
