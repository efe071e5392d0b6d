"""Synthetic tables: the schema's values, exact conditions, one seed one table."""

from __future__ import annotations

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from tiny_world import SCHEMA, make_generator

from synthesis.errors import InputError
from synthesis.sampling import sample_table
from synthesis.schema import check_table


def test_a_table_obeys_the_schema() -> None:
    table = sample_table(make_generator(), SCHEMA, 500)
    assert list(table.columns) == list(SCHEMA.names)
    assert len(table) == 500
    assert check_table(SCHEMA, table) == []


def test_the_same_seed_gives_the_same_table_and_another_does_not() -> None:
    one, same, other = (sample_table(make_generator(), SCHEMA, 100, seed=s) for s in (3, 3, 4))
    assert_frame_equal(one, same)
    assert not one.equals(other)


def test_one_row_is_a_table() -> None:
    assert len(sample_table(make_generator(), SCHEMA, 1)) == 1


@pytest.mark.parametrize(
    ("where", "holds"),
    [
        (["outcome=ill"], lambda t: t["outcome"] == "ill"),
        (["age>=20"], lambda t: t["age"] >= 20),
        (["age>=20", "age<22", "smokes!=no"], lambda t: t["age"].isin([20, 21])),
        (["colour="], lambda t: t["colour"].isna()),
        (["colour!="], lambda t: t["colour"].notna()),
    ],
)
def test_conditions_hold_in_every_row(where: list[str], holds) -> None:
    table = sample_table(make_generator(), SCHEMA, 200, where=where)
    assert len(table) == 200
    assert holds(table).all()
    if "smokes!=no" in where:
        assert (table["smokes"] == "yes").all()


@pytest.mark.parametrize(
    ("arguments", "argument", "words"),
    [
        ({"num_rows": 0}, "rows", "at least 1"),
        ({"num_rows": -5}, "rows", "got -5"),
        ({"num_rows": 5, "seed": -1}, "seed", "0 or more"),
        ({"num_rows": 5, "where": ["height>3"]}, "where", "no such column"),
        ({"num_rows": 5, "where": ["age"]}, "where", "cannot be read"),
        ({"num_rows": 5, "where": ["age<3", "age>7"]}, "where", "no row can satisfy"),
    ],
)
def test_bad_wishes_are_answered_in_a_sentence(arguments, argument: str, words: str) -> None:
    with pytest.raises(InputError, match=words) as caught:
        sample_table(make_generator(), SCHEMA, **arguments)
    assert caught.value.argument == argument


def test_what_the_generator_never_makes_is_refused() -> None:
    import torch

    generator = make_generator()
    with torch.no_grad():
        generator.base[:60].view(2, 30)[:, 29] -= 500  # of 'age', in both classes
    with pytest.raises(InputError, match=r"where: .*less rare") as caught:
        sample_table(generator, SCHEMA, 5, where=["age=29"])
    assert caught.value.argument == "where"
    assert isinstance(sample_table(generator, SCHEMA, 5), pd.DataFrame)
