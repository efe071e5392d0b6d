"""The private step on networks of images: exact, and one image moves it by one clip.

The discriminator looks through filters that are never trained, at an image and its mirror image; a
small convolutional network stands for those whose filters are trained.
"""

from __future__ import annotations

import copy

import pytest
import torch
from private_steps import clip_one, flat_gradient, gradient_of, make_step
from torch import Tensor, nn
from torch.nn import functional

from privacy import PrivateTrainer, SampledGaussianEvent, SeededRandomness, measure_sensitivity
from synthesis.images.discriminator import ImageDiscriminator
from synthesis.images.generator import to_rows
from synthesis.images.schema import ImageSchema
from synthesis.kinds.images import ImageKind


def schema_of(channels: int, height: int, width: int, *, may_flip: bool = True) -> ImageSchema:
    return ImageSchema(
        name="any",
        channels=channels,
        height=height,
        width=width,
        classes=("a", "b", "c"),
        may_flip=may_flip,
    )


SHAPES = [(1, 8, 8), (1, 5, 7), (3, 6, 9)]
LARGER = [(1, 28, 28), (3, 16, 16), (1, 4, 64)]
LOOKS = ("random", "black", "white", "hot", "huge", "tiny")


class Convolutions(nn.Module):
    """Two strided convolutions, and a score for every class at its own place of the row."""

    def __init__(self, schema: ImageSchema, *, rng: torch.Generator) -> None:
        super().__init__()
        self.shape = schema.shape
        channels, *whole = schema.shape
        sides = [(side + 3) // 4 for side in whole]
        self.body = nn.Sequential(
            nn.Conv2d(channels, 16, 5, stride=2, padding=2),
            nn.Tanh(),
            nn.Conv2d(16, 32, 5, stride=2, padding=2),
            nn.Tanh(),
            nn.Flatten(),
        )
        self.head = nn.Linear(32 * sides[0] * sides[1], schema.num_classes)
        for weight in self.parameters():
            nn.init.normal_(weight, std=weight[0].numel() ** -0.5, generator=rng)

    def forward(self, rows: Tensor) -> Tensor:
        images, classes = rows.tensor_split([rows.shape[1] - self.head.out_features], dim=1)
        scores = self.head(self.body(2 * images.unflatten(1, self.shape) - 1))
        return (scores * (2 * classes - 1)).sum(1)


def make_discriminator(schema: ImageSchema, seed: int = 0, network: str = "details") -> nn.Module:
    rng = torch.Generator().manual_seed(seed)
    if network == "convolutions":
        return Convolutions(schema, rng=rng)
    return ImageDiscriminator(schema.shape, schema.num_classes, may_flip=schema.may_flip, rng=rng)


def width_of(schema: ImageSchema) -> int:
    return schema.num_pixels + schema.num_classes


def draw_rows(schema: ImageSchema, number: int, rng: torch.Generator) -> Tensor:
    """Rows of images of every look."""
    images = torch.rand(number, *schema.shape, generator=rng)
    looks = torch.randint(len(LOOKS), (number,), generator=rng)
    for image, look in zip(images, looks, strict=True):
        name = LOOKS[look]
        if name in ("black", "white"):
            image[:] = float(name == "white")
        elif name == "hot":
            place = int(torch.randint(image.numel(), (1,), generator=rng))
            image[:] = 0.0
            image.view(-1)[place] = 1.0
        elif name in ("huge", "tiny"):
            image *= 1e4 if name == "huge" else 1e-4
    labels = torch.randint(schema.num_classes, (number,), generator=rng)
    return to_rows(images, labels, schema.num_classes)


def spoil(rows: Tensor) -> Tensor:
    """Make some of many rows unusable or enormous."""
    for place, value in enumerate((float("nan"), float("inf"), -float("inf"), 1e30, -3e38)):
        if place * 7 < len(rows):
            rows[place * 7, place] = value
    return rows


def one_by_one(discriminator: nn.Module, real: Tensor, fake: Tensor, clip: float):
    total = torch.zeros(sum(each.numel() for each in discriminator.parameters()))
    total = total.double()
    for rows, target in ((real, 1.0), (fake, 0.0)):
        for row in rows:
            logit = discriminator(row[None])
            loss = functional.binary_cross_entropy_with_logits(logit, torch.tensor([target]))
            gradient = gradient_of(discriminator, loss)
            if row.isfinite().all() and gradient.norm().isfinite():
                total += clip_one(gradient, clip).double()
    return total


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("number", [0, 1, 2, 257])
@pytest.mark.parametrize("network", ["details", "convolutions"])
def test_the_sum_is_that_of_each_image_clipped_by_itself(shape, number: int, network: str) -> None:
    schema, rng = schema_of(*shape), torch.Generator().manual_seed(number)
    discriminator = make_discriminator(schema, network=network)
    real, fake = spoil(draw_rows(schema, number, rng)), draw_rows(schema, 5, rng)
    for clip in (0.1, 10.0):
        own = copy.deepcopy(discriminator)
        make_step(own, clip=clip).sum_clipped_gradients(real, fake)
        expected = one_by_one(discriminator, real, fake, clip)
        found = flat_gradient(own).double()
        assert found.isfinite().all()
        assert (found - expected).norm() <= 1e-5 * expected.norm()


def worst_ratio(schema: ImageSchema, clip: float, trials: int, network: str) -> float:
    worst = 0.0
    for seed in range(2):
        discriminator = make_discriminator(schema, seed, network)
        step = make_step(discriminator, clip=clip)
        fakes = draw_rows(schema, 5, torch.Generator().manual_seed(99))

        def release(rows: Tensor, step=step, fakes=fakes) -> Tensor:
            step.sum_clipped_gradients(rows, fakes)
            return flat_gradient(step.discriminator).double()

        result = measure_sensitivity(
            release,
            claimed=clip,
            draw_records=lambda rng: draw_rows(
                schema, int(torch.randint(0, 8, (1,), generator=rng)), rng
            ),
            draw_adversary=lambda rng: spoil_at_times(draw_rows(schema, 1, rng), rng),
            trials=trials // 2,
            rng=torch.Generator().manual_seed(seed),
        )
        worst = max(worst, result.worst_ratio)
    return worst


def spoil_at_times(rows: Tensor, rng: torch.Generator) -> Tensor:
    if torch.rand(1, generator=rng) < 0.05:
        rows[0, 0] = float("nan")
    return rows


# One layer on what has norm 1 has gradients of at most 2, so larger clips are never reached.
CLIPS = [("details", clip) for clip in (0.1, 0.5, 1.0)]
CLIPS += [("convolutions", clip) for clip in (0.1, 1.0, 10.0)]


@pytest.mark.parametrize(("network", "clip"), CLIPS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_one_image_moves_a_step_by_at_most_one_clip(shape, network: str, clip: float) -> None:
    assert 0.99 < worst_ratio(schema_of(*shape), clip, 60, network) <= 1 + 1e-6


@pytest.mark.slow
@pytest.mark.parametrize(("network", "clip"), CLIPS)
@pytest.mark.parametrize(
    "shape", [*LARGER, *(pytest.param(each, marks=pytest.mark.long) for each in SHAPES)], ids=str
)
def test_one_image_moves_a_step_by_at_most_one_clip_in_many_trials(
    shape, network: str, clip: float
) -> None:
    assert 0.99 < worst_ratio(schema_of(*shape), clip, 240, network) <= 1 + 1e-6


@pytest.mark.parametrize("shape", SHAPES + LARGER, ids=str)
def test_the_trainer_takes_the_discriminator_of_images(shape) -> None:
    schema, rng = schema_of(*shape), torch.Generator().manual_seed(0)
    rows, discriminator = draw_rows(schema, 20, rng), make_discriminator(schema)
    before = [each.clone() for each in discriminator.parameters()]
    trainer = PrivateTrainer(
        SampledGaussianEvent(noise_multiplier=1.0, sample_rate=0.3, steps=2, purpose="training"),
        discriminator,
        ImageKind(schema).make_optimizer,
        width=width_of(schema),
        max_grad_norm=1.0,
        expected_batch_size=6,
        fake_batch_size=6,
        randomness=SeededRandomness(0),
        path=("site", "study", 1),
        simulation=True,
    )
    trainer.train(20, lambda chosen: rows[chosen], lambda number: draw_rows(schema, number, rng))
    after = list(discriminator.parameters())
    assert all((old != new).any() for old, new in zip(before, after, strict=True))
    assert all(each.isfinite().all() for each in after)
