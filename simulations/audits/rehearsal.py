"""The rehearsal of a study: its own code and settings, on rows that are nobody's, and canaries.

The attacker is the strongest that the promise is about: knows every row but the canaries' coins,
sees the noisy sketch and the noisy gradient sum of every step, and knows the noise. Of the releases
only those from training units are rehearsed.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from privacy import (
    Event,
    GaussianEvent,
    Part,
    Randomness,
    SampledGaussianEvent,
    SeededRandomness,
    SystemRandomness,
    compute_epsilon,
    gaussian_mechanism,
)
from privacy.audits import (
    Bounds,
    Training,
    guess_members,
    judge,
    rehearse_training,
    score_projections,
)
from privacy.canaries import count_guesses
from server.study import Study
from simulations.audits.canaries import Canaries, draw_canaries
from simulations.audits.claims import CONTROL, AuditedClaim, Rehearsal
from simulations.audits.rows import draw_codes, find_public_rows
from simulations.settings import plan_of
from synthesis import InputError
from synthesis.discriminator import Discriminator, make_discriminator_optimizer
from synthesis.kinds.tables import count_for_sketch
from synthesis.layout import SketchLayout
from synthesis.rows import to_one_hot
from synthesis.schema import Schema

__all__ = ["CANARIES", "MOST_OTHERS", "rehearse"]

CANARIES = 1000
FEWEST_CANARIES, MOST_CANARIES = 1000, 5000
MOST_OTHERS = 100_000
CONFIDENCE = 0.95

_USUAL_OTHERS = 5000
_MOST_FAKES = 1024
"""Fakes, and the divisor of a gradient sum, at most: constants that no canary changes."""
_ALL = "all together"

Scores = dict[str, NDArray[np.float64]]


def rehearse(
    study: Study,
    schema: Schema,
    *,
    canaries: int = CANARIES,
    rows: int | None = None,
    seed: int | None = None,
) -> Rehearsal:
    """Run a study's private part on rows that are nobody's, and try to find the canaries.

    Args:
        study: its settings; nothing of them is changed.
        schema: of the tables, and the unit that is protected.
        canaries: made-up units, each in by a fair coin, in [1000, 5000].
        rows: other units beside them, in [0, 100000]; as many as the study declares for a site,
            but 5000 at most, when left out.
        seed: repeats the rehearsal; left out, everything is drawn from the operating system.

    Raises:
        InputError: if a number is out of range, or no noise meets the budget.
    """
    number = min(study.nominal_rows, _USUAL_OTHERS) if rows is None else rows
    _check_numbers(canaries, number)
    events = [event for event in plan_of(study).events() if event.part is Part.TRAINING]
    randomness = SystemRandomness() if seed is None else SeededRandomness(seed)
    beside, source = find_public_rows(schema, number, randomness.numpy("rows"))
    runs = []
    for name, factor in (("rehearsal", 1), ("control", CONTROL)):
        drawn = draw_canaries(
            schema.sizes,
            canaries,
            beside=beside,
            is_person=schema.unit.kind == "person",
            randomness=randomness,
            path=(name,),
        )
        weaker = [replace(e, noise_multiplier=e.noise_multiplier / factor) for e in events]
        scores = _score_releases(study, schema, weaker, drawn, randomness, name)
        runs.append((drawn.included, scores))
    return Rehearsal(
        study=study.name,
        delta=study.delta,
        unit=schema.unit.kind,
        canaries=canaries,
        rows=number,
        source=source,
        confidence=CONFIDENCE,
        seed=seed,
        claims=_judge_claims(events, study.delta, runs),
    )


def _judge_claims(
    events: list[Event], delta: float, runs: list[tuple[NDArray[np.bool_], Scores]]
) -> tuple[AuditedClaim, ...]:
    """Judge each release by itself and, if there are several, all of them together."""
    claims = {event.purpose: [event] for event in events}
    if len(events) > 1:
        claims[_ALL] = events
    # All bounds are to hold together, so each gets its part of what may go wrong.
    significance = (1 - CONFIDENCE) / len(claims)

    def bounds(own: list[Event], run: tuple[NDArray[np.bool_], Scores], epsilon: float) -> Bounds:
        included, scores = run
        total = sum((scores[event.purpose] for event in own), np.zeros(len(included)))
        guesses = guess_members(total, included, made=count_guesses(len(included)))
        return judge(guesses, own, epsilon=epsilon, delta=delta, significance=significance)

    audited = []
    for name, own in claims.items():
        epsilon = compute_epsilon(own, delta)
        found, control = (bounds(own, run, epsilon) for run in runs)
        audited.append(AuditedClaim(name=name, epsilon=epsilon, found=found, control=control))
    return tuple(audited)


def _score_releases(
    study: Study,
    schema: Schema,
    events: list[Event],
    canaries: Canaries,
    randomness: Randomness,
    name: str,
) -> Scores:
    """Release what the site would release and score the canaries, by purpose."""
    scores: Scores = {}
    for event in events:
        if isinstance(event, GaussianEvent):
            scores[event.purpose] = _score_sketch(schema, event, canaries, randomness, name)
        else:
            scores[event.purpose] = _score_training(
                study, schema, event, canaries, randomness, name
            )
    return scores


def _score_sketch(
    schema: Schema,
    event: GaussianEvent,
    canaries: Canaries,
    randomness: Randomness,
    name: str,
) -> NDArray[np.float64]:
    layout = SketchLayout.from_schema(schema)
    counts, sensitivity = count_for_sketch(layout, canaries.units())
    released = gaussian_mechanism(
        counts,
        sensitivity=sensitivity,
        noise_multiplier=event.noise_multiplier,
        stream=randomness.stream(name, "sketch"),
    )
    return score_projections(
        released - canaries.count_others(layout),
        canaries.contributions(layout),
        noise_std=event.noise_multiplier * sensitivity,
    )


def _score_training(
    study: Study,
    schema: Schema,
    event: SampledGaussianEvent,
    canaries: Canaries,
    randomness: Randomness,
    name: str,
) -> NDArray[np.float64]:
    sizes, units = schema.sizes, canaries.units()
    rng = randomness.numpy(name, "fakes")
    first = units.choose_rows(np.arange(units.n_units), np.zeros(units.n_units))
    codes = units.codes[first]  # a canary's rows are all the same
    return rehearse_training(
        Training(
            event=event,
            max_grad_norm=study.max_grad_norm,
            expected_batch_size=min(study.expected_batch_size, _MOST_FAKES),
            make_optimizer=make_discriminator_optimizer,
        ),
        Discriminator(sum(sizes), rng=randomness.torch(name, "discriminator")),
        width=sum(sizes),
        take_rows=lambda chosen: to_one_hot(codes[chosen.numpy()], sizes),
        marks=canaries.marks(),
        canaries=len(canaries.codes),
        draw_fakes=lambda number: to_one_hot(draw_codes(sizes, number, rng), sizes),
        randomness=randomness,
        path=(name, "training"),
    )


def _check_numbers(canaries: int, rows: int) -> None:
    if not FEWEST_CANARIES <= canaries <= MOST_CANARIES:
        raise InputError(
            f"canaries must be between {FEWEST_CANARIES:,} and {MOST_CANARIES:,}, got {canaries}; "
            "with fewer no violation could be shown, and with more they are in each other's way.",
            argument="canaries",
        )
    if not 0 <= rows <= MOST_OTHERS:
        raise InputError(
            f"rows must be between 0 and {MOST_OTHERS:,}, got {rows}; they only stand beside the "
            "canaries.",
            argument="rows",
        )
