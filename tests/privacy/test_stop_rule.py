"""When a ledger says no: PLD for what is declared at once, a Rényi filter for what comes later."""

from functools import lru_cache

import pytest

from privacy import Budget, BudgetExceeded, GaussianEvent, SampledGaussianEvent, compute_epsilon
from privacy.accounting import compute_rdp_epsilon
from privacy.schedules import make_schedule
from privacy.stop_rule import check_within_budget, choose_order

BUDGET = Budget(epsilon=2, delta=1e-5)


def training(steps: int) -> SampledGaussianEvent:
    return SampledGaussianEvent(
        noise_multiplier=2.0, sample_rate=0.1, steps=steps, purpose="training"
    )


@lru_cache
def most_steps(reserved: tuple[SampledGaussianEvent, ...]) -> int:
    """Return how many more steps are allowed, found by bisection."""
    low, high = 0, 1_000
    while high - low > 1:  # about ten turns
        steps = (low + high) // 2
        try:
            check_within_budget(reserved, [training(steps)], BUDGET)
            low = steps
        except BudgetExceeded:
            high = steps
    return low


def test_a_first_reservation_may_use_the_budget_by_pld() -> None:
    steps = most_steps(())
    assert (
        compute_epsilon([training(steps)], 1e-5) <= 2 < compute_epsilon([training(steps + 1)], 1e-5)
    )
    assert compute_epsilon([training(steps)], 1e-5, "rdp") > 2


def test_later_reservations_stop_by_rdp_which_is_earlier() -> None:
    first = training(50)
    total = 50 + most_steps((first,))
    assert 50 < total < most_steps(())
    assert compute_epsilon([training(total)], 1e-5, "rdp") <= 2
    order = choose_order(BUDGET)
    assert compute_rdp_epsilon(make_schedule([training(total)]), 1e-5, (order,)) <= 2
    assert compute_rdp_epsilon(make_schedule([training(total + 1)]), 1e-5, (order,)) > 2


def test_nothing_follows_a_first_reservation_beyond_the_filter() -> None:
    with pytest.raises(BudgetExceeded) as caught:
        check_within_budget([training(most_steps(()))], [training(1)], BUDGET)
    assert caught.value.remaining == 0


@pytest.mark.parametrize("epsilon", [0.1, 1, 10])
def test_the_order_is_fixed_by_the_budget_and_suits_gaussians(epsilon: float) -> None:
    budget = Budget(epsilon=epsilon, delta=1e-5)
    order = choose_order(budget)
    events = [GaussianEvent(noise_multiplier=4 / epsilon, purpose="sketch")]
    best = compute_epsilon(events, 1e-5, "rdp")
    assert best <= compute_rdp_epsilon(make_schedule(events), 1e-5, (order,)) <= 1.1 * best
