"""Croissant metadata: what catalogues read of a release."""

from __future__ import annotations

import importlib.util
import json
import re
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from example_report import example_report

from server.croissant import CROISSANT_FILE, write_croissant
from synthesis import decode
from synthesis.schema import Boolean, Categorical, Continuous, Datetime, Integer, Schema
from synthesis.tables import write_table

ROWS = 30
PLAIN = Schema(
    name="plain",
    columns=(
        Integer(name="age", minimum=0, maximum=99, bins=10, missing=True),
        Categorical(name="ward", categories=tuple(f"w{i}" for i in range(80)), missing=True),
        Datetime(name="day", minimum="2020-01-01", maximum="2020-12-31", bins=4, missing=True),  # type: ignore[arg-type]
        Continuous(name="dose", minimum=0, maximum=1, decimals=2, bins=3, missing=True),
        Boolean(name="sick"),
    ),
    label="sick",
)
ODD = Schema(
    name="odd <b>",
    columns=(
        Integer(
            name='age in "years"/\N{LATIN SMALL LETTER A WITH DIAERESIS}', minimum=0, maximum=9
        ),
        Categorical(name="w #{x}", categories=("a", "b")),
    ),
    label="w #{x}",
)


@pytest.fixture(params=[PLAIN, ODD], ids=["plain", "odd"])
def schema(request: pytest.FixtureRequest) -> Schema:
    made: Schema = request.param
    return made


@pytest.fixture
def folder(tmp_path: Path, schema: Schema) -> Path:
    rng = np.random.default_rng(0)
    codes = np.stack([rng.integers(0, size, ROWS) for size in schema.sizes], axis=1)
    write_table(decode(schema, codes, rng), tmp_path / "synthetic.parquet")
    write_croissant(tmp_path, "synthetic.parquet", schema, example_report())
    return tmp_path


@pytest.fixture
def metadata(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / CROISSANT_FILE).read_text("utf-8"))
    return content


def test_it_names_the_file_by_its_digest(folder: Path, metadata: dict[str, Any]) -> None:
    (file,) = metadata["distribution"]
    content = (folder / "synthetic.parquet").read_bytes()
    assert file["@type"] == "cr:FileObject"
    assert file["contentUrl"] == "synthetic.parquet"
    assert file["sha256"] == sha256(content).hexdigest()
    assert file["contentSize"] == f"{len(content)} B"


def test_every_column_is_a_field_with_a_type(schema: Schema, metadata: dict[str, Any]) -> None:
    (rows,) = metadata["recordSet"]
    fields = rows["field"]
    assert [field["name"] for field in fields] == list(schema.names)
    assert [f["source"]["extract"]["column"] for f in fields] == list(schema.names)
    assert {f["source"]["fileObject"]["@id"] for f in fields} == {"synthetic.parquet"}
    assert len({field["@id"] for field in fields}) == len(fields)
    assert all(re.fullmatch(r"rows/[\w.-]+", field["@id"], re.ASCII) for field in fields)
    types = {"integer": "sc:Integer", "datetime": "sc:DateTime", "continuous": "sc:Float"}
    wanted = [types.get(column.kind, "sc:Text") for column in schema.columns]
    assert [field["dataType"] for field in fields] == wanted


def test_every_term_is_in_the_context(metadata: dict[str, Any]) -> None:
    context = metadata["@context"]
    assert context["cr"] == "http://mlcommons.org/croissant/"
    assert context["rai"] == "http://mlcommons.org/croissant/RAI/"
    assert "http://mlcommons.org/croissant/1.0" in metadata["conformsTo"]
    for term in ("recordSet", "field", "dataType", "source", "fileObject", "extract", "column"):
        assert term in context


def test_the_promise_stands_in_the_fields_for_responsible_use(metadata: dict[str, Any]) -> None:
    (said,) = metadata["rai:personalSensitiveInformation"]
    assert "epsilon at most 1 and delta 0.00001" in said
    assert "one record" in said
    assert "This is a simulation" in said
    assert "4 sites" in metadata["rai:dataCollection"]
    assert len(metadata["rai:dataLimitations"]) >= 4


def test_licence_and_creator_are_those_of_the_report(metadata: dict[str, Any]) -> None:
    assert metadata["license"] == "https://spdx.org/licenses/CC-BY-4.0"
    assert metadata["creator"] == {
        "@type": "sc:Organization",
        "name": "Northern Statistics Office",
    }


def test_nobody_invents_a_licence_or_a_creator(folder: Path, schema: Schema) -> None:
    silent = example_report().model_copy(update={"licence": None, "creator": None})
    write_croissant(folder, "synthetic.parquet", schema, silent)
    metadata = json.loads((folder / CROISSANT_FILE).read_text())
    assert not {"license", "creator", "publisher", "citeAs", "url", "version"} & set(metadata)


def test_an_address_of_a_licence_stays_as_it_is(folder: Path, schema: Schema) -> None:
    address = "https://example.org/licence"
    write_croissant(
        folder,
        "synthetic.parquet",
        schema,
        example_report().model_copy(update={"licence": address}),
    )
    assert json.loads((folder / CROISSANT_FILE).read_text())["license"] == address


@pytest.mark.filterwarnings("default")  # what others warn of is theirs
@pytest.mark.skipif(importlib.util.find_spec("mlcroissant") is None, reason="needs mlcroissant")
def test_the_library_of_its_authors_reads_it(folder: Path, schema: Schema) -> None:
    import mlcroissant

    dataset = mlcroissant.Dataset(str(folder / CROISSANT_FILE))
    assert not dataset.metadata.ctx.issues.errors
    records = list(dataset.records("rows"))
    assert len(records) == ROWS
    assert len(records[0]) == len(schema.names)
