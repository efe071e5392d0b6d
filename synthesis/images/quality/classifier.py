"""A small classifier of images: what synthetic images teach about real ones.

It is for evaluation and reads images without noise, so it may normalise over the batch, which no
private step does.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synthesis.attacks.intervals import estimate_share
from synthesis.evaluation.estimate import Estimate
from synthesis.images.quality.pixels import read_images
from synthesis.images.quality.training import convolve, scale, train
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes

_SHIFT = 14
"""An image is shifted by at most this part of its side; smaller ones are not shifted."""
_PART = 500  # images at a time


class ImageClassifier(nn.Sequential):
    """Two convolutions and a hidden layer, for images of 4 x 4 pixels and more.

    Initial weights come from torch's own random numbers, as those of its layers do.
    """

    def __init__(self, schema: ImageSchema) -> None:
        flat = 64 * (schema.height // 4) * (schema.width // 4)
        super().__init__(
            *convolve(schema.channels, 32),
            *convolve(32, 64),
            nn.Flatten(),
            nn.Dropout(0.25),
            nn.Linear(flat, 128),
            nn.ReLU(),
            nn.Dropout(0.25),
            nn.Linear(128, schema.num_classes),
        )


def train_classifier(
    codes: Codes, schema: ImageSchema, *, seed: int, epochs: int = 3
) -> ImageClassifier:
    """Train a classifier on images, real or synthetic, always in the same way.

    It is trained for a fixed time and its last state is kept: no image but these has a say.

    Args:
        codes: ``(n, num_pixels + 1)``; classes may be absent.
        schema: the public description.
        seed: of weights, order, shifts and dropout; equal seeds give equal classifiers on one
            machine with as many threads.
        epochs: passes over the images, >= 1.

    Raises:
        ValueError: if the codes are not images of this schema, or epochs is below 1.
    """
    if epochs < 1:
        raise ValueError(f"epochs must be >= 1, got {epochs}.")
    images, classes = read_images(codes, schema)
    # Layers and dropout know no random source but torch's own, which is given back as it was.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        classifier = ImageClassifier(schema)
        train(
            classifier,
            images,
            classes,
            epochs=epochs,
            reach=(schema.height // _SHIFT, schema.width // _SHIFT),
            may_flip=schema.may_flip,
            rng=torch.Generator().manual_seed(seed),
        )
    return classifier


@torch.inference_mode()
def classify(model: nn.Module, images: Tensor) -> Tensor:
    """Return the likeliest class ``(n,)`` of uint8 images ``(n, channels, height, width)``."""
    return torch.cat([model(scale(part)).argmax(1) for part in images.split(_PART)])


def find_hits(model: nn.Module, codes: Codes, schema: ImageSchema) -> NDArray[np.bool_]:
    """Return whether each image's class is told rightly, ``(n,)``."""
    images, classes = read_images(codes, schema)
    hits: NDArray[np.bool_] = (classify(model, images) == classes).numpy()
    return hits


def accuracy(model: nn.Module, codes: Codes, schema: ImageSchema) -> Estimate:
    """Return the share of images whose class is told rightly, with its 95 % interval.

    The interval is over images of the test, not over training.
    """
    return hit_rate(find_hits(model, codes, schema))


def class_accuracies(model: nn.Module, codes: Codes, schema: ImageSchema) -> tuple[Estimate, ...]:
    """Return the accuracy on the images of every class; [0, 1] is the interval where none is."""
    return class_hit_rates(find_hits(model, codes, schema), codes, schema)


def hit_rate(hits: NDArray[np.bool_]) -> Estimate:
    """Return the share of hits with its 95 % interval."""
    return estimate_share(int(hits.sum()), len(hits))


def class_hit_rates(
    hits: NDArray[np.bool_], codes: Codes, schema: ImageSchema
) -> tuple[Estimate, ...]:
    """Return the share of hits in every class, in the order of the schema."""
    return tuple(hit_rate(hits[codes[:, -1] == each]) for each in range(schema.num_classes))
