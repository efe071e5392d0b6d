import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from schema_strategies import every_code, schemas

from synthesis import InputError, decode
from synthesis.schema import check_table, draft_schema

ROWS = 200
RNG = np.random.default_rng(0)
LABEL = ["yes", "no"] * (ROWS // 2)


def drafted(cells, name="x"):
    """Return the drafted column, or None when it is ignored."""
    table = pd.DataFrame({name: cells, "other": RNG.integers(0, 9, ROWS), "label": LABEL})
    schema = draft_schema(table, name="t", label="label")
    assert check_table(schema, table) == []
    return None if name in schema.ignore else schema.column(name)


@settings(max_examples=60, deadline=None)
@given(schemas(), st.integers(0, 2**32))
def test_tables_fit_the_schema_drafted_from_them(schema, seed):
    rng = np.random.default_rng(seed)
    table = decode(schema, every_code(schema, rng), rng)
    table["and another"] = np.arange(len(table)) % 7
    draft = draft_schema(table, name="draft", label="the label")
    assert check_table(draft, table) == []


def test_numbers_beside_cells_of_spaces_stay_numbers():
    column = drafted(["   ", "1.5", "2.0", "40"] * 50)
    assert (column.kind, column.missing, column.decimals) == ("continuous", True, 1)
    assert drafted(["   ", "007", "2.0", "40"] * 50).kind == "categorical"


def test_kinds_are_recognised():
    assert drafted(["a", "b", "c", "d"] * 50).kind == "categorical"
    assert drafted(["Ja", "Nein"] * 100).kind == "categorical"
    assert drafted(["Yes", "No"] * 100).model_dump(include={"true", "false"}) == {
        "true": "Yes", "false": "No"
    }  # fmt: skip
    assert drafted([0, 1] * 100).kind == "boolean"
    assert drafted([True, False] * 100).kind == "boolean"
    assert drafted(np.arange(ROWS) % 40).kind == "integer"
    assert drafted(np.round(RNG.normal(size=ROWS), 2)).decimals == 2
    assert drafted(pd.date_range("2020-01-01", periods=ROWS).astype(str)).resolution == "day"
    assert drafted(pd.date_range("2020-01-01", periods=ROWS, freq="h")).resolution == "hour"


def test_long_tails_with_zeros_get_log_bins_and_a_point_mass():
    cells = np.where(RNG.random(ROWS) < 0.5, 0, np.exp(RNG.normal(4, 3, ROWS)).astype(int) + 1)
    column = drafted(cells)
    assert (column.transform, column.point_masses, column.bins) == ("log", (0,), 31)


def test_spikes_become_point_masses():
    cells = np.where(RNG.random(ROWS) < 0.5, 45.0, np.round(RNG.uniform(10, 45, ROWS), 2))
    assert drafted(cells).point_masses == (45.0,)


def test_missing_values_are_declared():
    assert drafted([None, "a", "b", "c"] * 50).missing
    assert drafted([None, 1, 2, 5] * 50).missing
    assert not drafted([1, 2, 5, 7] * 50).missing


def test_identifying_and_useless_columns_are_ignored():
    assert drafted([f"person {i}" for i in range(ROWS)]) is None
    assert drafted(np.arange(5000, 5000 + ROWS)) is None
    assert drafted(["x"] * ROWS) is None
    assert drafted([None] * ROWS) is None
    for name in ("patient_id", "firstName", "last name", "E-Mail", "SSN"):
        assert drafted(["a", "b", "c", "d"] * 50, name) is None
    assert drafted(["a", "b", "c", "d"] * 50, "width") is not None


def test_bounds_are_rounded_outwards():
    column = drafted(RNG.integers(1234, 8765, ROWS))
    assert column.minimum <= 1234 + 100 and column.minimum % 100 == 0 and column.maximum % 100 == 0


def test_the_label_is_guessed_or_explained():
    table = pd.DataFrame({"n": np.arange(ROWS) % 50, "a": ["u", "v"] * 100, "z": ["p", "q"] * 100})
    assert draft_schema(table, name="t").label == "z"
    with pytest.raises(InputError, match="label 'w' is not in the table"):
        draft_schema(table, name="t", label="w")
    with pytest.raises(InputError, match="no column can be the label"):
        draft_schema(table[["n"]], name="t")
    with pytest.raises(InputError, match="at least two columns"):
        draft_schema(table[["z"]], name="t")
    table["holes"] = ["p", None] * 100
    with pytest.raises(InputError, match="label 'holes' cannot be the label"):
        draft_schema(table, name="t", label="holes")


def test_a_numeric_label_becomes_categorical():
    table = pd.DataFrame({"n": np.arange(ROWS) % 50, "grade": np.arange(ROWS) % 3})
    assert draft_schema(table, name="t", label="grade").label_levels == ("0", "1", "2")


def test_a_draft_for_persons_leaves_their_column_out():
    table = pd.DataFrame({"who": np.arange(ROWS) // 3, "age": np.arange(ROWS) % 40, "label": LABEL})
    schema = draft_schema(table, name="t", person="who")
    assert (schema.unit.kind, schema.unit.person_column) == ("person", "who")
    assert schema.names == ("age", "label") and not schema.ignore
    assert check_table(schema, table) == []


@pytest.mark.parametrize(
    ("person", "why"), [("nobody", "is not in the table"), ("label", "is the label")]
)
def test_a_person_column_that_cannot_be_is_refused(person, why):
    table = pd.DataFrame({"age": np.arange(ROWS) % 40, "label": LABEL})
    with pytest.raises(InputError, match=f"person column '{person}' {why}"):
        draft_schema(table, name="t", label="label", person=person)
