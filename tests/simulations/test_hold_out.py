"""The hold-out of a simulation: how large it is, and when it is asked for."""

from __future__ import annotations

import pytest
from tiny_sites import make_study

from simulations.settings import USUAL_HOLDOUT, SimulationSettings
from synthesis import InputError


@pytest.mark.parametrize(
    ("given", "evaluation", "share"),
    [
        (None, False, 0.0),
        (None, True, USUAL_HOLDOUT),
        (0.25, True, 0.25),
        (0.25, False, 0.25),
        (0.0, False, 0.0),
    ],
)
def test_an_evaluation_brings_a_hold_out(
    given: float | None, evaluation: bool, share: float
) -> None:
    settings = SimulationSettings(holdout=given)
    assert settings.holdout_for(make_study(evaluation=evaluation)) == share


def test_an_evaluation_without_a_hold_out_is_refused() -> None:
    with pytest.raises(InputError, match="holdout must be above 0"):
        SimulationSettings(holdout=0.0).holdout_for(make_study(evaluation=True))


@pytest.mark.parametrize("share", [-0.1, 0.51, float("nan")])
def test_a_share_out_of_range_is_refused(share: float) -> None:
    with pytest.raises(ValueError):
        SimulationSettings(holdout=share)
