"""What no table can have is one sentence that names it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
import torch
from tiny_world import SCHEMA, make_generator

from synthesis.errors import InputError
from synthesis.mixing.composing import Composition
from synthesis.mixing.target_file import Target
from synthesis.schema import Categorical, Schema


def one(column: str, **shares: Any) -> dict[str, Any]:
    return {"column": column, "shares": shares}


def two(first: str, second: str, shares: dict[str, Any]) -> dict[str, Any]:
    return {"columns": [first, second], "shares": shares}


def refuse(margins: list[dict[str, Any]], *said: str, **wishes: Any) -> None:
    with pytest.raises(InputError) as caught:
        read = Target.of({"margins": margins}).read(SCHEMA) if margins else []
        Composition.of(make_generator(), SCHEMA, margins=read, **wishes)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    for words in said:
        assert words in sentence, sentence


@pytest.mark.parametrize(
    ("margins", "said"),
    [
        ([one("size", big=1.0)], ["no column 'size'", "it has age, colour"]),
        ([one("colour", pink=0.1)], ["'colour', 'pink'", "no such level", "red, green, blue"]),
        ([one("outcome", **{"": 0.1})], ["'outcome', ''", "no missing values"]),
        ([one("age", young=0.1)], ["'age', 'young'", "must be a number"]),
        ([one("age", **{"12 to 3": 0.1})], ["'age', '12 to 3'", "no row can satisfy it"]),
        ([one("age", **{"2.5": 0.1})], ["'age', '2.5'", "cannot have this value"]),
        ([one("age", **{">40": 0.1})], ["'age', '>40'", "no row can satisfy it"]),
        ([one("age", **{"0 to 9": 0.1, "9 to 12": 0.2})], ["'0 to 9' and '9 to 12' overlap"]),
        ([one("colour", red=1.2)], ["'colour', 'red'", "from 0 to 1, got 1.2"]),
        ([one("colour", red=-0.1)], ["from 0 to 1, got -0.1"]),
        ([one("colour", red=float("nan"))], ["from 0 to 1, got nan"]),
        ([one("colour", red="half")], ["from 0 to 1, got 'half'"]),
        ([one("colour", red=True)], ["from 0 to 1, got True"]),
        ([one("outcome", well=0.5, ill=0.6)], ["'outcome' add to 1.1", "must add to 1; correct"]),
        ([one("outcome", well=0.5, ill=0.4)], ["'outcome' add to 0.9"]),
        ([one("colour", red=0.8, blue=0.3)], ["'colour' add to 1.1", "what is not listed"]),
        ([one("outcome", well=0.5), one("outcome", ill=0.5)], ["two margins of 'outcome'"]),
        (
            [two("age", "smokes", {"0": {"yes": 0.1}}), two("smokes", "age", {"no": {"0": 0.1}})],
            ["two margins of 'smokes' with 'age'"],
        ),
        ([two("age", "age", {"0": {"1": 0.1}})], ["columns must be two, got 'age' twice"]),
        ([two("age", "smokes", {"0": 0.1})], ["'age' with 'smokes' needs a table"]),
        ([two("age", "smokes", {"0": {"maybe": 0.1}})], ["'smokes', 'maybe'"]),
        ([{"shares": {"red": 0.1}}], ["number 1", "needs either column or columns"]),
        ([{"column": "age", "share": {"0": 0.1}}], ["margins, number 1", "share"]),
        (
            [one("age", **{"<10": 0.5}), two("age", "smokes", {"<10": {"yes": 0.4, "no": 0.4}})],
            ["'age', '<10' is to have a share of 0.5", "it comes to", "change one"],
        ),
        (
            [
                one("smokes", yes=0.1),
                two("age", "smokes", {"<10": {"yes": 0.4}, ">=10": {"yes": 0.4}}),
            ],
            ["'yes' is to have a share of 0.1", "do not allow (it comes to 0.8 at best)"],
        ),
        (
            [one("smokes", yes=0.0), two("age", "smokes", {"<10": {"yes": 0.4}})],
            ["'age' with 'smokes', '<10', 'yes'", "0.4", "the shares of 'smokes'"],
        ),
        (
            [
                two("age", "smokes", {"<10": {"yes": 0.5}, ">=10": {"no": 0.5}}),
                two("colour", "smokes", {"red": {"yes": 0.5}, "green": {"no": 0.5}}),
                two("age", "colour", {"<10": {"green": 0.5}, ">=10": {"red": 0.5}}),
            ],
            ["no table has all these margins"],
        ),
    ],
)
def test_targets_that_cannot_be_had(margins: list[dict[str, Any]], said: list[str]) -> None:
    refuse(margins, *said)


@pytest.mark.parametrize(
    ("wishes", "said"),
    [
        ({"balance": "size"}, ["balance: the schema has no column 'size'"]),
        ({"balance": "age"}, ["balance: 'age' must have levels, and it is integer", "match"]),
        ({"parity": ("colour", "colour")}, ["parity: group and outcome must be two columns"]),
        ({"parity": ("colour", "age")}, ["parity: 'age' must have levels"]),
        ({"parity": ("sex", "outcome")}, ["parity: the schema has no column 'sex'"]),
        ({"where": ["age>40"], "balance": "colour"}, ["condition 'age>40' cannot be met"]),
    ],
)
def test_wishes_that_cannot_be_had(wishes: dict[str, Any], said: list[str]) -> None:
    refuse([], *said, **wishes)


def test_balance_and_match_of_one_column_are_two_wishes_for_the_same() -> None:
    refuse([one("colour", red=0.5)], "balance: 'colour' has shares in the target", balance="colour")


def test_shares_that_conditions_rule_out() -> None:
    refuse([one("colour", red=0.5)], "'colour', 'red'", "never draws it", where=["colour!=red"])
    composition = Composition.of(
        make_generator(),
        SCHEMA,
        margins=Target.of({"margins": [one("colour", red=0, blue=0.5)]}).read(SCHEMA),
        where=["colour!=red"],
    )
    assert composition.efficiency > 0


def test_a_level_the_generator_never_draws() -> None:
    generator = make_generator()
    with torch.no_grad():
        generator.base[generator.settings.base_sizes[0]] = -200.0  # red, behind the ages
    margins = Target.of({"margins": [one("colour", red=0.5)]}).read(SCHEMA)
    with pytest.raises(
        InputError, match=r"'colour', 'red' is to have .* \(almost\) never draws it"
    ):
        Composition.of(generator, SCHEMA, margins=margins)


def test_margins_that_join_too_many_columns() -> None:
    levels = tuple(f"level {number}" for number in range(40))
    names = ("a", "b", "c", "d")
    columns = [Categorical(name=name, categories=levels) for name in names]
    wide = Schema(
        name="wide",
        columns=(*columns, Categorical(name="outcome", categories=("well", "ill"))),
        label="outcome",
    )
    each = {level: dict.fromkeys(levels, 1 / 1600) for level in levels}
    margins = [two(a, b, each) for a, b in pairwise(names)]
    with pytest.raises(InputError, match=r"join 'a', 'b', 'c', 'd', which have 2,560,000"):
        Composition.of(
            make_generator(wide), wide, margins=Target.of({"margins": margins}).read(wide)
        )


def test_slow_margins_with_shares_of_zero_still_come_out() -> None:
    margins = [
        two("age", "smokes", {"<10": {"yes": 0.3, "no": 0.0}, ">=10": {"yes": 0.2, "no": 0.5}}),
        two("colour", "smokes", {"red": {"yes": 0.5, "no": 0.0}}),
        two("age", "colour", {"<10": {"red": 0.3}}),
    ]
    Composition.of(make_generator(), SCHEMA, margins=Target.of({"margins": margins}).read(SCHEMA))
