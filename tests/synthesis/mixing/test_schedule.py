"""Periods in order, each with its own composition, and a column that tells them if asked."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from tiny_world import SCHEMA, make_generator

from synthesis.errors import InputError
from synthesis.mixing import Mixing
from synthesis.mixing.mixed_sample import Mixed
from synthesis.mixing.schedule import ScheduledSample
from synthesis.sample_files import write_sample
from synthesis.tables import read_table

SCHEDULE = """
period_column = "quarter"

[[periods]]
name = "first, \\"one\\""
rows = 250
where = ["age<10"]

[[periods]]
name = "second"
rows = 100
match = "target.toml"

[[periods]]
name = "third"
rows = 30
balance = "smokes"
parity = "colour,smokes"

[[periods.margins]]
column = "colour"
shares = { red = 0.5 }

[[periods]]
name = "fourth"
rows = 5
interpolate = "latent"
strength = 0.5
"""
TARGET = """
[[margins]]
column = "outcome"
shares = { ill = 0.8, well = 0.2 }
"""


def mix(folder: Path, text: str = SCHEDULE, **given: object) -> Mixed:
    (folder / "schedule.toml").write_text(text)
    (folder / "target.toml").write_text(TARGET)
    mixing = Mixing(schedule=folder / "schedule.toml")
    return Mixed.of(make_generator(), SCHEMA, **{"num_rows": None, **given}, mixing=mixing)  # type: ignore[arg-type]


def small_shards(mixed: Mixed) -> ScheduledSample:
    sample = mixed.sample
    assert isinstance(sample, ScheduledSample)
    return replace(sample, parts=tuple(replace(part, shard_rows=40) for part in sample.parts))


def test_rows_come_in_order_with_what_each_period_asked_for(tmp_path: Path) -> None:
    mixed = mix(tmp_path)
    sample = small_shards(mixed)
    frames = [sample.frame(index) for index in range(sample.num_shards)]
    assert [len(frame) for frame in frames] == [*[40] * 6, 10, 40, 40, 20, 30, 5]
    ends = [sample.rows_until(index) for index in range(sample.num_shards + 1)]
    assert ends == [0, *pd.Series([len(frame) for frame in frames]).cumsum()]
    table = pd.concat(frames, ignore_index=True)
    assert list(table["quarter"].unique()) == ['first, "one"', "second", "third", "fourth"]
    periods = dict(list(table.groupby("quarter", sort=False)))
    assert (periods['first, "one"']["age"] < 10).all()
    whole = Mixed.of(
        make_generator(), SCHEMA, None, mixing=Mixing(schedule=tmp_path / "schedule.toml")
    )
    second = whole.sample.frame(1)
    assert (second["outcome"] == "ill").sum() == pytest.approx(80, abs=8)
    third = whole.sample.frame(2)
    assert (third["smokes"] == "yes").sum() == pytest.approx(15, abs=5)
    assert mixed.parts["second"].asked["match"]["margins"][0]["column"] == "outcome"
    assert mixed.probability == 1


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_files_have_the_column_behind_the_others(tmp_path: Path, ending: str) -> None:
    sample = small_shards(mix(tmp_path))
    write_sample(sample, tmp_path / f"rows{ending}")
    table = read_table(tmp_path / f"rows{ending}")
    assert list(table.columns) == [*SCHEMA.names, "quarter"]
    assert table["quarter"].value_counts().tolist() == [250, 100, 30, 5]


def test_without_a_column_rows_obey_the_schema_alone(tmp_path: Path) -> None:
    mixed = mix(tmp_path, SCHEDULE.replace('period_column = "quarter"', ""))
    assert mixed.sample.schema == SCHEMA
    table = mixed.sample.frame(0)
    assert list(table.columns) == list(SCHEMA.names)
    pd.testing.assert_frame_equal(table, mix(tmp_path).sample.frame(0)[list(SCHEMA.names)])


def test_one_period_may_have_a_column_too(tmp_path: Path) -> None:
    mixed = mix(tmp_path, 'period_column = "q"\n[[periods]]\nname = "only"\nrows = 3\n')
    assert mixed.sample.frame(0)["q"].tolist() == ["only"] * 3


def test_periods_with_the_same_wishes_have_other_rows(tmp_path: Path) -> None:
    text = '[[periods]]\nname = "a"\nrows = 50\n[[periods]]\nname = "b"\nrows = 50\n'
    sample = mix(tmp_path, text).sample
    assert not sample.frame(0).equals(sample.frame(1))
    assert sample.frame(1).equals(mix(tmp_path, text).sample.frame(1))
    assert not sample.frame(1).equals(mix(tmp_path, text, seed=1).sample.frame(1))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("periods = []", "periods"),
        ("[[periods]]\nrows = 3", "periods, number 1, name is required"),
        ("[[periods]]\nname = 'a'\nrows = 0", "periods, number 1, rows"),
        ("[[periods]]\nname = 'a'\nrows = 1\nsize = 2", "size is not a known setting"),
        ("[[periods]]\nname = 'a'\nrows = 1\n" * 2, "two periods have the name 'a'"),
        ("periods = 3 4", "is not valid TOML"),
        ("period_column = 'age'\n[[periods]]\nname = 'a'\nrows = 1", "is a column of the schema"),
        (
            "[[periods]]\nname = 'a'\nrows = 1\nmatch = 'none.toml'",
            "period 'a': match file",
        ),
        ("[[periods]]\nname = 'a'\nrows = 1\nbalance = 'age'", "period 'a': balance: 'age' must"),
        ("[[periods]]\nname = 'a'\nrows = 1\nwhere = ['age>99']", "period 'a': condition 'age>99'"),
        (
            "[[periods]]\nname = 'a'\nrows = 1\nmatch = 't.toml'\n"
            "[[periods.margins]]\ncolumn = 'age'\nshares = { '0' = 1 }",
            "match and margins say the same in two ways",
        ),
    ],
)
def test_schedules_that_cannot_be_used(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError) as caught:
        mix(tmp_path, text)
    assert said in str(caught.value)


@pytest.mark.parametrize("given", [{"num_rows": 5}, {"where": ["age<10"]}])
def test_rows_and_conditions_stand_in_the_file(tmp_path: Path, given: dict[str, object]) -> None:
    with pytest.raises(InputError, match="schedule goes without"):
        mix(tmp_path, **given)


def test_a_schedule_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"schedule file .* cannot be read .*; check the path"):
        Mixed.of(make_generator(), SCHEMA, None, mixing=Mixing(schedule=tmp_path / "none.toml"))
