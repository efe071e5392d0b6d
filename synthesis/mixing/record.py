"""The record of a chosen composition: enough to draw the same rows again, and how good they are."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any, Final

from synthesis.mixing.figures import measure
from synthesis.mixing.mixed_sample import Mixed
from synthesis.model_files import DESCRIPTION_FILE, WEIGHTS_FILE

FORMAT: Final = "fedsynth-sample/1"


def make_record(mixed: Mixed, release: Path, *, version: str) -> dict[str, Any]:
    """Return what is recorded beside rows, as plain values.

    Args:
        mixed: the rows.
        release: the folder that their generator was read from.
        version: of fedsynth; another may draw other rows.
    """
    parts = [
        {
            **({"period": name} if name else {}),
            "asked": part.asked,
            "figures": measure(part),
        }
        for name, part in mixed.parts.items()
    ]
    return {
        "format": FORMAT,
        "fedsynth": version,
        "privacy": "post-processing: nothing was spent",
        "generator_sha256": {
            name: hashlib.sha256((release / name).read_bytes()).hexdigest()
            for name in (WEIGHTS_FILE, DESCRIPTION_FILE)
        },
        "rows": mixed.sample.num_rows,
        "seed": mixed.sample.seed,
        "columns": list(mixed.sample.schema.names),
        "parts": parts,
    }


def to_json(record: dict[str, Any]) -> str:
    """Return a record as text, the same for the same record."""
    return json.dumps(record, ensure_ascii=False, indent=1)
