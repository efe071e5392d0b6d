"""From a budget to noise: what a site may do for a given (epsilon, delta).

Noise is searched with the accountant that reports: every result here costs at most the budget, and
misses it by less than half a percent, unless `MIN_NOISE_MULTIPLIER` already costs less than that.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from privacy.accounting import (
    MIN_NOISE_MULTIPLIER,
    choose_interval,
    compute_epsilon,
    compute_pld_epsilon,
)
from privacy.budget import Budget, Part
from privacy.checks import check_in_unit_interval, check_positive_int
from privacy.events import Event, GaussianEvent, SampledGaussianEvent
from privacy.noise_estimate import estimate_log_noise
from privacy.schedules import make_schedule

__all__ = [
    "EVALUATION_SHARES",
    "SKETCH",
    "TRAINING",
    "SitePlan",
    "calibrate_gaussian",
    "make_plan",
]

SKETCH = "sketch"
TRAINING = "training"
EVALUATION_SHARES = {
    "evaluation-one-way": 0.25,
    "evaluation-two-way": 0.5,
    "evaluation-scores": 0.25,
}
"""Purposes of the releases from the hold-out, and the share of its budget (1 / noise squared)."""

MIN_SHARE = 0.01
"""Below this share the training noise would be decided by rounding in the accountant."""

_AIM = 0.9995
_CLOSE = 2e-4
_LOWEST_AIM = 0.996
_FURTHER = 1.2
_LARGEST_NOISE = 1e6
_Events = Callable[[float], tuple[Event, ...]]


@dataclass(frozen=True, kw_only=True)
class SitePlan:
    """Everything one site will spend in one study, fixed before a row is read.

    Args:
        budget: the most all events together may cost.
        sketch_noise_multiplier: noise of the sketch, or None when there is no sketch.
        training_noise_multiplier: noise of a discriminator step, or None when there is none.
        sample_rate: probability that a unit enters a discriminator step, in (0, 1].
        steps: discriminator steps of the whole study, 0 when there are none.
        adversarial_share: part of the budget, counted as 1 / noise squared, that training gets.
        evaluation: whether noised histograms of the hold-out are released too. They may cost as
            much as everything else, because no unit is in both parts.
    """

    budget: Budget
    sketch_noise_multiplier: float | None
    training_noise_multiplier: float | None
    sample_rate: float
    steps: int
    adversarial_share: float
    evaluation: bool = False

    def events(self) -> tuple[Event, ...]:
        """Return what the site's ledger must hold before the study starts."""
        events = _plan_events(
            self.sketch_noise_multiplier,
            self.training_noise_multiplier,
            self.sample_rate,
            self.steps,
        )
        return (*events, *_evaluation_events(self.budget)) if self.evaluation else events

    @property
    def epsilon(self) -> float:
        """Epsilon of all events together, by PLD, at the budget's delta."""
        return compute_epsilon(self.events(), self.budget.delta)

    def epsilon_of(self, purpose: str) -> float:
        """Epsilon of one purpose's events if they were alone; these add up to more than the whole.

        Args:
            purpose: `"sketch"`, `"training"` or a key of `EVALUATION_SHARES`.
        """
        alone = [event for event in self.events() if event.purpose == purpose]
        return compute_epsilon(alone, self.budget.delta)


@lru_cache(maxsize=256)
def calibrate_gaussian(budget: Budget) -> float:
    """Return the smallest noise multiplier with which one Gaussian release meets the budget.

    The result is never below `MIN_NOISE_MULTIPLIER`, so very large budgets are not used up.
    """
    return _solve_noise(lambda noise: _plan_events(noise, None, 1.0, 0), budget)


@lru_cache(maxsize=256)
def make_plan(
    budget: Budget,
    *,
    sample_rate: float,
    steps: int,
    adversarial_share: float,
    evaluation: bool = False,
) -> SitePlan:
    """Return the plan that spends the budget on a sketch and on discriminator steps.

    If a single Gaussian release of noise s meets the budget, the sketch gets noise
    s / sqrt(1 - adversarial_share); then the discriminator steps get the least noise with which all
    events together stay within the budget.

    Args:
        budget: the most all events together may cost.
        sample_rate: declared probability that a unit enters a step, in (0, 1].
        steps: declared number of discriminator steps, >= 1 unless there are none.
        adversarial_share: 0 for the sketch alone (`steps` is then ignored), 1 for training alone,
            else a share in [0.01, 0.99].
        evaluation: whether the hold-out is evaluated, for the budget once more.

    Raises:
        ValueError: if an argument is out of range.
    """
    check_in_unit_interval(sample_rate, name="sample_rate")
    _check_share(adversarial_share)
    if adversarial_share == 0:
        steps, sketch_noise, training_noise = 0, calibrate_gaussian(budget), None
    else:
        check_positive_int(
            steps, name="steps", hint="for a sketch without training set adversarial_share to 0"
        )
        sketch_noise = None
        if adversarial_share < 1:
            sketch_noise = calibrate_gaussian(budget) / math.sqrt(1 - adversarial_share)
        training_noise = _solve_noise(
            lambda noise: _plan_events(sketch_noise, noise, sample_rate, steps), budget
        )
    return SitePlan(
        budget=budget,
        sketch_noise_multiplier=sketch_noise,
        training_noise_multiplier=training_noise,
        sample_rate=sample_rate,
        steps=steps,
        adversarial_share=adversarial_share,
        evaluation=evaluation,
    )


def _evaluation_events(budget: Budget) -> tuple[Event, ...]:
    """Share the hold-out's budget among its releases; Gaussians add up as 1 / noise squared."""
    noise = calibrate_gaussian(budget)
    return tuple(
        GaussianEvent(
            noise_multiplier=noise / math.sqrt(share), purpose=purpose, part=Part.HOLD_OUT
        )
        for purpose, share in EVALUATION_SHARES.items()
    )


def _plan_events(
    sketch_noise: float | None, training_noise: float | None, sample_rate: float, steps: int
) -> tuple[Event, ...]:
    events: list[Event] = []
    if sketch_noise is not None:
        events.append(GaussianEvent(noise_multiplier=sketch_noise, purpose=SKETCH))
    if training_noise is not None:
        events.append(
            SampledGaussianEvent(
                noise_multiplier=training_noise,
                sample_rate=sample_rate,
                steps=steps,
                purpose=TRAINING,
            )
        )
    return tuple(events)


def _solve_noise(events: _Events, budget: Budget) -> float:
    """Return the noise at which `events(noise)` cost just under the budget.

    The search runs on wide accounting cells; the reported accountant then checks the result and
    moves the aim by the ratio of the two, which settles within a few turns.
    """
    interval = min(1e-3, max(1e-4, budget.epsilon * 1e-3))
    aim = budget.epsilon * _AIM
    for _ in range(8):
        noise = _search(events, budget.delta, aim=aim, interval=interval)
        epsilon = compute_epsilon(events(noise), budget.delta)
        if epsilon <= budget.epsilon and (
            noise == MIN_NOISE_MULTIPLIER or epsilon >= budget.epsilon * _LOWEST_AIM
        ):
            return noise
        if epsilon == 0:
            break
        aim *= budget.epsilon * _AIM / epsilon
    raise ValueError(
        f"no noise meets epsilon {budget.epsilon:g} at delta {budget.delta:g} closely enough; "
        "use a larger epsilon"
    )


def _search(events: _Events, delta: float, *, aim: float, interval: float) -> float:
    """Return the noise with epsilon `aim` on cells of width `interval`, or the least allowed.

    An estimate says where to look, which saves time and decides nothing.
    """
    from scipy.optimize import brentq  # takes long to load, and only a search needs it

    lowest, highest = math.log(MIN_NOISE_MULTIPLIER), math.log(_LARGEST_NOISE)

    def excess(log_noise: float) -> float:
        schedule = make_schedule(events(math.exp(log_noise)))
        # Far from the aim the loss may be so large that cells of the aim's width fill the memory.
        width = max(interval, choose_interval(schedule, delta))
        ratio = compute_pld_epsilon(schedule, delta, interval=width) / aim
        return 0.0 if abs(ratio - 1) <= _CLOSE else ratio - 1

    def expect(epsilon: float) -> float:
        return estimate_log_noise(events, epsilon, delta, lowest, highest)

    low = high = expect(aim)
    # What the estimate gets wrong here it gets wrong nearby, so the other side is not far.
    step = _FURTHER * abs(expect(aim / max(0.1, 1 + excess(low))) - low) + _CLOSE
    while excess(low) < 0:
        if low == lowest:
            return MIN_NOISE_MULTIPLIER
        high, low, step = low, max(lowest, low - min(step, math.log(2))), 2 * step
    while excess(high) > 0:
        if high == highest:
            raise ValueError(f"epsilon {aim:g} is too small to calibrate; use a larger one")
        low, high, step = high, min(highest, high + min(step, math.log(2))), 2 * step
    return math.exp(brentq(excess, low, high, xtol=2e-5))


def _check_share(share: float) -> None:
    if share not in (0, 1) and not MIN_SHARE <= share <= 1 - MIN_SHARE:
        raise ValueError(
            f"adversarial_share must be 0, 1, or in [{MIN_SHARE}, {1 - MIN_SHARE}], got {share!r}"
        )
