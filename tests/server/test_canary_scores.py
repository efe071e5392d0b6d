"""Guesses from a noisy sketch: few beat chance beside honest noise, many beside a quarter of it."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

from privacy import GaussianEvent, Part, SeededRandomness, compute_epsilon, gaussian_mechanism
from privacy.audits import Bounds, guess_members, judge
from privacy.canaries import count_guesses, draw_canaries
from server.canaries import score_canaries
from server.study import Study
from simulations.demos import load_demo
from synthesis.contributions import find_contributions
from synthesis.encoding import encode
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.targets import estimate_rows

SITES = 4
DELTA = 1e-5


@cache
def census() -> tuple[Any, SketchLayout, np.ndarray, np.ndarray]:
    """The layout, one site's rows in the sketch, and those of all: as a good generator knows them.

    The test in `tests/simulations` takes a fitted one.
    """
    demo = load_demo("adult")
    layout = SketchLayout.from_schema(demo.schema)
    codes = encode(demo.schema, demo.train)
    return (
        demo.schema,
        layout,
        compute_sketch(layout, codes[::SITES]),
        compute_sketch(layout, codes),
    )


@cache
def event_at(epsilon: float) -> GaussianEvent:
    found = Study(epsilon=epsilon, delta=DELTA).make_plan().events()[0]
    assert isinstance(found, GaussianEvent) and found.part is Part.TRAINING
    return found


def audit(
    epsilon: float, seed: int, *, canaries: int = 1000, noise: float = 1.0, all_in: bool = False
) -> tuple[float, Bounds]:
    """Audit one sketch; return the claim and what was found."""
    schema, layout, own, everybody = census()
    randomness, event = SeededRandomness(seed), event_at(epsilon)
    keys = {"study": "a" * 64, "schema": "b" * 64, "public_key": f"{seed:064x}"}
    contributions = find_contributions(layout, draw_canaries(schema.sizes, canaries, **keys))
    coins = randomness.numpy("coins").random(canaries) < 0.5
    released = gaussian_mechanism(
        own + (np.ones(canaries) if all_in else coins) @ contributions,
        sensitivity=layout.sensitivity,
        noise_multiplier=event.noise_multiplier * noise,
        stream=randomness.stream("noise"),
    ).astype(np.float32)
    rows = estimate_rows(layout, released - 0.5 * contributions.sum(axis=0))
    scores = score_canaries(
        contributions,
        released[np.unique(contributions.indices)].astype(np.float64),
        expected=everybody * rows / estimate_rows(layout, everybody),
        noise_std=event.noise_multiplier * layout.sensitivity,
    )
    claim = compute_epsilon([event], DELTA)
    guesses = guess_members(scores, coins, made=count_guesses(canaries))
    return claim, judge(guesses, [event], epsilon=claim, delta=DELTA, significance=0.05)


@pytest.mark.parametrize("epsilon", [1.0, 3.0])
@pytest.mark.parametrize("seed", range(4))
def test_an_honest_sketch_is_bounded_below_its_claim(epsilon: float, seed: int) -> None:
    claim, found = audit(epsilon, seed)
    assert not found.refutes
    assert max(found.one_run, found.f_dp) < 0.75 * claim


@pytest.mark.parametrize("epsilon", [1.0, 3.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_quarter_of_the_noise_is_refuted(epsilon: float, seed: int) -> None:
    claim, found = audit(epsilon, seed, noise=0.25)
    assert found.refutes
    assert found.f_dp > claim


@pytest.mark.parametrize("seed", range(3))
def test_a_site_that_plants_all_whatever_its_coins_say_shows_nothing(seed: int) -> None:
    """It spoils its own audit, and neither looks refuted nor well audited."""
    _, found = audit(1.0, seed, all_in=True, noise=0.25)
    assert not found.refutes
    assert found.one_run < 0.15


def test_the_scores_know_nothing_of_the_coins_but_what_was_released() -> None:
    """Without the canaries in the sketch no coin is told, however little noise there is."""
    schema, layout, own, _ = census()
    keys = {"study": "a" * 64, "schema": "b" * 64, "public_key": "c" * 64}
    contributions = find_contributions(layout, draw_canaries(schema.sizes, 400, **keys))
    scores = score_canaries(
        contributions, own[np.unique(contributions.indices)], expected=own, noise_std=1.0
    )
    coins = np.random.default_rng(0).random(400) < 0.5
    assert abs(guess_members(scores, coins, made=100).right - 50) < 5 * 5
