from datetime import datetime

import pandas as pd
import pytest

from synthesis.schema import (
    Boolean,
    Categorical,
    Continuous,
    Datetime,
    Integer,
    Rule,
    Schema,
    UnitOfPrivacy,
    check_table,
)

SCHEMA = Schema(
    name="ward",
    label="outcome",
    ignore=("name",),
    columns=(
        Integer(name="stay", minimum=0, maximum=90, resolution=5),
        Continuous(name="dose", minimum=0.5, maximum=2, decimals=2, bins=5, missing=True),
        Datetime(name="seen", minimum="2020-01-01", maximum="2020-12-31", bins=12),
        Boolean(name="smoker", true="yes", false="no"),
        Categorical(name="outcome", categories=("home", "dead")),
    ),
)


def good(**changes) -> pd.DataFrame:
    table = {
        "stay": [0, 5, 90],
        "dose": [0.5, 2.0, None],
        "seen": ["2020-01-01", "2020-12-31", "2020-05-05"],
        "smoker": ["yes", "no", "no"],
        "outcome": ["home", "dead", "home"],
    }
    return pd.DataFrame(table | changes)


def rules(table, **kwargs) -> list[tuple[str, Rule, int]]:
    return [(v.column, v.rule, v.count) for v in check_table(SCHEMA, table, **kwargs)]


def test_a_table_that_fits_has_no_violations():
    assert rules(good()) == []
    assert rules(good(name=["a", "b", "c"])) == []


@pytest.mark.parametrize(
    ("column", "cells", "rule", "count"),
    [
        ("stay", [0, 5, 95], Rule.OUT_OF_BOUNDS, 1),
        ("stay", [-5, 5, 95], Rule.OUT_OF_BOUNDS, 2),
        ("stay", [0, 5, 7], Rule.OFF_GRID, 1),
        ("stay", [0, 5, 5.5], Rule.OFF_GRID, 1),
        ("stay", [0, 5, None], Rule.UNEXPECTED_MISSING, 1),
        ("stay", [0, 5, " "], Rule.UNEXPECTED_MISSING, 1),
        ("stay", [0, 5, "six"], Rule.WRONG_TYPE, 1),
        ("stay", [True, False, True], Rule.WRONG_TYPE, 3),
        ("stay", [0, 5, float("inf")], Rule.OUT_OF_BOUNDS, 1),
        ("stay", [None, None, None], Rule.ALL_MISSING, 3),
        ("dose", ["0,5", "1.0", ""], Rule.WRONG_TYPE, 1),
        ("dose", [0.49, 1, 1], Rule.OUT_OF_BOUNDS, 1),
        ("dose", [None, "", " "], Rule.ALL_MISSING, 3),
        ("seen", ["2020-01-01", "2021-01-01", "2019-12-31"], Rule.OUT_OF_BOUNDS, 2),
        ("seen", ["2020-01-01 12:00", "2020-02-02", "2020-02-02"], Rule.OFF_GRID, 1),
        ("seen", ["5 May 2020", "2020-02-02", "2020-02-02"], Rule.WRONG_TYPE, 1),
        ("seen", [20200101, 20200101, 20200101], Rule.WRONG_TYPE, 3),
        ("smoker", ["Yes", "no", "no"], Rule.UNKNOWN_CATEGORY, 1),
        ("smoker", ["  ", "no", ""], Rule.UNEXPECTED_MISSING, 2),
        ("smoker", ["maybe", "perhaps", "no"], Rule.UNKNOWN_CATEGORY, 2),
        ("outcome", ["home", "home", "home"], Rule.ONE_CLASS, 3),
        ("outcome", ["home", None, "dead"], Rule.UNEXPECTED_MISSING, 1),
    ],
)
def test_every_rule_is_found_and_counted(column, cells, rule, count):
    assert rules(good(**{column: cells})) == [(column, rule, count)]


def test_missing_unknown_and_repeated_columns():
    assert rules(good().drop(columns="dose")) == [("dose", Rule.MISSING_COLUMN, 1)]
    assert rules(good(site=[1, 2, 3])) == [("site", Rule.UNKNOWN_COLUMN, 1)]
    assert rules(good(site=[1, 2, 3]), allow=("site",)) == []
    twice = pd.concat([good(), good()[["stay"]]], axis=1)
    assert rules(twice) == [("stay", Rule.DUPLICATE_COLUMN, 2)]


def test_empty_tables_are_one_violation():
    assert rules(good().iloc[:0]) == [("(table)", Rule.EMPTY_TABLE, 1)]


def test_the_person_column_must_be_there_and_filled():
    unit = UnitOfPrivacy(kind="person", person_column="person")
    schema = SCHEMA.model_copy(update={"unit": unit})
    assert [v.rule for v in check_table(schema, good())] == [Rule.MISSING_COLUMN]
    found = check_table(schema, good(person=["p", None, "p"]))
    assert [(v.column, v.rule, v.first_row) for v in found] == [
        ("person", Rule.UNEXPECTED_MISSING, 2)
    ]
    assert check_table(schema, good(person=["p", "q", "p"])) == []


def test_other_types_that_mean_the_same_are_accepted():
    assert rules(good(stay=["0", "5", "90.0"])) == []
    assert rules(good(stay=[0.0, 5.0, 90.0])) == []
    assert rules(good(smoker=[True, False, False])) == []
    assert rules(good(outcome=pd.Categorical(["home", "dead", "home"]))) == []
    moments = [datetime(2020, 1, 1), datetime(2020, 2, 2), datetime(2020, 3, 3)]
    assert rules(good(seen=moments)) == []
    zoned = pd.to_datetime(pd.Series(moments)).dt.tz_localize("UTC")
    assert rules(good(seen=zoned)) == []


def test_numbers_match_categories_that_are_written_as_numbers():
    grade = Categorical(name="grade", categories=("1", "2.0"), missing=True)
    schema = Schema(name="g", columns=(grade, SCHEMA.columns[-1]), label="outcome")
    outcome = ["home", "dead", "home"]
    for cells in ([1, 2, None], [1.0, 2.0, None], ["1", "2.0", ""]):
        assert check_table(schema, pd.DataFrame({"grade": cells, "outcome": outcome})) == []
    found = check_table(schema, pd.DataFrame({"grade": [1, 3, 2], "outcome": outcome}))
    assert [v.rule for v in found] == [Rule.UNKNOWN_CATEGORY]


def test_sentences_name_column_rule_place_and_way_out_but_no_value():
    (found,) = check_table(SCHEMA, good(smoker=["yes", "no", "SECRET"]))
    assert found.sentence() == (
        "column 'smoker' has 1 cell (the first in row 3) that match none of the declared "
        "categories (capitals and spaces count); add the category to the schema or correct the "
        "cells."
    )
    (found,) = check_table(SCHEMA, good(stay=[0, 5, 7777]))
    assert "7777" not in found.sentence()
    assert "whole numbers 0 to 90 in steps of 5" in found.sentence()


def test_every_rule_has_a_sentence():
    from synthesis.schema import Violation

    for rule in Rule:
        assert Violation(column="x", rule=rule, count=2).sentence().startswith("column 'x' ")
