"""What a coordinator states about a release, and that the same release gives the same bytes."""

from __future__ import annotations

import importlib.util
import json
from hashlib import sha256
from pathlib import Path

import pytest
from signed_release import (
    KEY,
    ROWS,
    SEED,
    make_release_report,
    names_in,
    read_statement,
    sign_made,
)
from signed_release import write_signed as write
from tiny_sites import make_study
from tiny_world import SCHEMA

import server.attestation
from server.attestation import ENVELOPE_FILE
from server.attestation.predicate import render_json_schema
from server.report import Report

SCHEMA_FILE = Path(server.attestation.__file__).parent / "release-1.schema.json"


@pytest.fixture(scope="module")
def report() -> Report:
    return make_release_report()


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, report: Report) -> Path:
    folder = tmp_path_factory.mktemp("signed") / "release"
    write(folder, report)
    return folder


def test_every_file_is_a_subject(release: Path) -> None:
    stated = {each["name"]: each["digest"] for each in read_statement(release)["subject"]}
    assert sorted([*stated, ENVELOPE_FILE]) == names_in(release)
    for name, digest in stated.items():
        assert digest == {"sha256": sha256((release / name).read_bytes()).hexdigest()}


def test_the_statement_says_what_was_promised_and_how_it_was_made(release: Path) -> None:
    statement, study = read_statement(release), make_study()
    predicate = statement["predicate"]
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "urn:fedsynth:release:1"
    assert predicate["kind"] == "federation"
    assert predicate["guarantee"] == {
        "epsilon": study.epsilon,
        "delta": study.delta,
        "unit": "record",
        "adjacency": "add_or_remove_one",
        "accountant": "pld",
        "randomness": "system",
    }
    assert predicate["study"]["settings"] == study.model_dump(mode="json")
    assert predicate["study"]["digest"] == study.digest()
    assert predicate["study"]["schema_digest"] == SCHEMA.digest()
    assert predicate["sampling"] == {"rows": ROWS, "seed": SEED, "conditions": []}
    assert predicate["coordinator"] == {"name": "flu study", "public_key": KEY.public.hex}
    assert "fedsynth" in {each["name"] for each in predicate["software"]}


def test_each_site_has_its_events_and_its_receipt(release: Path, report: Report) -> None:
    events = [event.to_dict() for event in make_study().make_plan().events()]
    for site, told in zip(read_statement(release)["predicate"]["sites"], report.sites, strict=True):
        assert site["name"] == told.name
        assert site["events"] == events
        assert site["source"] == "study-plan"
        assert site["ledger"] is None
        assert told.total is not None and told.receipt is not None
        assert site["epsilon"] == told.total.pld
        assert site["receipt"] == told.receipt.text
        assert site["public_key"] == told.receipt.public_key


def test_it_says_that_receipts_show_no_events(release: Path) -> None:
    not_shown = " ".join(read_statement(release)["predicate"]["not_shown"])
    assert "shows none of its entries" in not_shown
    assert "added the noise" in not_shown


def test_the_same_release_gives_the_same_bytes(
    release: Path, report: Report, tmp_path: Path
) -> None:
    write(tmp_path / "again", report)
    assert names_in(release) == names_in(tmp_path / "again")
    for name in names_in(release):
        assert (release / name).read_bytes() == (tmp_path / "again" / name).read_bytes(), name


def test_a_release_without_a_promise_is_not_signed(report: Report, tmp_path: Path) -> None:
    bare = report.model_copy(update={"private": False, "stamp": "NOT DIFFERENTIALLY PRIVATE"})
    with pytest.raises(ValueError, match="only a release with a promise"):
        write(tmp_path / "bare", bare)


def test_a_folder_with_a_link_is_not_signed(report: Report, tmp_path: Path) -> None:
    (tmp_path / "more").symlink_to(SCHEMA_FILE)
    with pytest.raises(ValueError, match="plain files only, and more is none"):
        sign_made(tmp_path, report)


def test_the_shipped_json_schema_is_that_of_the_code() -> None:
    assert SCHEMA_FILE.read_text() == render_json_schema()


@pytest.mark.skipif(importlib.util.find_spec("jsonschema") is None, reason="needs jsonschema")
def test_a_statement_fits_the_shipped_json_schema(release: Path) -> None:
    from jsonschema import Draft202012Validator

    schema = json.loads(SCHEMA_FILE.read_text())
    Draft202012Validator.check_schema(schema)
    validator, statement = Draft202012Validator(schema), read_statement(release)
    assert list(validator.iter_errors(statement)) == []
    del statement["predicate"]["guarantee"]["unit"]
    statement["predicate"]["sites"][0]["events"][0]["noise_multiplier"] = 0
    assert len(list(validator.iter_errors(statement))) >= 2
