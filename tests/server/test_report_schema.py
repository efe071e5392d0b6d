"""report.json fits the JSON Schema that is shipped beside the code, in every state."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable

import pytest
from report_schema import SCHEMA_FILE, find_errors
from report_states import STATES

from server.report import Report, report_to_json
from server.report.model import render_json_schema

needs_jsonschema = pytest.mark.skipif(
    importlib.util.find_spec("jsonschema") is None, reason="needs jsonschema"
)


def test_the_shipped_json_schema_is_that_of_the_code() -> None:
    assert SCHEMA_FILE.read_text() == render_json_schema()


@needs_jsonschema
@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_every_kind_of_report_fits_the_shipped_json_schema(state: Callable[[], Report]) -> None:
    assert find_errors(json.loads(report_to_json(state()))) == []


@needs_jsonschema
def test_what_does_not_fit_is_found() -> None:
    content = json.loads(report_to_json(STATES["deployed"]()))
    del content["promise"]["trust_model"]
    content["sites"][1]["total"]["pld"] = -1
    content["gain"]["from_losses"]["right_guesses"] = "all"
    content["anything"] = 1
    found = set(find_errors(content))
    # Where a part may also be missing, JSON Schema names the part and not the field.
    assert found == {"promise", "sites/1/total", "gain", ""}


@needs_jsonschema
def test_reports_of_earlier_versions_still_fit() -> None:
    content = json.loads(report_to_json(STATES["good"]()))
    for name in ("gain", "refusals", "audit", "attacks", "sketch_noise"):
        del content[name]
    del content["utility"]["groups"]
    for site in content["sites"]:
        del site["history"]
    assert find_errors(content) == []
    Report.model_validate(content)
