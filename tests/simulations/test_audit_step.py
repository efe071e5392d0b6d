"""The audit of single releases: what ships passes, and what is broken does not."""

from __future__ import annotations

import json
from collections.abc import Callable

import broken_releases as broken
import pytest
from tiny_world import SCHEMA

from server.study import Study
from simulations.audits import StepAudit, audit_step
from simulations.audits.step import CLIPS
from synthesis import InputError

TRIALS = 240
STUDY = Study(max_grad_norm=2.5, sample_rate=0.01, nominal_rows=4000)


def worst(audit: StepAudit, name: str, unit: str = "record") -> float:
    return max(m.worst_ratio for m in audit.measured if name in m.name and m.unit == unit)


def test_what_ships_moves_by_its_sensitivity_and_the_audit_reaches_it() -> None:
    audit = audit_step(SCHEMA, STUDY, trials=TRIALS)
    assert audit.holds
    assert [m.name for m in audit.measured[::2]][:4] == [
        "sketch",
        "evaluation-one-way",
        "evaluation-two-way",
        "evaluation-scores",
    ]
    steps = [m for m in audit.measured if "step" in m.name]
    assert [m.claimed for m in steps] == [*CLIPS, 2.5]
    assert steps[-1].name == "discriminator step, clip 2.5, batch 40"
    for each in audit.measured:
        assert 0.99 < each.worst_ratio <= 1 + 1e-5, each
        assert each.trials >= 20
    assert "No violation found" in audit.sentence()


def test_a_sketch_alone_has_no_step_of_its_own() -> None:
    study = Study(rounds=0, adversarial_share=0)
    assert len(audit_step(SCHEMA, study, trials=8).measured) == len(
        audit_step(SCHEMA, trials=8).measured
    )


def test_an_audit_repeats_with_its_seed() -> None:
    first, again, other = (audit_step(SCHEMA, trials=8, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.measured != other.measured


@pytest.mark.parametrize(
    ("breaks", "name", "unit", "at_least"),
    [
        (broken.as_many_fakes_as_real, "step", "record", 1.3),
        (broken.pairs_with_spare_fakes, "step", "record", 1.5),
        (broken.batch_mean, "step", "record", 1.2),
        (broken.tripled_clip, "step", "record", 2.9),
        (broken.clipped_after_averaging, "step", "record", 1.2),
        (broken.batch_norm, "step", "record", 1.2),
        (broken.nothing_clipped, "step", "record", 10.0),
        (broken.persons_not_weighed, "sketch", "person", 2.0),
    ],
)
def test_what_is_broken_is_found(
    monkeypatch: pytest.MonkeyPatch, breaks: Callable, name: str, unit: str, at_least: float
) -> None:
    breaks(monkeypatch)
    audit = audit_step(SCHEMA, trials=60)
    assert not audit.holds
    assert worst(audit, name, unit) > at_least
    assert audit.sentence().startswith(f"VIOLATION: one {unit} moved ")


def test_a_layer_that_normalises_over_the_batch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    broken.a_batch_norm_layer(monkeypatch)
    with pytest.raises(ValueError, match="BatchNorm scales each record"):
        audit_step(SCHEMA, trials=60)


def test_a_violation_without_bound_is_plain_json(monkeypatch: pytest.MonkeyPatch) -> None:
    from privacy import PrivateStep

    exact = PrivateStep.sum_clipped_gradients

    def poisoned(self, real, fake):
        exact(self, real, fake)
        for weight in self.discriminator.parameters():
            weight.grad += float("nan") if len(real) > 1 else 0.0

    monkeypatch.setattr(PrivateStep, "sum_clipped_gradients", poisoned)
    audit = audit_step(SCHEMA, trials=12)
    content = json.loads(json.dumps(audit.to_dict(), allow_nan=False))
    assert not content["holds"]
    assert content["mechanisms"][-1]["worst_ratio"] is None


@pytest.mark.parametrize("trials", [0, -3, 1_000_001])
def test_trials_out_of_range_are_refused(trials: int) -> None:
    with pytest.raises(InputError, match=r"trials must be between 1 and 1,000,000, got"):
        audit_step(SCHEMA, trials=trials)
