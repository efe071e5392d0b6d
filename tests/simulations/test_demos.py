"""The shipped data are what they say, split the way published figures split them."""

from __future__ import annotations

import pandas as pd
import pytest

from simulations.demos import load_demo, split_by_label
from synthesis.errors import InputError
from synthesis.schema import check_table


def test_adult_is_split_as_the_published_figures_split_it() -> None:
    demo = load_demo("adult")
    # Pinned from the evaluation protocol's own loader and splitter.
    assert (demo.train.shape, demo.test.shape) == ((39_074, 13), (9_768, 13))
    assert (demo.train["age"].sum(), demo.test["age"].sum()) == (1_509_360, 378_070)
    assert demo.test["capital-gain"].sum() == 9_980_031
    assert (demo.train["income"] == ">50K").sum() == 9_350
    assert demo.test["age"].head(3).to_list() == [28, 29, 55]


def test_adult_obeys_its_schema() -> None:
    demo = load_demo("adult")
    assert tuple(demo.train.columns) == demo.schema.names
    assert check_table(demo.schema, pd.concat([demo.train, demo.test])) == []


def test_an_unknown_demo_is_refused_with_the_way_out() -> None:
    with pytest.raises(
        InputError, match=r"adult, digits, fashion, got 'iris'; .* --data and --schema"
    ) as refused:
        load_demo("iris")
    assert refused.value.argument == "demo"


def test_the_split_keeps_label_shares_and_loses_no_row() -> None:
    table = pd.DataFrame({"row": range(100), "sick": ["yes"] * 20 + ["no"] * 80})
    train, test = split_by_label(table, "sick", seed=3)
    assert (test["sick"] == "yes").sum() == 4
    assert (test["sick"] == "no").sum() == 16
    assert sorted([*train["row"], *test["row"]]) == list(range(100))
    assert train["row"].is_monotonic_increasing
    assert not split_by_label(table, "sick", seed=4)[1].equals(test)
