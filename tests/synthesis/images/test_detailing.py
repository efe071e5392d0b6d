"""The generator learns the details of the sketch, and stays as varied as the sketch says."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from digit_images import DIGITS, read_digit_codes
from image_generators import SCHEMA, make_generator

from synthesis.images.detailing import DetailMeans, estimate_details, shrink, teach_details
from synthesis.images.details import Details
from synthesis.images.gaussians import estimate_gaussians
from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.refiner import Refiner
from synthesis.images.sketch import Counts, ImageLayout, compute_image_sketch

LAYOUT = ImageLayout.from_schema(DIGITS)


@pytest.fixture(scope="module")
def flat() -> Counts:
    return compute_image_sketch(LAYOUT, read_digit_codes(), DIGITS.num_pixels)


def start(flat: Counts) -> ImageGenerator:
    generator = ImageGenerator(
        ImageGeneratorSettings.for_schema(DIGITS), rng=torch.Generator().manual_seed(0)
    )
    generator.start_at(estimate_gaussians(LAYOUT, flat, 1e-9))
    return generator


def teach(generator: ImageGenerator, wanted: DetailMeans, steps: int, seed: int = 0) -> None:
    rng = torch.Generator().manual_seed(seed)
    teach_details(generator, LAYOUT, wanted, steps=steps, rng=rng)


@torch.no_grad()
def look_at(generator: ImageGenerator, number: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean details of each class, and how much coefficients vary in each."""
    rng = torch.Generator().manual_seed(9)
    labels = torch.arange(number) % DIGITS.num_classes
    images = generator(torch.randn(number, generator.settings.directions, generator=rng), labels)
    details = LAYOUT.details.of_images(images).numpy()
    coefficients = LAYOUT.frequencies.to_weighted(images).numpy()
    classes = range(DIGITS.num_classes)
    means = np.stack([details[labels == c].mean(0) for c in classes])
    spread = np.array([coefficients[labels == c].var(0).sum() for c in classes])
    return means, spread


def test_what_is_drawn_comes_close_to_the_details_of_real_images(flat: Counts) -> None:
    wanted, generator = estimate_details(LAYOUT, flat, 1e-9), start(flat)
    before, spread = look_at(generator)
    teach(generator, wanted, steps=120)
    after, kept = look_at(generator)
    gaps = [np.square(seen - wanted.means).sum(1).mean() for seen in (before, after)]
    assert gaps[1] < 0.3 * gaps[0]
    assert (kept > 0.6 * spread).all()  # no class became one image


def test_means_are_those_of_each_class(flat: Counts) -> None:
    codes = read_digit_codes()
    seen = Details.of(DIGITS).count(codes[:, :-1])
    wanted = estimate_details(LAYOUT, flat, 1e-9)
    for number in range(DIGITS.num_classes):
        own = seen[codes[:, -1] == number].mean(0)
        np.testing.assert_allclose(wanted.means[number], own, atol=3e-4)
    assert (wanted.noise < 1e-9).all()


def test_means_under_noise_come_nearer_to_the_truth(flat: Counts) -> None:
    """And nothing is lost where there is no noise."""
    true = estimate_details(LAYOUT, flat, 1e-9)
    drawn = look_at(start(flat))[0]
    np.testing.assert_allclose(shrink(true, drawn), true.means, atol=1e-5)
    rng, errors = np.random.default_rng(0), []
    for _ in range(20):
        noise = rng.normal(0, 0.05, true.means.shape)
        level = np.full(len(drawn), 0.05**2 * true.means.shape[1])
        told = DetailMeans(means=true.means + noise, noise=level)
        errors.append([np.square(m - true.means).sum() for m in (told.means, shrink(told, drawn))])
    plain, shrunk = np.mean(errors, axis=0)
    assert shrunk < 0.4 * plain


def test_the_noise_of_means_is_what_it_is_said_to_be(flat: Counts) -> None:
    true, std = estimate_details(LAYOUT, flat, 1e-9), 0.01 * LAYOUT.sensitivity
    rng, squares, said = np.random.default_rng(0), [], []
    for _ in range(20):
        told = estimate_details(LAYOUT, flat + rng.normal(0, std, flat.shape), std)
        squares.append(np.square(told.means - true.means).sum(axis=1))
        said.append(told.noise)
    np.testing.assert_allclose(np.mean(squares), np.mean(said), rtol=0.1)


def test_the_same_seed_teaches_the_same_and_another_does_not(flat: Counts) -> None:
    wanted = estimate_details(LAYOUT, flat, 1e-9)
    several = [start(flat) for _ in range(3)]
    for generator, seed in zip(several, (1, 1, 2), strict=True):
        teach(generator, wanted, steps=3, seed=seed)
    first, again, other = (each.refiner.last.weight for each in several)
    assert torch.equal(first, again) and not torch.equal(first, other)


def test_only_the_refiner_learns_and_all_can_learn_afterwards(flat: Counts) -> None:
    generator = start(flat)
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    teach(generator, estimate_details(LAYOUT, flat, 1e-9), steps=2)
    changed = {n for n, v in generator.state_dict().items() if not torch.equal(v, before[n])}
    assert changed and all(name.startswith("refiner.") for name in changed)
    assert all(weight.requires_grad for weight in generator.parameters())


def test_a_refiner_adds_nothing_before_it_has_learned() -> None:
    generator, _ = make_generator()
    labels, latent = torch.arange(3), torch.randn(3, generator.settings.directions)
    with torch.no_grad():
        alone = generator(latent, labels)
    torch.testing.assert_close(generator(latent, labels), alone)  # with all networks
    assert SCHEMA.shape == alone.shape[1:]  # of odd sides


@pytest.mark.parametrize("shape", [(1, 4, 4), (3, 5, 7), (1, 28, 28), (2, 9, 8)])
def test_a_refiner_keeps_any_shape(shape: tuple[int, int, int]) -> None:
    refiner = Refiner(shape[0], 3, rng=torch.Generator().manual_seed(0))
    assert refiner(torch.rand(5, *shape), torch.tensor([0, 1, 2, 0, 1])).shape == (5, *shape)
