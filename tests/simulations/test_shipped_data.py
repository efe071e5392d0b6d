import os
from pathlib import Path

import numpy as np
import pytest

from synthesis import conform, decode, encode
from synthesis.schema import check_table, dump_schema, load_schema
from synthesis.tables import read_table

DATA = Path(__file__).parents[2] / "simulations" / "data"
TABLES = [
    ("adult", "adult.parquet", (), 48_842, 792),
    ("airport", "airport.csv.gz", (), 19_434, 120),
    ("penguins", "penguins.csv", ("island",), 344, 77),
    ("indomethacin", "indomethacin.csv", ("site",), 602, 90),
    ("covid", "covid.csv.gz", ("clinic_name",), 15_524, 287),
]
# Schemas of tables whose licence does not let them come along; the folder of who has them.
ABSENT = [
    ("rand_hie", "rand_hie_slim.csv.gz", 20_190, 6),
    ("breast_cancer", "breast_cancer_2sites.csv", 3_668, 2),
    ("heart_disease", "heart_disease_4sites.csv", 920, 4),
]
ABSENT_FOLDER = "FEDSYNTH_DATA"


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


@pytest.mark.parametrize(("name", "file", "site"), [(r[0], r[1], r[2]) for r in TABLES])
def test_a_shipped_table_needs_no_partition_by_its_sites(name, file, site):
    schema, table = load_schema(DATA / f"{name}.toml"), read_table(DATA / file)
    assert check_table(schema, table) == []
    assert set(site) <= set(schema.ignore) & set(table.columns)


@pytest.mark.parametrize("name", [row[0] for row in TABLES + ABSENT])
def test_shipped_schemas_survive_writing(name, tmp_path):
    schema = load_schema(DATA / f"{name}.toml")
    (tmp_path / "again.toml").write_text(dump_schema(schema), encoding="utf-8")
    assert load_schema(tmp_path / "again.toml") == schema


@pytest.mark.parametrize(("name", "file", "rows", "sites"), ABSENT)
def test_a_table_that_is_not_shipped_fits_its_schema(name, file, rows, sites):
    if ABSENT_FOLDER not in os.environ:
        pytest.skip(f"set {ABSENT_FOLDER} to a folder with {file}, which README.md describes")
    schema = load_schema(DATA / f"{name}.toml")
    table = read_table(Path(os.environ[ABSENT_FOLDER]) / file)
    assert check_table(schema, table) == []
    assert (len(table), table["site"].nunique()) == (rows, sites)


@pytest.mark.parametrize("name", [row[0] for row in ABSENT])
def test_a_schema_without_its_table_says_where_the_table_is(name):
    assert not list(DATA.glob(f"{name}*.csv*")) + list(DATA.glob(f"{name}*.parquet"))
    assert f"`{name}.toml`" in (DATA / "README.md").read_text(encoding="utf-8")


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
