"""Shards: one table for a seed, whoever draws which of them, and exact under conditions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from tiny_world import SCHEMA, make_generator

from synthesis.errors import InputError
from synthesis.sampling import sample_batches, sample_table
from synthesis.schema import Categorical, Integer, Rule, Schema, check_table
from synthesis.sharded_sample import SHARD_ROWS, ShardedSample

BINNED = Schema(
    name="binned",
    columns=(
        Integer(name="age", minimum=0, maximum=99, bins=4),
        Integer(name="gain", minimum=0, maximum=9999, bins=9, transform="log", point_masses=(0,)),
        Categorical(name="outcome", categories=("well", "ill")),
    ),
    label="outcome",
)


def small_shards(num_rows: int, **wanted: object) -> ShardedSample:
    sample = ShardedSample.of(make_generator(), SCHEMA, num_rows, **wanted)  # type: ignore[arg-type]
    return replace(sample, shard_rows=40)


@pytest.mark.parametrize(
    ("rows", "sizes"), [(1, [1]), (39, [39]), (40, [40]), (41, [40, 1]), (100, [40, 40, 20])]
)
def test_shards_have_the_rows_that_were_asked_for(rows: int, sizes: list[int]) -> None:
    sample = small_shards(rows)
    frames = [sample.frame(index) for index in range(sample.num_shards)]
    assert [len(frame) for frame in frames] == sizes
    assert sample.rows_until(sample.num_shards) == rows
    found = check_table(SCHEMA, pd.concat(frames))
    assert [each for each in found if each.rule is not Rule.ONE_CLASS] == []


def test_a_shard_is_the_same_in_any_order_and_unlike_its_neighbours() -> None:
    sample = small_shards(120, seed=3)
    frames = [sample.frame(index) for index in range(3)]
    for index in (2, 0, 1):
        assert_frame_equal(sample.frame(index), frames[index])
    assert not frames[0].equals(frames[1])
    assert not small_shards(120, seed=4).frame(0).equals(frames[0])


def test_a_table_is_its_batches_one_after_the_other() -> None:
    rows = SHARD_ROWS + 7
    table = sample_table(make_generator(), SCHEMA, rows, seed=2)
    batches = list(sample_batches(make_generator(), SCHEMA, rows, seed=2))
    assert [len(batch) for batch in batches] == [SHARD_ROWS, 7]
    assert_frame_equal(pd.concat(batches, ignore_index=True), table)
    assert list(table.index[-2:]) == [rows - 2, rows - 1]


def test_batches_refuse_at_once() -> None:
    with pytest.raises(InputError, match="rows must be at least 1"):
        sample_batches(make_generator(), SCHEMA, 0)
    with pytest.raises(InputError, match="rows must be at most 10,000,000,000"):
        sample_batches(make_generator(), SCHEMA, 10**20 - 1)


CUTTING = [
    (["age<37"], lambda t: t["age"] < 37),
    (["age=60"], lambda t: t["age"] == 60),
    (["age!=60", "age>=51", "age<70"], lambda t: t["age"].between(51, 69) & (t["age"] != 60)),
    (["gain>5000", "outcome=ill"], lambda t: (t["gain"] > 5000) & (t["outcome"] == "ill")),
    (["gain<5", "age>30"], lambda t: (t["gain"] < 5) & (t["age"] > 30)),
]


@pytest.mark.parametrize(("where", "holds"), CUTTING)
def test_conditions_that_cut_bins_are_drawn_as_rejection_would(where: list[str], holds) -> None:
    generator = make_generator(BINNED, num_members=2)
    free = sample_table(generator, BINNED, 300_000, seed=1)
    kept = free[holds(free)]
    sample = ShardedSample.of(generator, BINNED, 40_000, seed=2, where=where)
    sample = replace(sample, shard_rows=9_000)
    bound = pd.concat([sample.frame(index) for index in range(sample.num_shards)])
    assert len(bound) == 40_000
    assert holds(bound).all()
    assert sample.tables.probability == pytest.approx(len(kept) / len(free), rel=0.05)
    within = 4 / np.sqrt(min(len(kept), len(bound)))
    for name in ("age", "gain"):
        grid = np.sort(np.concatenate([kept[name], bound[name]]))
        shares = [
            np.searchsorted(np.sort(each[name]), grid, "right") / len(each)
            for each in (kept, bound)
        ]
        assert np.abs(shares[0] - shares[1]).max() < within, name
    ill = [(each["outcome"] == "ill").mean() for each in (kept, bound)]
    assert abs(ill[0] - ill[1]) < within


def test_a_condition_of_almost_no_probability_says_so_and_what_helps() -> None:
    fine = Schema(
        name="fine",
        columns=(
            Integer(name="a", minimum=0, maximum=10**12, bins=4),
            Categorical(name="outcome", categories=("well", "ill")),
        ),
        label="outcome",
    )
    with pytest.raises(
        InputError, match=r"where: .*almost no probability.*leave one out"
    ) as caught:
        sample_table(make_generator(fine), fine, 5, where=["a=12345"])
    assert "e-12" in str(caught.value) or "e-13" in str(caught.value)
    assert set(sample_table(make_generator(fine), fine, 5, where=["a<10000"])["a"] < 10_000) == {
        True
    }
