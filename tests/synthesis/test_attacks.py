"""Attacks on rows: they find what is remembered, and raise no alarm where nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from attacked_tables import ROOMY, draw_rows, every_row, make_records
from tiny_world import SCHEMA, make_generator

from synthesis.architecture import GeneratorSettings
from synthesis.attacks import (
    STEPS,
    Records,
    attack_rows,
    choose_targets,
    find_successes,
    log_likelihood,
    row_keys,
)
from synthesis.attacks.copies import count_copies
from synthesis.attacks.likeness import SHARPNESS, Likeness
from synthesis.attacks.singling_out import find_combinations, find_rare_values, isolate
from synthesis.attacks.trial import Trial
from synthesis.generator import Generator
from synthesis.schema import Boolean

SETTINGS = GeneratorSettings.for_schema(ROOMY, num_members=1, num_anchors=8, latent_dim=4, hidden=8)
GENERATOR = Generator(SETTINGS, rng=torch.Generator().manual_seed(0))


def attack(records: Records, seed: int = 0) -> list[Trial]:
    return attack_rows(records, GENERATOR, rng=np.random.default_rng(seed))


def test_a_table_that_remembers_its_rows_is_attacked_in_every_way() -> None:
    trials = attack(make_records(0, remembered=0.95))
    by_rows = [trial for trial in trials if "generator" not in trial.name]  # it saw no row
    won = dict(zip([trial.name for trial in trials], find_successes(trials), strict=True))
    for trial in by_rows:
        assert trial.found.value > trial.baseline.value, trial.name
        if "a value as rare" not in trial.name:  # few columns have a value of one row
            assert won[trial.name], trial.name
    assert not won["likelihood under the published generator"]
    assert {trial.kind for trial in trials} == {"membership", "attribute", "singling-out", "copies"}


@pytest.mark.slow
def test_a_release_that_gives_nothing_away_is_called_attacked_in_few_runs() -> None:
    """At most 5 % of runs; of 100 runs more than 10 have an alarm then with a chance of 1 %."""
    alarms, p_values = 0, []
    for seed in range(100):
        trials = attack(make_records(seed, remembered=0.0, rows=150, synthetic=400), seed)
        alarms += any(find_successes(trials))
        p_values += [trial.p_value for trial in trials if trial.measure == "auc"]
    assert alarms <= 10
    assert 0.02 < np.mean(np.array(p_values) < 0.05) < 0.08  # p-values of AUCs are even


def test_verdicts_share_the_false_alarms_and_spare_overlapping_intervals() -> None:
    close = Trial.of_successes("copies", "x", np.arange(500) < 50, np.arange(500) < 33)
    assert close.p_value < 0.05
    assert find_successes([close]) == [False]  # the intervals overlap
    clear = Trial.of_successes("copies", "x", np.arange(500) < 70, np.arange(500) < 30)
    assert find_successes([clear]) == [True]
    doubtful = replace(clear, p_value=0.01)
    assert find_successes([doubtful]) == [True]
    assert find_successes([doubtful] * 10) == [False] * 10


def test_the_likelihood_of_all_rows_together_is_one_and_that_of_one_a_sum_over_parts() -> None:
    generator = make_generator(SCHEMA, num_members=2, num_anchors=5)
    rows = every_row()
    told = log_likelihood(generator, rows)
    assert np.exp(told).sum() == pytest.approx(1, abs=1e-5)
    columns = [column.detach().double().numpy() for column in generator.mixture().columns]
    row = rows[377]
    parts = np.prod(
        [c[row[2], :, k] if c.ndim == 3 else c[:, k] for c, k in zip(columns, row, strict=True)],
        axis=0,
    )
    assert np.exp(told[377]) == pytest.approx(parts.mean(), rel=1e-6)


def test_columns_with_a_base_for_every_class_are_read_by_the_rows_class() -> None:
    assert any(form.is_given_label for form in GENERATOR.settings.forms)
    generator = make_generator(ROOMY)
    with torch.no_grad():
        generator.base.normal_(generator=torch.Generator().manual_seed(1))
    rng = np.random.default_rng(0)
    drawn = generator.sample_codes(4000, rng)
    others = drawn.copy()
    others[:, ROOMY.label_index] = 1 - others[:, ROOMY.label_index]
    assert log_likelihood(generator, drawn).mean() > log_likelihood(generator, others).mean() + 0.05


def test_distances_count_cells_that_differ_and_how_far_ordered_ones_do() -> None:
    likeness = Likeness(ROOMY)
    row = np.array([[0, 0, 0, 0, 0, 0, 0]], dtype=np.int16)
    far = np.array([[59, 8, 1, 4, 1, 20, 7]], dtype=np.int16)  # two of them missing
    near = np.array([[1, 1, 0, 1, 0, 1, 0]], dtype=np.int16)
    table = np.concatenate([row, far, near])
    [(part, distances)] = likeness.compare(row, table)
    assert part == slice(0, 1)
    expected = 0.5 * (1 + 1 / 59) + 1 + 0.5 * (1 + 1 / 4) + 0.5 * (1 + 1 / 19)
    assert distances[0] == pytest.approx([0, 7, expected])


def test_the_density_of_an_independent_table_is_the_product_of_its_columns() -> None:
    likeness, rng = Likeness(SCHEMA), np.random.default_rng(0)
    whole = every_row()  # columns are independent in a table that has every row once
    shares = [np.full(size, 1 / size) for size in SCHEMA.sizes]
    rows = whole[rng.permutation(len(whole))[:20]]
    told = np.concatenate(
        [likeness.log_density(distances) for _, distances in likeness.compare(rows, whole)]
    )
    assert likeness.log_independent(rows, shares) == pytest.approx(told, abs=1e-3)
    [(_, distances)] = likeness.compare(rows[:1], rows)
    naive = np.log(np.exp(-SHARPNESS * distances.astype(np.float64)).mean())
    assert likeness.log_density(distances)[0] == pytest.approx(naive, rel=1e-5)


def test_the_guessed_columns_are_the_label_and_the_hardest_words_by_public_rows_alone() -> None:
    records = make_records(0, remembered=0.0)
    names = [ROOMY.names[index] for index in choose_targets(records)]
    assert names[0] == "outcome"
    assert set(names[1:]) == {"colour", "town"}
    swapped = replace(records, members=records.others, others=records.members)
    assert choose_targets(swapped) == choose_targets(records)


def test_predicates_are_as_rare_as_one_row_and_isolate_exactly_one() -> None:
    rng = np.random.default_rng(0)
    synthetic = draw_rows(600, rng)
    for find in (find_rare_values, find_combinations):
        for predicate in find(synthetic, 3.0, rng):
            holds = np.all([synthetic[:, index] == code for index, code in predicate], axis=0)
            assert 1 <= holds.sum() <= 4
    rows = np.array([[1, 1], [1, 2], [2, 2]], dtype=np.int16)
    predicates = [[(0, 1)], [(0, 2)], [(0, 1), (1, 2)], [(1, 9)]]
    assert isolate(predicates, rows).tolist() == [False, True, True, False]


def test_copies_are_counted_code_by_code() -> None:
    records = make_records(1, remembered=1.0)
    trial = count_copies(records)
    published = set(map(tuple, records.synthetic.tolist()))
    for rows, found in ((records.members, trial.found), (records.others, trial.baseline)):
        assert found.value == np.mean([tuple(row) in published for row in rows.tolist()])
    assert trial.tried == 200
    rows = every_row()
    assert len(set(row_keys(rows).tolist())) == len(rows)


def test_the_work_does_not_grow_with_many_rows_or_columns() -> None:
    wide = ROOMY.model_copy(
        update={"columns": tuple(Boolean(name=f"c{i}") for i in range(100)), "label": "c0"}
    )
    rows = np.zeros((30_000, 100), dtype=np.int16)
    records = Records(schema=wide, synthetic=rows, members=rows, others=rows)
    assert len(records.tried[0]) == len(records.tried[1]) == 1000
    assert len(records.compared) == 10_000


def test_attacks_are_repeatable_and_tell_how_far_they_are() -> None:
    records, steps = make_records(2, remembered=0.5), []
    first = attack_rows(
        records, GENERATOR, rng=np.random.default_rng(5), on_step=lambda: steps.append(1)
    )
    assert first == attack(records, 5)
    assert len(steps) == STEPS


def test_unequal_or_empty_tables_are_refused_and_rows_are_not_shown() -> None:
    records = make_records(0, remembered=0.0)
    with pytest.raises(ValueError, match="as many members as others"):
        replace(records, others=records.others[1:])
    with pytest.raises(ValueError, match="must have rows"):
        replace(records, synthetic=records.synthetic[:0])
    assert "members" not in repr(records)
