"""A site whose table comes in many parts releases what it would from one."""

from __future__ import annotations

import sqlite3
from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_persons import PERSONS, draw_persons, write_person_site
from tiny_sites import make_request, write_site
from tiny_world import SCHEMA, draw_table

from client.data_source import SqlSource
from client.site import Site, load_site
from client.site_config import SITE_FILE
from client.sketching import release_sketch
from privacy import Part
from synthesis import InputError, csv_records, encode, record_sources, sql_records
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.tables import write_table
from synthesis.units import Units

PART = 16
KINDS = ("csv", "csv.gz", "parquet", "sqlite")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_records, "BLOCK_BYTES", 16 * PART)
    monkeypatch.setattr(record_sources, "BATCH", PART)
    monkeypatch.setattr(sql_records, "CHUNK", PART)


def hand_over(site: Site, kind: str, table: pd.DataFrame) -> Site:
    """Let the site read this table from a source of this kind."""
    data: str | SqlSource = f"long.{kind}"
    if kind == "sqlite":
        connection = sqlite3.connect(site.folder / "long.sqlite")
        table.to_sql("t", connection, index=False)
        connection.close()
        data = SqlSource(url="sqlite:///long.sqlite", query="SELECT * FROM t", dataset="t")
    else:
        write_table(table, site.folder / f"long.{kind}")
    return Site(
        folder=site.folder,
        config=site.config.model_copy(update={"data": data}),
        is_simulated=True,
    )


def words(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with its truths as words, which every source can hold."""
    return table.assign(smokes=table["smokes"].map({"yes": "yes", "no": "no"}))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("rows", [0, 1, PART, PART + 1, 10 * PART])
def test_the_exact_sketch_is_that_of_all_rows(tmp_path: Path, kind: str, rows: int) -> None:
    table = words(draw_table(max(rows, 1))).iloc[:rows]
    site = hand_over(write_site(tmp_path / "s"), kind, table)
    units = site.read_units(Part.TRAINING)
    codes = encode(SCHEMA, table)
    np.testing.assert_array_equal(units.codes, codes)
    layout = SketchLayout.from_schema(SCHEMA)
    np.testing.assert_array_equal(
        compute_sketch(layout, units.codes, units.weights()), compute_sketch(layout, codes)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_persons_that_straddle_parts_weigh_one_on_either_side(tmp_path: Path, kind: str) -> None:
    table = words(draw_persons(60)).sample(frac=1, random_state=0)
    site = hand_over(write_person_site(tmp_path / "s", draw_persons(60), holdout=0.3), kind, table)
    rows_of = Counter(table["patient"])
    for part in Part:
        units = site.read_units(part)
        assert units.n_units > 5
        for unit, person in enumerate(units.ids or ()):
            assert (units.unit == unit).sum() == rows_of[person]
            assert units.weights()[units.unit == unit].sum() == pytest.approx(1, abs=1e-5)
    whole = Units.from_persons(encode(PERSONS, table), table["patient"].to_list())
    expected = whole.split(site.split_key, 0.3)
    for part, units in zip((Part.TRAINING, Part.HOLD_OUT), expected, strict=True):
        np.testing.assert_array_equal(site.read_units(part).codes, units.codes)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_record_may_break_the_schema_and_changes_no_other(
    tmp_path: Path, kind: str
) -> None:
    table = words(draw_table(5 * PART)).astype(object)
    whole = hand_over(write_site(tmp_path / "a"), kind, table).read_units(Part.TRAINING)
    table.loc[5 * PART - 1, "colour"] = "a-colour-nobody-may-see"
    units = hand_over(write_site(tmp_path / "b"), kind, table).read_units(Part.TRAINING)
    np.testing.assert_array_equal(units.codes, whole.codes[:-1])


def test_the_release_is_the_same_to_the_last_bit_whatever_the_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = release_sketch(write_site(tmp_path / "one" / "s", rows=300), make_request())
    monkeypatch.undo()
    second = release_sketch(write_site(tmp_path / "two" / "s", rows=300), make_request())
    np.testing.assert_array_equal(first.statistics, second.statistics)


def test_a_file_that_breaks_off_in_a_later_part_is_refused_without_a_value(tmp_path: Path) -> None:
    site = write_site(tmp_path / "s")
    table = words(draw_table(40 * PART))
    write_table(table, site.folder / "long.csv.gz")
    content = (site.folder / "long.csv.gz").read_bytes()
    (site.folder / "long.csv.gz").write_bytes(content[:-40])
    text = (site.folder / SITE_FILE).read_text().replace("rows.parquet", "long.csv.gz")
    (site.folder / SITE_FILE).write_text(text)
    with pytest.raises(InputError, match=r"cannot be read as CSV \(EOFError\)"):
        load_site(site.folder, is_simulated=True).read_units(Part.TRAINING)
