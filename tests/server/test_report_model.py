import json

import pytest
from example_report import example_report
from pydantic import ValidationError

from server.report import STAMP, Report, report_from_json, report_to_json


def test_a_report_survives_its_own_json_exactly() -> None:
    report = example_report()
    text = report_to_json(report)
    assert report_from_json(text) == report
    assert report_to_json(report_from_json(text)) == text


def test_json_names_its_format_and_refuses_another() -> None:
    content = json.loads(report_to_json(example_report()))
    assert content["format"] == "fedsynth-report/1"
    with pytest.raises(ValidationError, match="fedsynth-report/1"):
        Report.model_validate(content | {"format": "fedsynth-report/2"})


def test_without_privacy_the_stamp_is_set_and_cannot_be_removed() -> None:
    content = json.loads(report_to_json(example_report())) | {"private": False}
    content.pop("stamp")
    assert Report.model_validate(content).stamp == STAMP
    with pytest.raises(ValidationError, match="stamp must be"):
        Report.model_validate(content | {"stamp": None})
    with pytest.raises(ValidationError, match="stamp must be"):
        Report.model_validate(content | {"private": True, "stamp": STAMP})


@pytest.mark.parametrize(("part", "field"), [("promise", "epsilon"), ("promise", "delta")])
def test_a_private_report_states_its_promise(part: str, field: str) -> None:
    content = json.loads(report_to_json(example_report()))
    content[part][field] = None
    with pytest.raises(ValidationError, match="promise must have epsilon and delta"):
        Report.model_validate(content)


def test_a_private_report_states_what_every_site_spent() -> None:
    content = json.loads(report_to_json(example_report()))
    content["sites"][2]["total"] = None
    with pytest.raises(ValidationError, match="east"):
        Report.model_validate(content)


@pytest.mark.parametrize("time", ["2026-11-22T18:05:00", "2026-11-22T18:05:00+01:00"])
def test_times_are_in_utc(time: str) -> None:
    content = json.loads(report_to_json(example_report()))
    with pytest.raises(ValidationError, match="created"):
        Report.model_validate(content | {"created": time})


def test_numbers_are_finite_and_in_range() -> None:
    content = json.loads(report_to_json(example_report()))
    content["utility"]["rows"][0]["boosting_auc"] = 1.5
    with pytest.raises(ValidationError, match="boosting_auc"):
        Report.model_validate(content)
    content["utility"]["rows"][0]["boosting_auc"] = float("nan")
    with pytest.raises(ValidationError, match="boosting_auc"):
        Report.model_validate(content)


def test_every_field_of_the_json_schema_is_described() -> None:
    schema = Report.model_json_schema()
    objects = [schema, *(part for part in schema["$defs"].values() if "properties" in part)]
    silent = [
        f"{part['title']}.{name}"
        for part in objects
        for name, field in part["properties"].items()
        if "description" not in field and "$ref" not in field  # a part describes itself
    ]
    assert not silent
