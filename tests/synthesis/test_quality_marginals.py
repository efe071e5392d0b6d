from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from synthesis.errors import InputError
from synthesis.quality import compare_tables, marginal_distance, one_way, pairwise_distances
from synthesis.schema import Boolean, Categorical, Continuous, Datetime, Integer, Schema

SCHEMA = Schema(
    name="small",
    columns=(
        Categorical(name="ward", categories=("a", "b", "c"), missing=True),
        Integer(name="age", minimum=0, maximum=99),
        Integer(name="cost", minimum=0, maximum=9999, bins=8, transform="log", point_masses=(0,)),
        Boolean(name="ill", true="yes", false="no"),
    ),
    label="ill",
)


def small_table(seed: int, num_rows: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "ward": rng.choice(np.array(["a", "b", "c", None], dtype=object), num_rows),
            "age": rng.integers(0, 100, num_rows),
            "cost": rng.integers(0, 10_000, num_rows) * rng.integers(0, 2, num_rows),
            "ill": rng.choice(np.array(["yes", "no"], dtype=object), num_rows),
        }
    )


def naive_distance(a: pd.DataFrame, b: pd.DataFrame, way: int) -> float:
    """The definition, cell by cell, through pandas' own counting."""

    def cells(table: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "ward": table["ward"].fillna("?").astype(object),
                "age": np.minimum(table["age"] * 20 // 99, 19),
                "cost": np.minimum(table["cost"] * 20 // 9999, 19),
                "ill": table["ill"],
            }
        )

    distances = []
    for names in combinations(SCHEMA.names, way):
        shares_a, shares_b = (
            cells(table).value_counts(subset=list(names), normalize=True) for table in (a, b)
        )
        distances.append(0.5 * shares_a.subtract(shares_b, fill_value=0).abs().sum())
    return float(np.mean(distances))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.integers(1, 40), st.integers(1, 40), st.integers(1, 4))
def test_distance_is_the_definition_counted_cell_by_cell(
    seed: int, rows_a: int, rows_b: int, way: int
) -> None:
    a, b = small_table(seed, rows_a), small_table(seed + 1, rows_b)
    assert marginal_distance(SCHEMA, a, b, way) == pytest.approx(naive_distance(a, b, way))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 999), st.integers(1, 40))
def test_distance_is_zero_to_itself_symmetric_and_grows_with_the_way(
    seed: int, num_rows: int
) -> None:
    a, b = small_table(seed, num_rows), small_table(seed + 1, num_rows)
    by_way = [marginal_distance(SCHEMA, a, b, way) for way in (1, 2, 3, 4)]
    assert marginal_distance(SCHEMA, a, a, 2) == 0
    assert by_way[1] == pytest.approx(marginal_distance(SCHEMA, b, a, 2))
    assert by_way == sorted(by_way)
    assert 0 <= by_way[0] and by_way[3] <= 1 + 1e-12


def test_pairwise_distances_average_to_the_marginal_distances() -> None:
    a, b = small_table(0, 50), small_table(1, 70)
    matrix = pairwise_distances(SCHEMA, a, b)
    upper = matrix[np.triu_indices(4, k=1)]
    assert np.array_equal(matrix, matrix.T)
    assert upper.mean() == pytest.approx(marginal_distance(SCHEMA, a, b, 2))
    assert np.diag(matrix).mean() == pytest.approx(marginal_distance(SCHEMA, a, b, 1))


def test_many_cells_are_counted_without_laying_them_out() -> None:
    words = tuple(f"w{number}" for number in range(900))
    schema = Schema(
        name="wide",
        columns=(
            *(Categorical(name=name, categories=words) for name in ("x", "y", "z")),
            Boolean(name="ill"),
        ),
        label="ill",
    )
    a = pd.DataFrame({"x": ["w0"], "y": ["w1"], "z": ["w2"], "ill": ["true"]})
    b = a.assign(z="w899")
    assert marginal_distance(schema, a, b, 4) == 1.0
    assert marginal_distance(schema, a, a, 4) == 0.0


def test_way_out_of_range_is_refused() -> None:
    with pytest.raises(InputError, match="way must be between 1 and 4 columns, got 5"):
        marginal_distance(SCHEMA, small_table(0, 3), small_table(0, 3), 5)


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        (small_table(0, 0), "at least one row"),
        (small_table(0, 3).drop(columns="age"), "lacks \\['age'\\]"),
        (small_table(0, 3).assign(ward="secret"), "unknown category: 3"),
    ],
)
def test_tables_that_cannot_be_compared_are_refused_without_quoting_cells(
    table: pd.DataFrame, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence) as refusal:
        marginal_distance(SCHEMA, table, small_table(0, 3), 1)
    assert "secret" not in str(refusal.value)


def test_one_way_shows_the_schemas_own_cells_and_joins_many() -> None:
    table = small_table(0, 200)
    labels, shares = one_way(SCHEMA, table, "ward")
    assert labels == ("a", "b", "c", "missing")
    assert shares[3] == table["ward"].isna().mean()
    labels, shares = one_way(SCHEMA, table, "age")
    assert labels[0] == "0 to 3" and labels[-1] == "96 to 99" and len(labels) == 25
    assert shares[0] == (table["age"] < 4).mean()
    labels, shares = one_way(SCHEMA, table, "cost")
    assert labels[0] == "0"
    assert shares[0] == (table["cost"] == 0).mean()


def test_one_way_of_an_unknown_column_is_refused() -> None:
    with pytest.raises(InputError, match="got 'agee'"):
        one_way(SCHEMA, small_table(0, 3), "agee")


def test_comparison_holds_shares_of_one_and_the_distances() -> None:
    real, synthetic = small_table(0, 60), small_table(1, 30)
    comparison = compare_tables(SCHEMA, real, synthetic)
    assert [column.name for column in comparison.columns] == list(SCHEMA.names)
    for column in comparison.columns:
        assert len(column.labels) == len(column.real) == len(column.synthetic)
        assert sum(column.real) == pytest.approx(1) == sum(column.synthetic)
    assert comparison.columns[2].num_point_masses == 1
    assert comparison.columns[0].has_missing and not comparison.columns[0].is_numeric
    assert np.array(comparison.pairwise) == pytest.approx(
        pairwise_distances(SCHEMA, real, synthetic)
    )
    assert comparison.columns[1].distance == comparison.pairwise[1][1]


def test_dates_and_decimals_with_gaps_are_compared() -> None:
    schema = Schema(
        name="visits",
        columns=(
            Datetime(name="day", minimum="2020-01-01", maximum="2020-12-31", bins=12, missing=True),
            Continuous(name="dose", minimum=0, maximum=2, decimals=1, missing=True),
            Boolean(name="ill"),
        ),
        label="ill",
    )
    early = pd.DataFrame(
        {"day": ["2020-01-01", None], "dose": [0.1, np.nan], "ill": ["true", "false"]}
    )
    late = early.assign(day=pd.to_datetime(["2020-12-31", None]), dose=[2.0, np.nan])
    assert marginal_distance(schema, early, late, 1) == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert one_way(schema, late, "day")[1][-1] == 0.5
