"""A release for catalogues of data sets: Croissant metadata, with the promise in its RAI fields.

Reference: Croissant 1.0 and Croissant RAI 1.0 (docs.mlcommons.org/croissant).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from server.report import Report
from server.report.wording import adjacency_words, plain, unit_words, upper
from synthesis.images.schema import ImageSchema
from synthesis.schema import Column, Continuous, Datetime, LevelColumn, Schema

CROISSANT_FILE: Final = "croissant.json"
_RECORDS: Final = "rows"
_MOST_LEVELS: Final = 50
_SPDX: Final = "https://spdx.org/licenses/"
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]+")
_TERMS: Final = (
    *("citeAs", "column", "extract", "field", "fileProperty", "fileObject", "fileSet", "format"),
    *("includes", "isLiveDataset", "jsonPath", "key", "md5", "parentField", "path", "recordSet"),
    *("references", "regex", "repeated", "replace", "samplingRate", "separator", "source"),
    *("subField", "transform", "equivalentProperty"),
)
_CONTEXT: Final[dict[str, Any]] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    **{term: f"cr:{term}" for term in _TERMS},
}


def write_croissant(folder: Path, table: str, schema: Schema, report: Report) -> None:
    """Write the metadata of a release into its folder.

    Licence and creator are left out where nobody said them.

    Args:
        folder: the release.
        table: name of the Parquet file in it.
        schema: the table's schema.
        report: what the report says.
    """
    records = {
        "@type": "cr:RecordSet",
        "@id": _RECORDS,
        "name": _RECORDS,
        "description": f"One synthetic row each; {schema.label!r} is the label.",
        "field": [
            _field(name, column, table)
            for name, column in zip(_identify(schema), schema.columns, strict=True)
        ],
    }
    file = _describe_file(folder / table, "The synthetic table.", "application/x-parquet")
    _write(folder, file, [records], report, f"{report.release.rows} rows")


def write_image_croissant(folder: Path, name: str, schema: ImageSchema, report: Report) -> None:
    """Write the metadata of a release of images into its folder.

    Args:
        folder: the release.
        name: of the NPZ file in it.
        schema: of the images.
        report: what the report says.
    """
    channels, height, width = schema.shape
    about = (
        f"Arrays images, uint8 of {height} x {width} pixels{' x 3 channels' * (channels == 3)}, "
        f"and labels, from 0: {', '.join(schema.classes)}."
    )
    file = _describe_file(folder / name, about, "application/x-npz")
    _write(folder, file, [], report, f"{report.release.rows} images")


def _describe_file(path: Path, about: str, encoding: str) -> dict[str, object]:
    content = path.read_bytes()
    return {
        "@type": "cr:FileObject",
        "@id": path.name,
        "name": path.name,
        "description": about,
        "contentUrl": path.name,
        "contentSize": f"{len(content)} B",
        "encodingFormat": encoding,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _write(
    folder: Path,
    file: Mapping[str, object],
    records: Sequence[Mapping[str, object]],
    report: Report,
    amount: str,
) -> None:
    metadata = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "name": report.dataset,
        "description": (
            f"{report.title}: {amount}, drawn from a generator and not from anybody's records."
        ),
        "conformsTo": [
            "http://mlcommons.org/croissant/1.0",
            "http://mlcommons.org/croissant/RAI/1.0",
        ],
        "dateCreated": report.created.date().isoformat(),
        "keywords": ["synthetic data", "differential privacy"],
        **_publication(report),
        **_responsible_use(report),
        "distribution": [file],
        "recordSet": records,
    }
    text = json.dumps(metadata, indent=2, ensure_ascii=False) + "\n"
    (folder / CROISSANT_FILE).write_text(text, encoding="utf-8", newline="\n")


def _publication(report: Report) -> dict[str, object]:
    """Return licence and creator as catalogues want them."""
    found: dict[str, object] = {}
    if report.licence is not None:
        is_address = report.licence.startswith(("http://", "https://"))
        found["license"] = report.licence if is_address else f"{_SPDX}{report.licence}"
    if report.creator is not None:
        found["creator"] = {"@type": "sc:Organization", "name": report.creator}
    return found


def _responsible_use(report: Report) -> dict[str, object]:
    promise, sites = report.promise, len(report.sites)
    seeded = (
        " This is a simulation: noise came from a seed, so nobody is protected."
        if promise.randomness == "seeded"
        else ""
    )
    promised = (
        "Not differentially private."
        if not report.private or promise.epsilon is None or promise.delta is None
        else f"At each site the study was (epsilon, delta)-differentially private with epsilon at "
        f"most {upper(promise.epsilon)} and delta {plain(promise.delta)}, for "
        f"{unit_words(promise)}; what must look alike is "
        f"{adjacency_words(promise, report.is_of_images)}."
    )
    return {
        "rai:dataCollection": (
            f"Nothing was collected for this table. It was drawn from a generator that {sites} "
            "sites trained together, each on its own records, which stayed there."
        ),
        "rai:dataCollectionType": ["Others"],
        "rai:dataPreprocessingProtocol": [
            "Columns, ranges, categories and bins come from a public schema (schema.toml) that was "
            "agreed on beforehand; none was fitted on private records."
        ],
        "rai:personalSensitiveInformation": [f"{promised}{seeded}"],
        "rai:dataLimitations": [*promise.not_promised, *report.limits],
    }


def _identify(schema: Schema) -> list[str]:
    """Return what stands for each column in identifiers: its name, or its number if one is odd."""
    if all(_PLAIN.fullmatch(name) for name in schema.names):
        return list(schema.names)
    return [f"column-{number}" for number in range(1, len(schema.names) + 1)]


def _field(name: str, column: Column, table: str) -> dict[str, object]:
    return {
        "@type": "cr:Field",
        "@id": f"{_RECORDS}/{name}",
        "name": column.name,
        "description": _describe(column),
        "dataType": _type_of(column),
        "source": {"fileObject": {"@id": table}, "extract": {"column": column.name}},
    }


def _type_of(column: Column) -> str:
    if isinstance(column, LevelColumn):
        return "sc:Text"
    if isinstance(column, Datetime):
        return "sc:DateTime"
    return "sc:Float" if isinstance(column, Continuous) else "sc:Integer"


def _describe(column: Column) -> str:
    gaps = "; may be missing" if column.missing else ""
    if isinstance(column, LevelColumn):
        more = ", and more" if len(column.levels) > _MOST_LEVELS else ""
        levels = ", ".join(column.levels[:_MOST_LEVELS])
        return f"{column.kind}, one of {len(column.levels)}: {levels}{more}{gaps}"
    low, high = (
        bound.isoformat() if isinstance(bound, datetime) else bound
        for bound in (column.minimum, column.maximum)
    )
    return f"{column.kind}, {low} to {high}{gaps}"
