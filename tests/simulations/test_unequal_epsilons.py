"""Sites that may spend unequal amounts: each spends its own, and all are better than the least."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import fedsynth
from privacy import replay_ledger
from server.acceptance import find_least_noise
from server.attestation import verify_release
from server.study import Study
from simulations.simulate import SimulationResult
from synthesis import InputError

EPSILONS = (0.3, 1.0, 3.0, 10.0)


def simulate(out: Path | None = None, study: Path | None = None, **more: Any) -> SimulationResult:
    return fedsynth.simulate(study, rounds=0, attacks=False, out=out, **more)


@pytest.mark.slow
@pytest.mark.parametrize("fit_steps", [150, pytest.param(1500, marks=pytest.mark.long)])
def test_together_they_are_better_than_all_at_the_least(tmp_path: Path, fit_steps: int) -> None:
    study = tmp_path / "study.toml"
    study.write_text(f"fit_steps = {fit_steps}\n")
    together = simulate(tmp_path / "out", study, site_epsilons=EPSILONS)
    least = simulate(study=study, epsilon=EPSILONS[0])
    found, worse = (result.report.utility.rows[-1] for result in (together, least))  # type: ignore[union-attr]
    assert found.two_way < 0.7 * worse.two_way
    assert found.boosting_auc > worse.boosting_auc + 0.01  # type: ignore[operator]
    for number, epsilon in enumerate(EPSILONS, start=1):
        ledger = tmp_path / "out" / "sites" / f"site-{number}" / "ledger.sqlite"
        spent = replay_ledger(ledger).epsilon_pld
        assert 0.99 * epsilon < spent <= epsilon
    assert verify_release(tmp_path / "out").holds


def test_lists_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="one for each of 4 sites, got 2"):
        simulate(site_epsilons=(1.0, 2.0))
    with pytest.raises(InputError, match="epsilon must be the largest of site_epsilons, 10, got 1"):
        simulate(site_epsilons=EPSILONS, epsilon=1.0)


def test_a_site_states_the_noise_of_the_epsilon_that_it_states() -> None:
    least = find_least_noise(Study(epsilon=1.0, allow_less_epsilon=True))
    strict = find_least_noise(Study(epsilon=1.0))
    assert least(1.0) == strict(1.0)
    assert least(0.3) > 3 * least(1.0)
    for epsilon in (1.5, 0.0, -1.0, float("nan"), 1e-300):
        assert least(epsilon) == float("inf")
    assert strict(0.3) == float("inf")
