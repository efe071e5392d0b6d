"""The generator of images: what it draws, how it starts, and how it is kept on disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from image_generators import SCHEMA, make_generator
from safetensors.torch import load_file, save_file

from synthesis import InputError
from synthesis.images.generator import cut, to_rows
from synthesis.images.model_files import is_of_images, load_image_generator, save_image_generator
from synthesis.images.sampling import MOST_IMAGES, sample_images
from synthesis.model_files import DESCRIPTION_FILE, WEIGHTS_FILE


def test_the_same_seed_draws_the_same_images_and_another_does_not() -> None:
    generator, _ = make_generator()
    first, again, other = (sample_images(generator, SCHEMA, 40, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_images_are_codes_of_the_schema_in_parts_too() -> None:
    generator, _ = make_generator(scale=3.0)  # far beyond black and white
    codes = sample_images(generator, SCHEMA, 1234, seed=0)
    assert codes.shape == (1234, SCHEMA.num_pixels + 1)
    assert (codes[:, :-1].min(), codes[:, :-1].max()) == (0, 255)
    assert set(codes[:, -1]) == {0, 1, 2}


def test_classes_come_by_their_shares_or_one_alone() -> None:
    generator, gaussians = make_generator()
    labels = sample_images(generator, SCHEMA, 6000, seed=0)[:, -1]
    found = np.bincount(labels, minlength=3) / len(labels)
    np.testing.assert_allclose(found, gaussians.shares, atol=0.03)
    assert set(sample_images(generator, SCHEMA, 50, seed=0, only="b")[:, -1]) == {1}


@pytest.mark.parametrize(
    ("number", "only", "said"),
    [
        (0, None, "rows must be at least 1, got 0."),
        (MOST_IMAGES + 1, None, "rows must be at most 10,000,000, got 10,000,001; ask for fewer."),
        (5, "d", "class must be one of a, b, c, got 'd'."),
    ],
)
def test_what_cannot_be_drawn_is_said(number: int, only: str | None, said: str) -> None:
    with pytest.raises(InputError) as error:
        sample_images(make_generator()[0], SCHEMA, number, seed=0, only=only)
    assert str(error.value) == said


def test_before_any_round_draws_are_those_of_the_gaussians() -> None:
    generator, gaussians = make_generator(scale=0.02)
    frequencies, rng = generator.settings.frequencies, torch.Generator().manual_seed(0)
    labels = torch.arange(3).repeat_interleave(4000)
    latent = torch.randn(len(labels), generator.settings.directions, generator=rng)
    with torch.no_grad():
        images = generator(latent, labels)
    assert 0 < images.min() < images.max() < 1  # nothing was cut
    pixels = images.flatten(1).double() * 255
    for number in range(3):
        own = pixels[labels == number]
        mean = torch.from_numpy(gaussians.means[number])[None].float()
        expected = frequencies.to_images(mean).flatten().double() * 255
        torch.testing.assert_close(own.mean(0), expected, atol=1.0, rtol=0)
        factors = torch.from_numpy(gaussians.factors[number]).float()
        spread = frequencies.to_images(factors).flatten(1).double() * 255
        covariance = spread.mT @ spread
        error = (torch.cov(own.mT) - covariance).norm() / covariance.norm()
        assert error < 0.2


def test_a_gradient_points_back_from_outside_and_is_whole_inside() -> None:
    values = torch.tensor([-2.0, -0.1, 0.3, 0.9, 1.4], requires_grad=True)
    shown = cut(values)
    torch.testing.assert_close(shown, torch.tensor([0.0, 0.0, 0.3, 0.9, 1.0]))
    shown.sum().backward()
    torch.testing.assert_close(values.grad, torch.tensor([0.1, 0.1, 1.0, 1.0, 0.1]))


def test_rows_are_images_and_then_their_class() -> None:
    generator, _ = make_generator()
    rows = generator.draw_hard_rows(20, torch.Generator().manual_seed(3))
    images, labels = generator.draw(20, torch.Generator().manual_seed(3))
    assert rows.shape == (20, SCHEMA.num_pixels + 3)
    torch.testing.assert_close(rows, to_rows(images, labels, 3))
    torch.testing.assert_close(rows[:, -3:].argmax(1), labels)
    assert (rows[:, -3:].sum(1) == 1).all()


def test_a_generator_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    generator, _ = make_generator()
    with torch.no_grad():
        generator.refine[-1].weight += 0.01
    save_image_generator(tmp_path, generator, SCHEMA)
    assert is_of_images(tmp_path)
    read, schema = load_image_generator(tmp_path)
    assert schema == SCHEMA
    assert read.settings == generator.settings
    for name, weights in generator.state_dict().items():
        torch.testing.assert_close(read.state_dict()[name], weights, rtol=0, atol=0)
    np.testing.assert_array_equal(
        sample_images(read, schema, 30, seed=1), sample_images(generator, SCHEMA, 30, seed=1)
    )


def describe(**changes: Any) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / DESCRIPTION_FILE
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return change


def write(text: str) -> Callable[[Path], None]:
    return lambda folder: (folder / DESCRIPTION_FILE).write_text(text) and None


def weigh(change: Callable[[dict[str, torch.Tensor]], object]) -> Callable[[Path], None]:
    def apply(folder: Path) -> None:
        weights = load_file(folder / WEIGHTS_FILE)
        change(weights)
        save_file(weights, folder / WEIGHTS_FILE)

    return apply


BAD: list[Callable[[Path], Any]] = [
    lambda folder: (folder / WEIGHTS_FILE).unlink(),
    lambda folder: (folder / DESCRIPTION_FILE).unlink(),
    lambda folder: (folder / WEIGHTS_FILE).write_bytes(b"no weights"),
    lambda folder: (folder / WEIGHTS_FILE).write_bytes((folder / WEIGHTS_FILE).read_bytes()[:-9]),
    write(""),
    write("[]"),
    write('"text"'),
    write("{}"),
    write("\x00"),
    describe(format="fedsynth-image-generator/1"),
    describe(format=None),
    describe(schema=[]),
    describe(schema="any"),
    describe(schema={}),
    describe(schema={"kind": "images"}),
    describe(schema=SCHEMA.model_dump(mode="json") | {"height": 6}),
    describe(schema=SCHEMA.model_dump(mode="json") | {"classes": ["a", "b"]}),
    describe(architecture=[]),
    describe(architecture={}),
    describe(architecture={"hidden": 31}),
    describe(architecture={"hidden": "many"}),
    describe(architecture={"hidden": None}),
    describe(architecture={"hidden": -1}),
    describe(architecture={"hidden": 0}),
    describe(architecture={"hidden": float("inf")}),
    describe(architecture={"hidden": float("nan")}),
    describe(architecture={"hidden": 10**12}),
    weigh(lambda weights: weights.pop("shares")),
    weigh(lambda weights: weights.update(more=torch.zeros(3))),
    weigh(lambda weights: weights.update(means=torch.zeros(3, 4))),
    weigh(lambda weights: weights["means"].fill_(float("nan"))),
    weigh(lambda weights: weights["factors"].fill_(float("inf"))),
    weigh(lambda weights: weights["shares"].fill_(0.0)),
    weigh(lambda weights: weights["shares"].fill_(-1.0)),
]


@pytest.mark.parametrize("spoil", BAD)
def test_bad_files_end_with_one_sentence(tmp_path: Path, spoil: Callable[[Path], Any]) -> None:
    save_image_generator(tmp_path, make_generator()[0], SCHEMA)
    spoil(tmp_path)
    with pytest.raises(InputError) as error:
        load_image_generator(tmp_path)
    said = str(error.value)
    assert len(said.splitlines()) == 1
    assert len(said) < 600
