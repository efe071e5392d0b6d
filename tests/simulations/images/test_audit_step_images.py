"""The audit of single releases on images: what ships passes, and what is broken does not."""

from __future__ import annotations

from collections.abc import Callable

import broken_releases as broken
import numpy as np
import pytest
import torch

from server.study import Study
from simulations.audits import StepAudit, audit_step
from simulations.audits.image_mechanisms import make_image_sketch
from simulations.audits.step import CLIPS
from synthesis.images import sketch
from synthesis.images.discriminator import ImageDiscriminator
from synthesis.images.schema import ImageSchema
from synthesis.images.sketch import ImageLayout

SMALL = ImageSchema(name="small", height=8, width=8, classes=("a", "b"))
COLOUR = ImageSchema(
    name="colour", height=5, width=7, channels=3, classes=("a", "b", "c"), may_flip=True
)
STUDY = Study(model="images", max_grad_norm=2.5, sample_rate=0.01, nominal_rows=4000)


def worst(audit: StepAudit, name: str) -> float:
    return max(each.worst_ratio for each in audit.measured if name in each.name)


@pytest.mark.parametrize(
    "schema",
    [pytest.param(SMALL, id="small", marks=pytest.mark.slow), pytest.param(COLOUR, id="colour")],
)
def test_what_ships_moves_by_its_sensitivity_and_the_audit_reaches_it(schema: ImageSchema) -> None:
    audit = audit_step(schema, STUDY, trials=90)
    assert audit.holds
    assert [each.claimed for each in audit.measured] == [
        ImageLayout.from_schema(schema).sensitivity,
        *CLIPS,
        2.5,
    ]
    assert audit.measured[0].name == "sketch"
    assert audit.measured[-1].name == "discriminator step, clip 2.5, batch 40"
    for each in audit.measured:
        assert 0.99 < each.worst_ratio <= 1 + 1e-6, each
        assert each.unit == "record"
    assert "No violation found" in audit.sentence()


def test_adversaries_are_white_black_random_and_extreme() -> None:
    rng = torch.Generator().manual_seed(0)
    drawn = torch.cat([make_image_sketch(SMALL).draw_adversary(rng) for _ in range(300)])
    pixels, labels = drawn[:, :-1], drawn[:, -1]
    assert (0, 255) == (pixels.min(), pixels.max())
    assert set(labels.tolist()) == {0, 1}
    kinds = [(pixels == 0).all(1), (pixels == 255).all(1), ((pixels > 0) & (pixels < 255)).any(1)]
    extreme = ~(kinds[0] | kinds[1] | kinds[2])
    for each in (*kinds, extreme):
        assert 30 < each.sum() < 150


def test_an_audit_of_images_repeats_with_its_seed() -> None:
    first, again, other = (audit_step(SMALL, trials=6, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.measured != other.measured


def nothing_bounded(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(np, "maximum", lambda norms, whole: whole)


def a_lower_claim(patch: pytest.MonkeyPatch) -> None:
    exact = ImageLayout.sensitivity.fget
    patch.setattr(ImageLayout, "sensitivity", property(lambda self: exact(self) / 1.1))


def off_diagonal_as_diagonal(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sketch, "OFF_DIAGONAL", 2 * sketch.DIAGONAL)


def batch_norm(patch: pytest.MonkeyPatch) -> None:
    """Rows are normalised over their batch, by a function that no look at the layers can see."""
    exact = ImageDiscriminator.forward

    def forward(self: ImageDiscriminator, rows: torch.Tensor) -> torch.Tensor:
        even = torch.nn.functional.batch_norm(rows, None, None, training=True)
        return exact(self, even if len(rows) > 1 else rows)

    patch.setattr(ImageDiscriminator, "forward", forward)


@pytest.mark.parametrize(
    ("breaks", "name", "at_least"),
    [
        (nothing_bounded, "sketch", 1.5),
        (a_lower_claim, "sketch", 1.09),
        (off_diagonal_as_diagonal, "sketch", 1.05),
        (batch_norm, "step", 1.2),
        (broken.as_many_fakes_as_real, "step", 1.2),
        (broken.tripled_clip, "step", 2.9),
        (broken.batch_mean, "step", 1.1),
        (broken.nothing_clipped, "step", 10.0),
    ],
)
def test_what_is_broken_is_found(
    monkeypatch: pytest.MonkeyPatch, breaks: Callable, name: str, at_least: float
) -> None:
    breaks(monkeypatch)
    audit = audit_step(SMALL, trials=36)
    assert not audit.holds
    assert worst(audit, name) > at_least
    assert audit.sentence().startswith("VIOLATION: one record moved ")
