"""Budgets and events: what may exist, and that nothing is lost on the way through JSON."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import Budget, BudgetExceeded, GaussianEvent, SampledGaussianEvent, event_from_dict

NOISE = st.floats(min_value=1e-3, max_value=1e6)
PURPOSE = st.text(st.characters(codec="ascii", categories=["L", "N"]), min_size=1, max_size=20)
EVENTS = st.one_of(
    st.builds(GaussianEvent, noise_multiplier=NOISE, purpose=PURPOSE),
    st.builds(
        SampledGaussianEvent,
        noise_multiplier=NOISE,
        sample_rate=st.floats(min_value=1e-6, max_value=1),
        steps=st.integers(1, 10**6),
        purpose=PURPOSE,
    ),
)


@pytest.mark.parametrize("epsilon", [0, -1, math.nan, math.inf, True])
def test_budget_refuses_epsilon(epsilon: float) -> None:
    with pytest.raises(ValueError, match="epsilon must be"):
        Budget(epsilon=epsilon, delta=1e-5)


@pytest.mark.parametrize("delta", [0, 1e-10, 1e-12, 1, 2, -1e-5, math.nan])
def test_budget_refuses_delta(delta: float) -> None:
    with pytest.raises(ValueError, match="delta must be"):
        Budget(epsilon=1, delta=delta)


def test_budget_is_a_value() -> None:
    assert Budget(epsilon=1, delta=1e-5) == Budget(epsilon=1.0, delta=0.00001)
    assert len({Budget(epsilon=1, delta=1e-5), Budget(epsilon=1.0, delta=1e-5)}) == 1


@given(EVENTS)
def test_events_survive_json(event: GaussianEvent | SampledGaussianEvent) -> None:
    assert event_from_dict(json.loads(json.dumps(event.to_dict()))) == event


@pytest.mark.parametrize("noise", [0, -1.0, math.nan, math.inf])
def test_events_refuse_noise_with_a_way_out(noise: float) -> None:
    with pytest.raises(ValueError, match=r"noise_multiplier must be .* use calibrate_gaussian"):
        GaussianEvent(noise_multiplier=noise, purpose="sketch")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sample_rate", 0),
        ("sample_rate", 1.1),
        ("sample_rate", math.nan),
        ("steps", 0),
        ("steps", -1),
        ("steps", 2.5),
        ("steps", math.nan),
        ("steps", True),
        ("purpose", ""),
        ("purpose", "two\nlines"),
        ("purpose", "x" * 201),
    ],
)
def test_sampled_events_refuse(field: str, value: object) -> None:
    good = {"noise_multiplier": 1.0, "sample_rate": 0.1, "steps": 5, "purpose": "training"}
    with pytest.raises(ValueError, match=f"{field} must be"):
        SampledGaussianEvent(**(good | {field: value}))  # type: ignore[arg-type]


def test_numpy_numbers_become_plain_ones() -> None:
    event = SampledGaussianEvent(
        noise_multiplier=np.float64(1), sample_rate=np.float64(0.5), steps=np.int64(3), purpose="x"
    )
    assert json.dumps(event.to_dict())
    assert type(event.steps) is int


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"mechanism": "laplace", "noise_multiplier": 1.0, "purpose": "x"},
        {"mechanism": "gaussian", "purpose": "x"},
        {"mechanism": "gaussian", "noise_multiplier": 1.0, "purpose": "x", "steps": 3},
        {"mechanism": "gaussian", "noise_multiplier": 0.0, "purpose": "x"},
        {"mechanism": ["gaussian"]},
    ],
)
def test_event_from_dict_refuses_what_it_does_not_know(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"must be|are wrong"):
        event_from_dict(fields)


def test_budget_exceeded_names_both_numbers() -> None:
    error = BudgetExceeded(0.5, 0.25)
    assert (error.requested, error.remaining) == (0.5, 0.25)
    assert "0.5000" in str(error)
    assert "0.2500" in str(error)
