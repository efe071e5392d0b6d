"""The rehearsal: correct code is never refuted, broken code is, and a weak audit says so."""

from __future__ import annotations

import json
from collections.abc import Callable

import broken_releases as broken
import numpy as np
import pytest
from tiny_world import SCHEMA, draw_codes

from server.study import Study
from simulations.audits import Rehearsal, rehearse
from simulations.audits.canaries import Canaries
from simulations.audits.rows import find_public_rows
from simulations.demos import load_demo_schema
from synthesis import InputError
from synthesis.layout import SketchLayout
from synthesis.schema import Schema, UnitOfPrivacy

PERSONS = Schema.model_validate(
    SCHEMA.model_dump() | {"unit": UnitOfPrivacy(kind="person", person_column="id")}
)
SKETCH = Study(rounds=0, adversarial_share=0)
TRAINING = Study(rounds=2, discriminator_steps=10, nominal_rows=600, adversarial_share=0.95)
BOTH = Study(rounds=1, discriminator_steps=10, nominal_rows=600, adversarial_share=0.5)


def run(study: Study, *, seed: int = 0, schema: Schema = SCHEMA, canaries: int = 1000) -> Rehearsal:
    return rehearse(study, schema, canaries=canaries, rows=200, seed=seed)


def show(audit: Rehearsal) -> dict[str, tuple[float, float]]:
    return {claim.name: (claim.found.one_run, claim.found.f_dp) for claim in audit.claims}


@pytest.mark.parametrize(
    ("study", "schema"),
    [
        pytest.param(SKETCH, PERSONS, id="sketch-person"),
        pytest.param(BOTH, SCHEMA, id="both-record"),
        pytest.param(BOTH, PERSONS, id="both-person", marks=pytest.mark.slow),
    ],
)
def test_what_ships_is_not_refuted_and_the_control_is(study: Study, schema: Schema) -> None:
    audit = run(study, schema=schema)
    assert not audit.is_refuted
    assert audit.unit == schema.unit.kind
    every = ["sketch", "training", "all together"]
    assert [claim.name for claim in audit.claims] == (every if study is BOTH else ["sketch"])
    total = audit.claims[-1]
    assert total.epsilon == pytest.approx(1.0, rel=0.005)
    assert total.control.refutes
    assert total.verdict() == "not refuted"
    assert max(total.found.one_run, total.found.f_dp) < 0.9
    assert total.control.f_dp > 1.0
    assert "No violation shown" in audit.sentence()


@pytest.mark.parametrize(
    ("breaks", "study", "named"),
    [
        (broken.quarter_noise_in_the_sketch, SKETCH, "sketch"),
        (broken.persons_not_weighed, SKETCH, "sketch"),
        (broken.quarter_noise_in_training, TRAINING, "training"),
        pytest.param(broken.tripled_clip, TRAINING, "training", marks=pytest.mark.slow),
        pytest.param(broken.records_used_three_times, TRAINING, "training", marks=pytest.mark.slow),
        pytest.param(
            broken.every_record_in_every_step, TRAINING, "training", marks=pytest.mark.slow
        ),
    ],
)
def test_what_is_broken_is_refuted(
    monkeypatch: pytest.MonkeyPatch, breaks: Callable, study: Study, named: str
) -> None:
    breaks(monkeypatch)
    audit = run(study, schema=PERSONS)
    assert audit.is_refuted
    assert "REFUTED" in {claim.verdict() for claim in audit.claims if claim.name == named}
    assert audit.sentence().startswith("VIOLATION: for ")


def test_an_audit_that_misses_its_control_calls_itself_too_weak() -> None:
    audit = run(Study(rounds=0, adversarial_share=0, epsilon=10))
    assert not audit.is_refuted
    assert audit.weak == ("sketch",)
    assert audit.claims[0].verdict() == "too weak"
    assert "too weak to show one" in audit.sentence()


def test_a_rehearsal_repeats_with_its_seed_and_only_with_it() -> None:
    assert run(SKETCH, seed=4) == run(SKETCH, seed=4)
    drawn = [rehearse(SKETCH, SCHEMA, rows=50) for _ in range(2)]
    assert drawn[0].seed is None
    assert drawn[0].claims != drawn[1].claims


def test_the_coins_are_fair_and_the_canaries_those_of_the_schema() -> None:
    from privacy import SeededRandomness
    from simulations.audits.canaries import draw_canaries

    drawn = draw_canaries(
        SCHEMA.sizes,
        4000,
        beside=draw_codes(3),
        is_person=False,
        randomness=SeededRandomness(0),
        path=("test",),
    )
    assert abs(drawn.included.mean() - 0.5) < 4 * 0.5 / 4000**0.5
    assert (drawn.codes.max(axis=0) == np.array(SCHEMA.sizes) - 1).all()
    assert drawn.units().n_units == 3 + drawn.included.sum()


@pytest.mark.parametrize("is_person", [False, True])
def test_marks_name_the_units_and_contributions_add_up(is_person: bool) -> None:
    canaries = Canaries(
        codes=draw_codes(12, seed=5),
        included=np.arange(12) % 3 == 0,
        beside=draw_codes(7, seed=6),
        is_person=is_person,
    )
    units, marks = canaries.units(), canaries.marks()
    assert units.n_units == len(marks) == 11
    first = units.choose_rows(np.arange(11), np.zeros(11))
    known = marks >= 0
    np.testing.assert_array_equal(units.codes[first][known], canaries.codes[marks[known]])
    layout = SketchLayout.from_schema(SCHEMA)
    from synthesis.kinds.tables import count_for_sketch

    total = count_for_sketch(layout, units)[0] - canaries.count_others(layout)
    np.testing.assert_allclose(
        canaries.contributions(layout)[canaries.included].sum(axis=0), total, rtol=1e-5
    )


def test_the_rows_beside_are_public_ones_where_there_are_any() -> None:
    schema, rng = load_demo_schema("adult"), np.random.default_rng(0)
    rows, source = find_public_rows(schema, 100, rng)
    assert (rows.shape, source) == ((100, len(schema.sizes)), "rows of the public table adult")
    for other, number in ((SCHEMA, 5), (schema, 50_000)):
        rows, source = find_public_rows(other, number, rng)
        assert rows.shape == (number, len(other.sizes))
        assert source == "rows drawn uniformly from the schema"


def test_a_rehearsal_is_plain_json() -> None:
    content = json.loads(json.dumps(run(SKETCH).to_dict(), allow_nan=False))
    assert content["claims"][0]["found"]["guesses"] == {
        "canaries": 1000,
        "made": 250,
        "right": content["claims"][0]["found"]["guesses"]["right"],
    }
    assert (content["refuted"], content["too_weak"]) == (False, [])


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ({"canaries": 999}, "canaries"),
        ({"canaries": 5001}, "canaries"),
        ({"rows": -1}, "rows"),
        ({"rows": 100_001}, "rows"),
    ],
)
def test_numbers_out_of_range_are_refused(words: dict, name: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be between"):
        rehearse(SKETCH, SCHEMA, **words)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", [range(2), pytest.param(range(2, 8), marks=pytest.mark.long)])
def test_correct_code_is_never_refuted_and_a_quarter_of_the_noise_always(seeds: range) -> None:
    """The sketch is of a wide table, where canaries hardly hide each other: power is near 1."""
    for seed in seeds:
        for study, schema in ((SKETCH, load_demo_schema("adult")), (TRAINING, SCHEMA)):
            audit = run(study, seed=100 + seed, schema=schema)
            assert not audit.is_refuted, (seed, show(audit))
            assert audit.claims[-1].control.refutes, (seed, show(audit))


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize(
    "breaks", [broken.quarter_noise_in_training, broken.records_used_three_times]
)
def test_of_ten_runs_all_correct_ones_stay_low_and_nine_broken_ones_are_refuted(
    monkeypatch: pytest.MonkeyPatch, breaks: Callable
) -> None:
    correct = [run(TRAINING, seed=seed).claims for seed in range(10)]
    assert max(claim.found.one_run for claims in correct for claim in claims) <= 0.4
    breaks(monkeypatch)
    refuted = [run(TRAINING, seed=seed).is_refuted for seed in range(10)]
    assert sum(refuted) >= 9
