"""From a sketch to Gaussians: what is there is found, and noise is not taken for images."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from digit_images import DIGITS, read_digit_codes

from synthesis.images.gaussians import POOLED, estimate_gaussians
from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.schema import ImageSchema
from synthesis.images.sketch import ImageLayout, compute_features, compute_image_sketch

LAYOUT = ImageLayout.from_schema(DIGITS)
LARGE = ImageSchema(name="large", height=28, width=28, channels=3, classes=("a", "b"))


def add_noise(layout: ImageLayout, flat: np.ndarray, multiplier: float, seed: int = 0):
    std = multiplier * layout.sensitivity
    return flat + np.random.default_rng(seed).normal(scale=std, size=flat.shape), std


def kept(factors: np.ndarray) -> np.ndarray:
    """How many directions each class has."""
    return (np.linalg.norm(factors, axis=2) > 0).sum(axis=1)


def vary(flat: np.ndarray, std: float) -> np.ndarray:
    """How much variance each class has."""
    return np.square(estimate_gaussians(LAYOUT, flat, std).factors).sum(axis=(1, 2))


@pytest.mark.parametrize("variety", [1.0, 1.4])
def test_without_noise_shares_means_and_covariances_are_found(variety: float) -> None:
    codes = read_digit_codes()
    flat = compute_image_sketch(LAYOUT, codes, DIGITS.num_pixels)
    found = estimate_gaussians(LAYOUT, flat, noise_std=0.0, variety=variety)
    phi, labels = compute_features(LAYOUT, codes[:, :-1])[:, 1:], codes[:, -1]
    own = [phi[labels == number] for number in range(10)]
    sizes = np.array(list(map(len, own)))
    np.testing.assert_allclose(found.shares, sizes / len(codes), rtol=1e-12)
    np.testing.assert_allclose(found.means, [each.mean(0) for each in own], atol=1e-12)
    covariances = np.stack([np.cov(each.T, bias=True) for each in own])
    pooled = np.average(covariances, axis=0, weights=sizes)
    drawn = found.factors.transpose(0, 2, 1) @ found.factors
    mixed = (1 - POOLED) * covariances + POOLED * pooled
    np.testing.assert_allclose(drawn, variety * mixed, atol=1e-12)


@pytest.mark.parametrize("multiplier", [0.3, 3.0])
def test_noise_makes_no_class_vary_more(multiplier: float) -> None:
    exact = 10 * compute_image_sketch(LAYOUT, read_digit_codes(), DIGITS.num_pixels)
    noisy, std = add_noise(LAYOUT, exact, multiplier)
    found, true = vary(noisy, std), vary(exact, 0.0)
    np.testing.assert_allclose(found, true, rtol=0.25)
    assert found.sum() == pytest.approx(true.sum(), rel=0.1)


def test_a_class_of_one_image_again_and_again_keeps_its_small_variance() -> None:
    codes = read_digit_codes()
    alike = codes[:, -1] == 3
    codes[alike] = codes[alike][0]
    flat = compute_image_sketch(LAYOUT, codes, DIGITS.num_pixels)
    found = vary(flat, 0.0)
    # It has its part of what all classes vary by, and nothing of its own.
    assert found[3] == pytest.approx(POOLED * np.average(found, weights=np.bincount(codes[:, -1])))
    noisy, std = add_noise(LAYOUT, 10 * flat, 0.3)
    assert vary(noisy, std)[3] == pytest.approx(found[3], rel=0.25)


def test_no_class_varies_more_than_coefficients_can() -> None:
    for seed in range(10):
        flat, std = add_noise(LAYOUT, np.zeros(LAYOUT.dimension), 50.0, seed)
        assert vary(flat, std).max() <= 1 + 1e-9


@pytest.mark.parametrize("multiplier", [0.5, 5.0, 50.0])
@pytest.mark.parametrize("seed", [0, 1])
def test_noise_alone_has_few_directions(multiplier: float, seed: int) -> None:
    flat, std = add_noise(LAYOUT, np.zeros(LAYOUT.dimension), multiplier, seed)
    found = estimate_gaussians(LAYOUT, flat, std)
    # Wigner's edge is cut into on purpose: an eighth of the directions of noise, and not all.
    assert kept(found.factors).max() <= LAYOUT.frequencies.size // 6
    for values in (found.shares, found.means, found.factors):
        assert np.isfinite(values).all()
    assert found.shares.sum() == pytest.approx(1.0)
    assert (found.shares > 0).all()


def test_more_noise_leaves_fewer_directions() -> None:
    flat = compute_image_sketch(LAYOUT, read_digit_codes(), DIGITS.num_pixels)
    several = []
    for multiplier in (0.01, 0.3, 3.0, 30.0):
        noisy, std = add_noise(LAYOUT, flat, multiplier)
        several.append(int(kept(estimate_gaussians(LAYOUT, noisy, std).factors).sum()))
    assert several == sorted(several, reverse=True)


@pytest.mark.parametrize("schema", [DIGITS, LARGE], ids=["digits", "colour"])
@pytest.mark.parametrize("multiplier", [1e3, 1e9, 1e15])
def test_huge_noise_still_gives_images(schema: ImageSchema, multiplier: float) -> None:
    layout = ImageLayout.from_schema(schema)
    flat, std = add_noise(layout, np.zeros(layout.dimension), multiplier)
    settings = ImageGeneratorSettings.for_schema(schema)
    generator = ImageGenerator(settings, rng=torch.Generator().manual_seed(0))
    generator.start_at(estimate_gaussians(layout, flat, std))
    with torch.no_grad():
        images, labels = generator.draw(50, torch.Generator().manual_seed(1))
    assert images.isfinite().all()
    assert 0 <= images.min() <= images.max() <= 1
    assert 0 <= labels.min() <= labels.max() < schema.num_classes


def test_a_class_without_images_is_rare_and_does_no_harm() -> None:
    codes = read_digit_codes()
    codes = codes[codes[:, -1] != 3]
    flat, std = add_noise(LAYOUT, compute_image_sketch(LAYOUT, codes, DIGITS.num_pixels), 0.3)
    found = estimate_gaussians(LAYOUT, flat, std)
    assert 0 < found.shares[3] < 0.05
    assert np.isfinite(found.factors).all()
