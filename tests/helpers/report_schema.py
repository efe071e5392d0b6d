"""The JSON Schema of report.json, as it is shipped."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import server.report

SCHEMA_FILE = Path(server.report.__path__[0]) / "report-1.schema.json"


def find_errors(content: Any) -> list[str]:
    """Return the places at which a report does not fit; needs jsonschema."""
    from jsonschema import Draft202012Validator

    schema = json.loads(SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)
    found = Draft202012Validator(schema).iter_errors(content)
    return ["/".join(map(str, error.absolute_path)) for error in found]
