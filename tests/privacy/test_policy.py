"""Policies: what one study may be, and which changes allow more than before."""

from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from signed_ledgers import KEY, OTHER_KEY, make_policy

from privacy import (
    Approver,
    Event,
    GaussianEvent,
    Part,
    Policy,
    PolicyViolation,
    SampledGaussianEvent,
    StudyKind,
    compute_epsilon,
)
from privacy.policy import (
    SEND_DISCRIMINATOR,
    TOLD_APART,
    check_study,
    find_kinds,
    find_loosened,
)

SKETCH = GaussianEvent(noise_multiplier=5.0, purpose="sketch")
TRAINING = SampledGaussianEvent(noise_multiplier=4.0, sample_rate=0.1, steps=30, purpose="training")
EVALUATION = GaussianEvent(noise_multiplier=5.0, purpose="scores", part=Part.HOLD_OUT)
ALL = (SKETCH, TRAINING, EVALUATION)
OFFICER = Approver(name="officer", public_key=KEY.public.hex)
DEAN = Approver(name="dean", public_key=OTHER_KEY.public.hex)
COST = compute_epsilon([SKETCH, TRAINING], 1e-5)


def test_what_is_within_the_policy_is_allowed() -> None:
    policy = make_policy(
        4,
        holdout=0.2,
        max_rounds=7,
        models=("mixture", "flow"),
        smallest_noise_multiplier=4.0,
        max_epsilon_per_study=COST,
        expires="2030-05-01",
    )
    check_study(policy, ALL, rounds=7, model="flow", today=date(2030, 5, 1))
    check_study(policy, [], today=date(2030, 5, 1))


REFUSED: list[tuple[dict[str, Any], tuple[Event, ...], dict[str, Any], str]] = [
    ({"expires": "2030-05-01"}, ALL, {"today": date(2030, 5, 2)}, "expires"),
    ({"study_kinds": ("adversarial", "evaluation")}, ALL, {}, "study_kinds"),
    ({"study_kinds": ("sketch", "evaluation")}, ALL, {}, "study_kinds"),
    ({"study_kinds": ("sketch", "adversarial")}, ALL, {}, "study_kinds"),
    ({"study_kinds": ()}, (SKETCH,), {}, "study_kinds"),
    ({"holdout": 0}, ALL, {}, "holdout"),
    ({}, ALL, {"model": "flow"}, "models"),
    ({"models": ()}, ALL, {}, "models"),
    ({TOLD_APART: False}, ALL, {"needs": [TOLD_APART]}, TOLD_APART),
    ({SEND_DISCRIMINATOR: False}, ALL, {"needs": [SEND_DISCRIMINATOR]}, SEND_DISCRIMINATOR),
    ({"max_rounds": 7}, ALL, {"rounds": 8}, "max_rounds"),
    ({"max_rounds": 0}, ALL, {"rounds": 1}, "max_rounds"),
    ({"smallest_noise_multiplier": 4.01}, ALL, {}, "smallest_noise_multiplier"),
    ({"smallest_noise_multiplier": 5.01}, (EVALUATION,), {}, "smallest_noise_multiplier"),
    ({"max_epsilon_per_study": COST - 1e-6}, ALL, {}, "max_epsilon_per_study"),
]


@pytest.mark.parametrize(("changes", "events", "request_", "rule"), REFUSED)
def test_each_rule_says_no_by_its_name(
    changes: dict[str, Any], events: tuple[Event, ...], request_: dict[str, Any], rule: str
) -> None:
    allowing = {"holdout": 0.2} | changes
    with pytest.raises(PolicyViolation, match=rf"\(policy: {rule}\)") as caught:
        check_study(make_policy(4, **allowing), events, **request_)
    assert caught.value.rule == rule


def test_kinds_follow_from_the_events() -> None:
    assert find_kinds([]) == frozenset()
    assert find_kinds([SKETCH]) == {StudyKind.SKETCH}
    assert find_kinds([TRAINING]) == {StudyKind.ADVERSARIAL}
    assert find_kinds(ALL) == set(StudyKind)


BASE: dict[str, Any] = {
    "epsilon": 2.0,
    "delta": 1e-5,
    "max_epsilon_per_study": 1.0,
    "study_kinds": ("sketch", "adversarial"),
    "models": ("mixture",),
    "smallest_noise_multiplier": 1.0,
    "max_rounds": 10,
    "row_count_public": False,
    "may_be_told_apart": False,
    "may_send_discriminator": False,
    "approvers": (OFFICER,),
    "expires": date(2030, 5, 1),
}
LOOSER = [
    ("epsilon", 2.5),
    ("max_epsilon_per_study", 1.1),
    ("max_epsilon_per_study", None),
    ("study_kinds", ("sketch", "adversarial", "evaluation")),
    ("study_kinds", ("evaluation",)),
    ("models", ("mixture", "flow")),
    ("models", ("flow",)),
    ("smallest_noise_multiplier", 0.9),
    ("max_rounds", 11),
    ("row_count_public", True),
    ("may_be_told_apart", True),
    ("may_send_discriminator", True),
    ("approvers", (OFFICER, DEAN)),
    ("approvers", ()),
    ("approvers", (DEAN,)),
    ("approvers", (Approver(name="friend", public_key=OFFICER.public_key),)),
    ("expires", date(2030, 5, 2)),
    ("expires", None),
]
TIGHTER = [
    ("epsilon", 1.5),
    ("max_epsilon_per_study", 0.9),
    ("study_kinds", ("sketch",)),
    ("study_kinds", ()),
    ("models", ()),
    ("smallest_noise_multiplier", 1.1),
    ("max_rounds", 9),
    ("expires", date(2030, 4, 30)),
]


@pytest.mark.parametrize(("name", "value"), LOOSER)
def test_a_looser_setting_is_found_by_its_name(name: str, value: Any) -> None:
    assert find_loosened(Policy(**BASE), Policy(**BASE | {name: value})) == (name,)


@pytest.mark.parametrize(("name", "value"), TIGHTER)
def test_a_tighter_setting_is_not_looser_and_its_return_is(name: str, value: Any) -> None:
    base, tighter = Policy(**BASE), Policy(**BASE | {name: value})
    assert find_loosened(base, base) == find_loosened(base, tighter) == ()
    assert find_loosened(tighter, base) == (name,)


@pytest.mark.parametrize("name", ["row_count_public", TOLD_APART, SEND_DISCRIMINATOR])
def test_what_was_granted_may_be_taken_back(name: str) -> None:
    assert find_loosened(Policy(**BASE | {name: True}), Policy(**BASE)) == ()


def test_what_a_study_needs_is_granted_unless_the_policy_says_otherwise() -> None:
    needs = [TOLD_APART, SEND_DISCRIMINATOR]
    check_study(make_policy(4, holdout=0.2), ALL, needs=needs)
    refusing = dict.fromkeys(needs, False)
    check_study(make_policy(4, holdout=0.2, **refusing), ALL)
    with pytest.raises(PolicyViolation, match=r"may_be_told_apart is false.*max_site_groups = 1"):
        check_study(make_policy(4, holdout=0.2, **refusing), ALL, needs=needs)


def test_every_setting_is_looser_tighter_or_fixed() -> None:
    compared = {name for name, _ in LOOSER} | {"delta", "unit", "holdout"}
    assert compared == set(Policy.model_fields)


def test_one_thing_tighter_does_not_hide_another_that_is_looser() -> None:
    new = Policy(**BASE | {"epsilon": 1.0, "max_rounds": 11, "row_count_public": True})
    assert find_loosened(Policy(**BASE), new) == ("max_rounds", "row_count_public")


def test_the_limit_of_a_study_follows_the_budget_when_it_is_left_out() -> None:
    old, new = make_policy(2.0), make_policy(3.0)
    assert find_loosened(old, new) == ("epsilon", "max_epsilon_per_study")
    assert find_loosened(old, make_policy(2.0, max_epsilon_per_study=2.0)) == ()
    assert find_loosened(new, old) == ()


@pytest.mark.parametrize(("name", "value"), [("delta", 1e-6), ("unit", "person"), ("holdout", 0.1)])
def test_some_settings_are_fixed_for_life(name: str, value: Any) -> None:
    """Not even towards what looks safer: what was released under one cannot be counted again."""
    old, new = Policy(**BASE), Policy(**BASE | {name: value})
    for before, after in ((old, new), (new, old)):
        with pytest.raises(ValueError, match=f"{name} is fixed for the life of a data set"):
            find_loosened(before, after)


@pytest.mark.parametrize(
    "changes",
    [
        {"epsilom": 1},
        {"approvers": [{"name": "a", "public_key": "0" * 64, "role": "dean"}]},
        {"approvers": [{"name": "a", "public_key": "0" * 63}]},
        {"approvers": [{"name": "", "public_key": "0" * 64}]},
        {"epsilon": 0},
        {"epsilon": float("inf")},
        {"epsilon": float("nan")},
        {"delta": 1e-10},
        {"delta": 1},
        {"holdout": 0.51},
        {"holdout": -0.1},
        {"max_epsilon_per_study": 0},
        {"max_epsilon_per_study": 2.1},
        {"smallest_noise_multiplier": 0.29},
        {"smallest_noise_multiplier": float("nan")},
        {"max_rounds": -1},
        {"unit": "household"},
        {"study_kinds": ["sketches"]},
        {"expires": "soon"},
    ],
)
def test_a_policy_that_makes_no_sense_cannot_exist(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Policy(**BASE | changes)


def test_a_policy_cannot_be_changed_in_place() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        make_policy().epsilon = 9.0  # type: ignore[misc]
    with pytest.raises(ValidationError, match="frozen"):
        OFFICER.name = "friend"  # type: ignore[misc]


@settings(max_examples=200, deadline=None)
@given(
    st.floats(min_value=0, exclude_min=True, max_value=1e6),
    st.floats(min_value=1e-10, exclude_min=True, max_value=1, exclude_max=True),
    st.floats(min_value=0, max_value=0.5),
    st.none() | st.dates(),
    st.lists(st.text(min_size=1, max_size=20), max_size=3),
)
def test_a_policy_survives_its_text_with_every_bit(
    epsilon: float, delta: float, holdout: float, expires: date | None, models: list[str]
) -> None:
    try:
        policy = make_policy(
            epsilon, delta, holdout=holdout, expires=expires, models=models, approvers=(OFFICER,)
        )
        text = policy.to_json()
    except ValueError:  # half a letter, which no text file can hold
        return
    assert Policy.from_json(text) == policy
    assert Policy.from_json(text).to_json() == text
