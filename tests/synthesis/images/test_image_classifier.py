"""What a classifier learns from images."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import pytest
import torch
from digit_images import DIGITS, bright_halves, read_digit_codes

from synthesis.images.quality import accuracy, class_accuracies, compare_images, train_classifier
from synthesis.images.quality.classifier import ImageClassifier
from synthesis.images.quality.training import move
from synthesis.units import Codes


def test_it_learns_digits_and_says_how_sure_it_is() -> None:
    codes = np.random.default_rng(0).permutation(read_digit_codes())
    model = train_classifier(codes[:1300], DIGITS, seed=0, epochs=8)
    found = accuracy(model, codes[1300:], DIGITS)
    assert found.value > 0.9
    assert 0.005 < found.high - found.low < 0.06
    by_class = class_accuracies(model, codes[1300:], DIGITS)
    sizes = np.bincount(codes[1300:, -1], minlength=10)
    assert np.dot([each.value for each in by_class], sizes) / 497 == pytest.approx(found.value)


def test_equal_seeds_give_equal_classifiers_and_leave_torch_as_it_was() -> None:
    codes = read_digit_codes()[:200]
    before = torch.random.get_rng_state()
    first, second, other = (
        train_classifier(codes, DIGITS, seed=seed, epochs=1).state_dict() for seed in (3, 3, 4)
    )
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["0.weight"], other["0.weight"])
    assert torch.equal(torch.random.get_rng_state(), before)


@pytest.mark.parametrize(("side", "channels"), [(4, 1), (9, 3), (28, 3), (64, 1)])
def test_it_takes_every_size(side: int, channels: Literal[1, 3]) -> None:
    codes, schema = bright_halves(130, side=side, channels=channels)
    model = train_classifier(codes, schema, seed=0, epochs=1)
    assert isinstance(model, ImageClassifier)
    assert not model.training
    assert 0 <= accuracy(model, codes, schema).value <= 1


def test_one_image_and_an_absent_class_are_enough() -> None:
    codes = read_digit_codes()
    model = train_classifier(codes[:1], DIGITS, seed=0, epochs=1)
    fives = codes[codes[:, -1] == 5]
    absent = class_accuracies(model, fives, DIGITS)[4]
    assert (absent.low, absent.high) == (0, 1)


def test_synthetic_images_are_compared_with_real_ones() -> None:
    codes, schema = bright_halves(900, side=8)
    wrong = codes[:400].copy()
    wrong[:, -1] = 1 - wrong[:, -1]
    found = compare_images(wrong, codes[:400], codes[400:], schema, seed=0)
    assert found.real.value > 0.95
    assert found.synthetic.value < 0.05
    assert found.lost.value == pytest.approx(found.real.value - found.synthetic.value)
    assert len(found.synthetic_by_class) == len(found.real_by_class) == 2
    same = compare_images(codes[:400], codes[:400], codes[400:], schema, seed=0)
    assert (same.lost.low, same.lost.value, same.lost.high) == (0, 0, 0)


def test_moved_images_are_shifted_with_their_border() -> None:
    images = torch.arange(25, dtype=torch.uint8).reshape(1, 1, 5, 5).repeat(300, 1, 1, 1)
    rng = torch.Generator().manual_seed(0)
    moved = move(images, reach=(1, 0), may_flip=False, rng=rng)
    allowed = [
        images[0, 0, [0, 0, 1, 2, 3]],
        images[0, 0],
        images[0, 0, [1, 2, 3, 4, 4]],
    ]
    seen = [sum(torch.equal(each[0], one) for each in moved) for one in allowed]
    assert sum(seen) == 300
    assert min(seen) > 60


def test_images_are_mirrored_only_if_they_may_be() -> None:
    images = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 2, 2).repeat(300, 1, 1, 1)
    rng = torch.Generator().manual_seed(0)
    moved = move(images, reach=(0, 0), may_flip=True, rng=rng)
    mirrored = [torch.equal(each, images[0].flip(2)) for each in moved]
    assert 100 < sum(mirrored) < 200
    assert torch.equal(move(images, reach=(0, 0), may_flip=False, rng=rng), images)


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda codes: codes[:0], "at least one row"),
        (lambda codes: codes[:, 1:], "65 numbers"),
        (lambda codes: codes + np.int16(10), "outside"),
        (lambda codes: codes - np.int16(1), "outside"),
    ],
)
def test_what_are_no_images_of_the_schema_is_refused(
    change: Callable[[Codes], Codes], complaint: str
) -> None:
    with pytest.raises(ValueError, match=complaint):
        train_classifier(change(read_digit_codes()[:20]), DIGITS, seed=0)


def test_no_epochs_are_refused() -> None:
    with pytest.raises(ValueError, match="epochs must be >= 1, got 0"):
        train_classifier(read_digit_codes()[:20], DIGITS, seed=0, epochs=0)
