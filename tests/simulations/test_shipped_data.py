from pathlib import Path

import numpy as np
import pytest

from synthesis import conform, decode, encode
from synthesis.schema import check_table, dump_schema, load_schema
from synthesis.tables import read_table

DATA = Path(__file__).parents[2] / "simulations" / "data"
TABLES = [
    ("adult", "adult.parquet", (), 48_842, 341),
    ("airport", "airport.csv.gz", (), 19_434, 120),
    ("penguins", "penguins.csv", ("island",), 344, 77),
    ("indomethacin", "indomethacin.csv", ("site",), 602, 90),
    ("covid", "covid.csv.gz", ("clinic_name",), 15_524, 287),
]


@pytest.mark.parametrize(("name", "file", "allow", "rows", "width"), TABLES)
def test_shipped_tables_fit_their_schemas_and_round_trip(name, file, allow, rows, width):
    schema, table = load_schema(DATA / f"{name}.toml"), read_table(DATA / file)
    assert (len(table), sum(schema.sizes)) == (rows, width)
    assert check_table(schema, table, allow=allow) == []
    codes = encode(schema, table)
    again = decode(schema, codes, np.random.default_rng(0))
    assert check_table(schema, again) == []
    np.testing.assert_array_equal(encode(schema, again), codes)
    assert not set(schema.names) & {*schema.ignore, *allow}
    assert conform(schema, table).isna().to_numpy().sum() == again.isna().to_numpy().sum()


@pytest.mark.parametrize("name", [row[0] for row in TABLES])
def test_shipped_schemas_survive_writing(name, tmp_path):
    schema = load_schema(DATA / f"{name}.toml")
    (tmp_path / "again.toml").write_text(dump_schema(schema), encoding="utf-8")
    assert load_schema(tmp_path / "again.toml") == schema


def test_adult_keeps_the_question_mark_as_a_category():
    schema, table = load_schema(DATA / "adult.toml"), read_table(DATA / "adult.parquet")
    again = decode(schema, encode(schema, table), np.random.default_rng(0))
    counts = [(again[name] == "?").sum() for name in ("workclass", "occupation", "native-country")]
    assert counts == [2799, 2809, 857]
    assert not again.isna().to_numpy().any()


def test_every_shipped_file_is_named_in_the_readme():
    text = (DATA / "README.md").read_text(encoding="utf-8")
    for _, file, *_rest in TABLES:
        assert f"`{file}`" in text
