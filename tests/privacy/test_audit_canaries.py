"""Canaries in gradients and counts: they move what is released by exactly what is claimed."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import torch
from private_steps import WIDTH, draw_fakes, make_discriminator
from scipy import sparse, stats

from privacy import SampledGaussianEvent, SeededRandomness
from privacy.audits import Training, rehearse_training, score_projections
from privacy.audits.scores import score_step

CANARIES = 40
INCLUDED = np.arange(CANARIES) % 2 == 0


def score(
    *, noise: float, rate: float = 1.0, steps: int = 1, clip: float = 0.7, seed: int = 0
) -> np.ndarray:
    event = SampledGaussianEvent(
        noise_multiplier=noise, sample_rate=rate, steps=steps, purpose="training"
    )
    others = 30
    rows = draw_fakes(others + int(INCLUDED.sum()), seed=3)
    return rehearse_training(
        Training(
            event=event,
            max_grad_norm=clip,
            expected_batch_size=17,
            make_optimizer=partial(torch.optim.Adam, lr=0.1),
        ),
        make_discriminator(),
        width=WIDTH,
        take_rows=lambda units: rows[units],
        marks=np.concatenate([np.full(others, -1), np.flatnonzero(INCLUDED)]),
        canaries=CANARIES,
        draw_fakes=partial(draw_fakes, seed=4),
        randomness=SeededRandomness(seed),
        path=("audit",),
    )


@pytest.mark.parametrize("clip", [1e-3, 0.7, 1e3])
def test_a_canary_moves_every_step_by_exactly_one_clip_of_its_own(clip: float) -> None:
    noise, steps = 1e-3, 5
    products = score(noise=noise, steps=steps, clip=clip) * noise**2 / steps + 0.5
    np.testing.assert_allclose(products, INCLUDED, atol=6 * noise / steps**0.5)


def test_the_noise_along_a_canary_is_that_of_the_event() -> None:
    noise = 2.0
    products = np.concatenate([score(noise=noise, seed=s) * noise**2 + 0.5 for s in range(20)])
    residual = (products - np.tile(INCLUDED, 20)) / noise
    assert stats.kstest(residual, "norm").pvalue > 1e-3


def test_canaries_that_are_out_are_told_apart_over_sampled_steps() -> None:
    scores = score(noise=0.5, rate=0.3, steps=60)
    assert scores[INCLUDED].min() > scores[~INCLUDED].max()


def test_a_rehearsal_repeats_with_its_seed() -> None:
    again = partial(score, noise=1.0, rate=0.5, steps=3)
    np.testing.assert_array_equal(again(seed=1), again(seed=1))
    assert not np.array_equal(again(seed=1), again(seed=2))


@pytest.mark.parametrize("rate", [0.05, 1.0])
def test_a_steps_score_is_the_ratio_of_the_densities(rate: float) -> None:
    products, noise = np.array([-1.0, 0.0, 0.4, 2.0]), 0.8
    there, gone = stats.norm(1, noise).pdf(products), stats.norm(0, noise).pdf(products)
    np.testing.assert_allclose(
        score_step(products, noise_multiplier=noise, rate=rate),
        np.log((1 - rate) + rate * there / gone),
    )


def test_far_apart_canaries_are_scored_by_their_own_projection() -> None:
    contributions = sparse.csr_array(2.0 * np.eye(3, 5))
    release, noise = np.array([2.5, -0.5, 1.0, 9.0, 9.0]), 1.5
    np.testing.assert_allclose(
        score_projections(release, contributions, noise_std=noise),
        (contributions @ release - 2.0) / noise**2,
    )


def test_what_other_canaries_add_is_taken_out() -> None:
    """Two canaries share a cell; that the first is in must not make the second look so."""
    contributions = sparse.csr_array(np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]]))
    first_alone = np.array([1.0, 1.0, 0.0])
    scores = score_projections(first_alone, contributions, noise_std=0.1)
    assert scores[0] > 10
    assert scores[1] < -10
    assert math.isclose(scores[0], -scores[1], rel_tol=1e-9)
