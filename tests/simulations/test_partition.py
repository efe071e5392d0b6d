"""Every row finds exactly one site, and what cannot be split is refused in one sentence."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from simulations.partition import (
    Partition,
    partition_by_column,
    partition_by_sizes,
    partition_dirichlet,
    partition_iid,
    partition_lacking,
    partition_table,
)
from simulations.partition_spec import PartitionKind, PartitionSpec, parse_partition
from synthesis.errors import InputError


def check_whole(partition: Partition, num_rows: int) -> None:
    """Disjoint, complete, sorted, no empty site, one name each."""
    together = np.concatenate(partition.rows)
    assert sorted(together.tolist()) == list(range(num_rows))
    assert all(len(rows) and (np.diff(rows) > 0).all() for rows in partition.rows)
    assert len(set(partition.names)) == len(partition.rows)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@settings(max_examples=30, deadline=None)
@given(num_sites=st.integers(2, 12), extra=st.integers(0, 60), seed=st.integers(0, 9))
def test_iid_sites_are_disjoint_complete_and_of_equal_size(
    num_sites: int, extra: int, seed: int
) -> None:
    partition = partition_iid(num_sites + extra, num_sites, rng(seed))
    check_whole(partition, num_sites + extra)
    sizes = [len(rows) for rows in partition.rows]
    assert max(sizes) - min(sizes) <= 1


@settings(max_examples=30, deadline=None)
@given(
    values=st.lists(st.sampled_from(["a", "b", None]), min_size=40, max_size=80),
    num_sites=st.integers(2, 4),
    seed=st.integers(0, 9),
)
def test_dirichlet_sites_are_disjoint_and_complete(
    values: list[str | None], num_sites: int, seed: int
) -> None:
    check_whole(partition_dirichlet(values, num_sites, 1.0, rng(seed)), len(values))


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.integers(0, 4), min_size=6, max_size=50))
def test_column_sites_hold_the_rows_of_their_value(values: list[int]) -> None:
    if len(set(values)) < 2:
        return
    partition = partition_by_column(values)
    check_whole(partition, len(values))
    for name, rows in zip(partition.names, partition.rows, strict=True):
        assert {str(values[row]) for row in rows} == {name}


def test_smaller_alpha_means_more_skew() -> None:
    values = np.repeat(["a", "b"], 1000)

    def spread(alpha: float) -> float:
        partitions = [partition_dirichlet(values, 4, alpha, rng(seed)) for seed in range(10)]
        shares = [[(values[rows] == "a").mean() for rows in part.rows] for part in partitions]
        return float(np.std(shares, axis=1).mean())

    assert spread(0.1) > spread(1.0) > spread(100.0)


def test_the_seed_decides_the_split() -> None:
    values = ["a", "b"] * 50
    first, again, other = (partition_dirichlet(values, 3, 0.5, rng(seed)) for seed in (1, 1, 2))
    assert all((a == b).all() for a, b in zip(first.rows, again.rows, strict=True))
    assert any(not np.array_equal(a, b) for a, b in zip(first.rows, other.rows, strict=True))


def test_the_order_of_values_does_not_decide_the_sites() -> None:
    assert partition_by_column(["b", "a", "b"]).names == ("a", "b")
    assert partition_by_column([10, 9, 10]).names == ("9", "10")


def test_names_are_padded_so_that_they_sort() -> None:
    names = partition_iid(20, 12, rng()).names
    assert names[0] == "site-01"
    assert list(names) == sorted(names)


@pytest.mark.parametrize(
    ("text", "spec"),
    [
        ("iid", PartitionSpec(kind=PartitionKind.IID)),
        ("dirichlet", PartitionSpec(kind=PartitionKind.DIRICHLET)),
        ("dirichlet:job", PartitionSpec(kind=PartitionKind.DIRICHLET, column="job")),
        ("dirichlet:a:b", PartitionSpec(kind=PartitionKind.DIRICHLET, column="a:b")),
        ("column:island", PartitionSpec(kind=PartitionKind.COLUMN, column="island")),
        ("column:a:b", PartitionSpec(kind=PartitionKind.COLUMN, column="a:b")),
    ],
)
def test_partition_is_parsed(text: str, spec: PartitionSpec) -> None:
    assert parse_partition(text) == spec


@pytest.mark.parametrize("text", ["", "column", "column:", "iid:3", "dirichlet:", "IID", "random"])
def test_an_unknown_partition_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="iid, dirichlet, dirichlet:NAME or column") as refused:
        parse_partition(text)
    assert refused.value.argument == "partition"


@pytest.mark.parametrize("num_sites", [-1, 0, 1])
def test_fewer_than_two_sites_are_refused(num_sites: int) -> None:
    with pytest.raises(InputError, match="at least 2") as refused:
        partition_iid(10, num_sites, rng())
    assert refused.value.argument == "sites"
    with pytest.raises(InputError, match="at least 2"):
        partition_dirichlet(["a"] * 10, num_sites, 1.0, rng())


def test_more_sites_than_rows_are_refused() -> None:
    with pytest.raises(InputError, match="11 sites for 10 rows"):
        partition_iid(10, 11, rng())
    with pytest.raises(InputError, match="11 sites for 10 rows"):
        partition_dirichlet(["a"] * 10, 11, 1.0, rng())


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_a_bad_alpha_is_refused(alpha: float) -> None:
    with pytest.raises(InputError, match="alpha must be") as refused:
        partition_dirichlet(["a", "b"] * 5, 2, alpha, rng())
    assert refused.value.argument == "alpha"


def test_a_skew_that_empties_sites_is_refused_with_the_way_out() -> None:
    with pytest.raises(InputError, match="raise alpha or ask for fewer sites"):
        partition_dirichlet(["a"] * 50, 40, 0.01, rng())


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (["a", "a"], "at least 2 sites, got 1"),
        (["a", "b", "c"], "every row has its own"),
        (["a", None, "b", "a"], "some rows are empty"),
    ],
)
def test_a_column_that_names_no_sites_is_refused(values: list[str | None], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        partition_by_column(pd.Series(values, name="clinic"))


@pytest.mark.parametrize("text", ["iid", "dirichlet", "dirichlet:clinic", "column:clinic"])
def test_a_table_is_split_as_the_spec_says(text: str) -> None:
    table = pd.DataFrame({"clinic": list("abc") * 10, "sick": ["yes", "no"] * 15})
    partition = partition_table(
        parse_partition(text), table, num_sites=3, alpha=5.0, label="sick", rng=rng()
    )
    check_whole(partition, 30)
    assert len(partition.names) == 3


def test_dirichlet_skews_the_named_column_and_leaves_the_label_alone() -> None:
    job = np.array(["nurse", "cook", None], dtype=object)[np.arange(6000) % 3]
    table = pd.DataFrame({"job": job, "sick": np.arange(6000) // 3 % 2})

    def spread(text: str, column: str, value: object) -> float:
        partition = partition_table(
            parse_partition(text), table, num_sites=4, alpha=0.3, label="sick", rng=rng(3)
        )
        check_whole(partition, len(table))
        is_value = table[column].isna() if value is None else table[column] == value
        return float(np.ptp([is_value[rows].mean() for rows in partition.rows]))

    for value in ("nurse", "cook", None):  # missing is a value of its own
        assert spread("dirichlet:job", "job", value) > 0.3
    assert spread("dirichlet:job", "sick", 1) < 0.1
    assert spread("dirichlet", "job", None) < 0.1
    assert spread("dirichlet", "sick", 1) > 0.3


def test_dirichlet_by_the_labels_name_is_dirichlet() -> None:
    table = pd.DataFrame({"sick": ["yes", "no"] * 50})
    one, other = (
        partition_table(
            parse_partition(text), table, num_sites=3, alpha=0.5, label="sick", rng=rng()
        )
        for text in ("dirichlet", "dirichlet:sick")
    )
    assert all(np.array_equal(a, b) for a, b in zip(one.rows, other.rows, strict=True))


def test_dirichlet_by_a_column_of_too_many_values_is_refused() -> None:
    table = pd.DataFrame({"weight": np.arange(90) // 2, "sick": ["yes", "no"] * 45})
    with pytest.raises(InputError, match=r"'weight' .* got 45 values in 90 rows for 3") as refused:
        partition_table(
            parse_partition("dirichlet:weight"),
            table,
            num_sites=3,
            alpha=0.5,
            label="sick",
            rng=rng(),
        )
    assert refused.value.argument == "partition"


@pytest.mark.parametrize("text", ["column:ward", "dirichlet:ward"])
def test_a_column_the_table_lacks_is_refused_by_name(text: str) -> None:
    table = pd.DataFrame({"clinic": list("aab")})
    with pytest.raises(InputError, match=r"'ward' must be a column .* clinic"):
        partition_table(
            parse_partition(text),
            table,
            num_sites=2,
            alpha=0.5,
            label="clinic",
            rng=rng(),
        )


def test_sites_have_the_sizes_that_were_asked_for() -> None:
    spec = parse_partition("sizes:70,20,8,2")
    assert (spec.sizes, spec.tells_sites) == ((70, 20, 8, 2), True)
    made = partition_by_sizes(1000, spec.sizes, np.random.default_rng(0))
    assert [len(rows) for rows in made.rows] == [700, 200, 80, 20]
    assert sorted(np.concatenate(made.rows)) == list(range(1000))


@pytest.mark.parametrize("text", ["sizes", "sizes:", "sizes:7,x", "sizes:1,-1", "sizes:1,inf"])
def test_sizes_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match="sizes such as sizes:70,20,10"):
        parse_partition(text)


def test_sizes_that_leave_a_site_without_rows() -> None:
    with pytest.raises(InputError, match="10 rows are too few for the smallest"):
        partition_by_sizes(10, (1000, 1), np.random.default_rng(0))
    with pytest.raises(InputError, match="at least 2"):
        partition_by_sizes(10, (1.0,), np.random.default_rng(0))


@settings(max_examples=30, deadline=None)
@given(num_sites=st.integers(3, 6), lacking=st.integers(1, 2), extra=st.integers(0, 40))
def test_every_site_lacks_some_values_in_turn(num_sites: int, lacking: int, extra: int) -> None:
    values = [number % 7 for number in range(100 + extra)]
    made = partition_lacking(values, num_sites, lacking, rng())
    check_whole(made, len(values))
    for site, rows in enumerate(made.rows):
        lacked = {(site * lacking + more) % 7 for more in range(lacking)}
        assert {values[row] for row in rows} == set(range(7)) - lacked
    whole = parse_partition(f"lacking:{lacking}")
    assert (whole.lacking, whole.tells_sites) == (lacking, False)


@pytest.mark.parametrize(
    "text", ["lacking", "lacking:", "lacking:0", "lacking:x", "lacking:-1", "lacking:99999"]
)
def test_lacking_nothing_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"or lacking:2 for sites that each have no row of two"):
        parse_partition(text)


@pytest.mark.parametrize(
    ("values", "lacking"), [("aa", 1), ("abab", 2), ("abc" * 5, 3), ("abab", 9999)]
)
def test_a_value_that_no_site_would_have_is_refused(values: str, lacking: int) -> None:
    with pytest.raises(InputError, match="let sites lack fewer"):
        partition_lacking(list(values), 2, lacking, rng())
