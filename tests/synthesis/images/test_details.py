"""Details of images: what they tell apart, and that networks see those that are counted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from synthesis.images.details import Details
from synthesis.images.schema import ImageSchema

SHAPES = [(1, 4, 4), (1, 8, 8), (1, 28, 28), (3, 5, 7), (3, 32, 32), (1, 64, 64)]


def details_of(shape: tuple[int, int, int]) -> Details:
    channels, height, width = shape
    return Details.of(
        ImageSchema(name="any", channels=channels, height=height, width=width, classes=("a", "b"))
    )


def random_pixels(shape: tuple[int, int, int], number: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (number, int(np.prod(shape))), dtype=np.int16)


@pytest.mark.parametrize("shape", SHAPES, ids=map(str, SHAPES))
def test_networks_see_the_details_that_are_counted(shape) -> None:
    details, pixels = details_of(shape), random_pixels(shape, 6)
    pixels[0], pixels[1] = 0, 255
    images = torch.from_numpy(pixels.astype(np.float32) / 255).unflatten(1, shape)
    counted = details.count(pixels)
    assert counted.shape == (6, details.size)
    np.testing.assert_allclose(details.of_images(images).numpy(), counted, atol=1e-4)


@pytest.mark.parametrize("shape", SHAPES, ids=map(str, SHAPES))
def test_there_are_no_more_numbers_than_a_sketch_can_carry(shape) -> None:
    assert details_of(shape).size <= 2205 * shape[0]


def test_no_images_have_no_details() -> None:
    details = details_of((1, 8, 8))
    assert details.count(random_pixels((1, 8, 8), 0)).shape == (0, details.size)


def test_a_flat_grey_away_from_the_border_stirs_no_filter() -> None:
    details = details_of((1, 64, 64))
    seen = details.count(np.full((1, 64 * 64), 128))[0]
    dark = details.count(np.zeros((1, 64 * 64), dtype=np.int16))[0]
    filters = np.abs(seen - dark)[: details.size - 4 * 13 * 13].reshape(-1, 7, 7)
    assert filters[:, 2:5, 2:5].max() < 1e-3 < filters.max()


def test_a_weave_of_single_pixels_is_seen() -> None:
    """What averages alone do not see is what a generator would draw to please them."""
    details = details_of((1, 28, 28))
    plain = np.full((28, 28), 120)
    woven = plain + 40 * (-1) ** np.indices((28, 28)).sum(0)
    seen = details.count(np.stack([plain, woven]).reshape(2, -1))
    assert np.linalg.norm(seen[0] - seen[1]) > 0.3


def test_details_have_a_gradient_everywhere() -> None:
    images = torch.zeros(2, 1, 28, 28)
    images[1] = 0.5
    images.requires_grad_()
    details_of((1, 28, 28)).of_images(images).square().sum().backward()
    assert images.grad is not None and bool(torch.isfinite(images.grad).all())
