"""When a ledger says no: PLD for what is declared at once, a Rényi filter for what comes later."""

from functools import lru_cache
from pathlib import Path

import pytest
from signed_ledgers import KEY, create_ledger, make_policy

from privacy import (
    Approver,
    Budget,
    BudgetExceeded,
    Event,
    GaussianEvent,
    Ledger,
    Part,
    SampledGaussianEvent,
    approve,
    calibrate_gaussian,
    compute_epsilon,
)
from privacy.accounting import compute_rdp_epsilon
from privacy.schedules import make_schedule
from privacy.stop_rule import Spending, check_within_budget, choose_order

BUDGET = Budget(epsilon=2, delta=1e-5)
APPROVER = Approver(name="officer", public_key=KEY.public.hex)


def training(steps: int) -> SampledGaussianEvent:
    return SampledGaussianEvent(
        noise_multiplier=2.0, sample_rate=0.1, steps=steps, purpose="training"
    )


def spending(*events: Event) -> Spending:
    return Spending(choose_order(BUDGET), events)


@lru_cache
def most_steps(reserved: tuple[SampledGaussianEvent, ...]) -> int:
    """Return how many more steps are allowed, found by bisection."""
    low, high = 0, 1_000
    while high - low > 1:  # about ten turns
        steps = (low + high) // 2
        try:
            check_within_budget(spending(*reserved), [training(steps)], BUDGET)
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
        check_within_budget(spending(training(most_steps(()))), [training(1)], BUDGET)
    assert caught.value.remaining == 0


@pytest.mark.parametrize("epsilon", [0.1, 1, 10])
def test_the_order_is_fixed_by_the_budget_and_suits_gaussians(epsilon: float) -> None:
    budget = Budget(epsilon=epsilon, delta=1e-5)
    order = choose_order(budget)
    events = [GaussianEvent(noise_multiplier=4 / epsilon, purpose="sketch")]
    best = compute_epsilon(events, 1e-5, "rdp")
    assert best <= compute_rdp_epsilon(make_schedule(events), 1e-5, (order,)) <= 1.1 * best


def test_spending_goes_on_where_it_stopped() -> None:
    events = [training(7), GaussianEvent(noise_multiplier=9, purpose="sketch"), training(3)]
    grown = Spending(18.0)
    assert grown.compute_rdp(Part.TRAINING) is None
    for event in events:
        grown.add(event)
        assert grown.compute_rdp(Part.TRAINING) > 0
    at_once = Spending(18.0, events)
    assert grown.compute_rdp(Part.TRAINING) == pytest.approx(at_once.compute_rdp(Part.TRAINING))
    assert grown.compute_rdp(Part.HOLD_OUT) is None


def gaussian(noise: float, part: Part) -> GaussianEvent:
    return GaussianEvent(noise_multiplier=noise, purpose="release", part=part)


def test_each_part_has_the_whole_budget_and_no_more() -> None:
    """A unit lies in one part, so a part that is used up leaves the other one whole."""
    all_of_it = calibrate_gaussian(BUDGET)
    used = spending(gaussian(all_of_it, Part.TRAINING))
    check_within_budget(used, [gaussian(all_of_it, Part.HOLD_OUT)], BUDGET)
    refused = [
        [gaussian(100, Part.TRAINING)],
        [gaussian(all_of_it * 0.98, Part.HOLD_OUT)],
        [gaussian(50, Part.HOLD_OUT), gaussian(100, Part.TRAINING)],
    ]
    for events in refused:
        with pytest.raises(BudgetExceeded):
            check_within_budget(used, events, BUDGET)
    used.add(gaussian(all_of_it, Part.HOLD_OUT))
    with pytest.raises(BudgetExceeded):
        check_within_budget(used, [gaussian(100, Part.HOLD_OUT)], BUDGET)


def fill(ledger: Ledger, noise: float) -> int:
    """Reserve one study after the other until the ledger says no; return how many it took."""
    for number in range(1, 200):
        try:
            ledger.reserve(f"{ledger.policy.epsilon}-{number}", [gaussian(noise, Part.TRAINING)])
        except BudgetExceeded:
            return number - 1
    raise AssertionError("the ledger never says no")


def test_a_larger_budget_does_not_change_the_order_of_the_filter(tmp_path: Path) -> None:
    """The order is chosen before the first release: one picked later would depend on releases."""
    ledger = create_ledger(tmp_path / "l", make_policy(1.0, approvers=[APPROVER]))
    fill(ledger, 20.0)
    larger = ledger.policy.model_copy(update={"epsilon": 4.0})
    ledger.change_policy(larger, approve(larger, replacing=ledger.policy_digest, key=KEY))
    assert choose_order(larger.budget) != choose_order(ledger.header.budget)
    fill(ledger, 20.0)
    order = choose_order(ledger.header.budget)
    events = list(ledger.events())
    one_more = [*events, gaussian(20.0, Part.TRAINING)]
    assert compute_rdp_epsilon(make_schedule(events), 1e-5, (order,)) <= 4.0
    assert compute_rdp_epsilon(make_schedule(one_more), 1e-5, (order,)) > 4.0
    better = (choose_order(larger.budget),)
    assert compute_rdp_epsilon(make_schedule(one_more), 1e-5, better) < 4.0


def test_a_hair_above_the_budget_is_refused() -> None:
    """By PLD for a first reservation, by the filter for a later one."""
    first = most_steps(())
    exact = Budget(epsilon=compute_epsilon([training(first)], 1e-5), delta=1e-5)
    check_within_budget(Spending(choose_order(exact)), [training(first)], exact)
    less = Budget(epsilon=exact.epsilon * 0.9999, delta=1e-5)
    with pytest.raises(BudgetExceeded):
        check_within_budget(Spending(choose_order(less)), [training(first)], less)
    order = choose_order(BUDGET)
    both = compute_rdp_epsilon(make_schedule([training(100)]), 1e-5, (order,))
    for factor, fits in ((1.00001, True), (0.9999, False)):
        budget = Budget(epsilon=both * factor, delta=1e-5)
        spending = Spending(order, [training(50)])
        if fits:
            check_within_budget(spending, [training(50)], budget)
        else:
            with pytest.raises(BudgetExceeded):
                check_within_budget(spending, [training(50)], budget)


def test_what_is_no_number_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("privacy.stop_rule._rdp_of", lambda *_: float("nan"))
    with pytest.raises(BudgetExceeded):
        check_within_budget(Spending(4.0, [training(1)]), [training(1)], BUDGET)
