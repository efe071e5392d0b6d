"""A reader finds whatever was done to a release, and is told what nobody can find out."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from signed_release import (
    ALL_KEYS,
    KEY,
    STRANGER,
    attest,
    failed,
    key_of,
    make_release_report,
    names_in,
    problems,
    read_statement,
    sign_again,
    write_envelope,
    write_signed,
)

from privacy import Envelope
from server.attestation import ENVELOPE_FILE, ReleaseBroken, verify_release


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed") / "release"
    write_signed(folder, make_release_report())
    return folder


@pytest.fixture
def release(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "release"))


def test_a_release_as_it_was_signed_holds(release: Path) -> None:
    before = {name: (release / name).read_bytes() for name in names_in(release)}
    verdict = verify_release(release)
    assert (verdict.holds, failed(verdict)) == (True, set())
    said = verdict.summarise()
    assert said.startswith("The release holds: 10 files are as they were signed, and epsilon ")
    assert "receipts do not show what is in the sites' ledgers" in said
    assert "keys were not compared with any that you trust" in said
    assert "simulation" not in said
    assert {name: (release / name).read_bytes() for name in names_in(release)} == before


def test_an_edited_epsilon_in_the_report_is_found_twice(release: Path) -> None:
    report = release / "report.json"
    report.write_text(report.read_text().replace('"epsilon": 1.0', '"epsilon": 0.3', 1))
    verdict = verify_release(release)
    assert failed(verdict) == {"files", "report"}
    assert "report.json and the statement differ in promise.epsilon" in problems(verdict)


def swap_receipts(predicate: dict[str, Any]) -> None:
    first, second = predicate["sites"]
    first["receipt"], second["receipt"] = second["receipt"], first["receipt"]


def swap_sites(predicate: dict[str, Any]) -> None:
    """Keys and receipts fit each other, and the names are those of the others."""
    first, second = predicate["sites"]
    first["name"], second["name"] = second["name"], first["name"]


def put(*path: str | int, value: object) -> Callable[[dict[str, Any]], None]:
    def change(predicate: dict[str, Any]) -> None:
        place: Any = predicate
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value

    return change


LIES: list[tuple[Callable[[dict[str, Any]], None], str, str]] = [
    (swap_receipts, "receipts", "the receipt of site north was not signed with its key"),
    (swap_sites, "report", "differ in name of site south"),
    (put("sites", 0, "receipt", value="none"), "receipts", "the receipt of site north is none"),
    (
        put("sites", 0, "receipt", value=attest("north", entries=2).receipt.to_text()),
        "receipts",
        "over 2 entries, too few",
    ),
    (put("sites", 0, "epsilon", value=0.1), "epsilon", "and 0.100000 is stated"),
    (put("guarantee", "epsilon", value=0.1), "epsilon", "above the promised 0.1"),
    (put("guarantee", "epsilon", value=9.0), "study", "differ in epsilon"),
    (put("guarantee", "delta", value=1e-9), "epsilon", "is stated"),
    (put("guarantee", "unit", value="person"), "report", "differ in promise.unit"),
    (put("guarantee", "adjacency", value="replace_one"), "epsilon", "is stated"),
    (
        put("sites", 0, "events", 0, "noise_multiplier", value=50.0),
        "epsilon",
        "the events of site north cost epsilon",
    ),
    (
        put("sites", 0, "events", 0, "noise_multiplier", value=0.01),
        "epsilon",
        "cannot be accounted for",
    ),
    (put("sites", 0, "events", 0, "part", value="hold-out"), "epsilon", "is stated"),
    (put("study", "settings", "rounds", value=99), "study", "digest is not that of its settings"),
    (put("study", "name", value="other"), "study", "differ in name"),
    (put("sampling", "rows", value=41), "report", "synthetic.parquet has 40 rows, and 41"),
    (put("software", value=[]), "report", "differ in software"),
    (put("dataset", value="other"), "report", "differ in dataset"),
    (put("coordinator", "public_key", value=STRANGER.public.hex), "signatures", "has not signed"),
    (
        put("coordinator", "public_key", value=key_of("north").public.hex),
        "receipts",
        "have the same key",
    ),
]


@pytest.mark.parametrize(("change", "check", "problem"), LIES)
def test_a_coordinator_that_signs_what_is_not_so_is_found(
    release: Path, change: Callable[[dict[str, Any]], None], check: str, problem: str
) -> None:
    sign_again(release, lambda statement: change(statement["predicate"]))
    verdict = verify_release(release)
    assert check in failed(verdict)
    assert problem in problems(verdict)
    assert verdict.summarise().startswith("The release does not hold: ")


def test_one_site_less_in_the_statement_is_found(release: Path) -> None:
    sign_again(release, lambda statement: statement["predicate"]["sites"].pop())
    assert "differ in the number of sites" in problems(verify_release(release))


def test_a_signature_that_does_not_fit_is_found(release: Path) -> None:
    path = release / ENVELOPE_FILE
    envelope = Envelope.from_text(path.read_text())
    forged = Envelope(
        payload_type=envelope.payload_type,
        payload=envelope.payload.replace(b'"rows":40', b'"rows":41'),
        signatures=envelope.signatures,
    )
    path.write_text(forged.to_text())
    found = problems(verify_release(release))
    assert f"the signature of key {KEY.public.fingerprint} does not fit the statement" in found


def test_a_second_signature_is_shown_and_must_be_trusted_too(release: Path) -> None:
    path = release / ENVELOPE_FILE
    path.write_text(Envelope.from_text(path.read_text()).countersign(STRANGER).to_text())
    verdict = verify_release(release)
    assert verdict.holds
    assert [signer.role for signer in verdict.signers] == ["coordinator", "site", "site", "further"]
    assert failed(verify_release(release, ALL_KEYS)) == {"trust"}
    assert verify_release(release, {**ALL_KEYS, STRANGER.public: "officer"}).holds


def test_all_signers_must_be_among_those_that_are_trusted(release: Path) -> None:
    verdict = verify_release(release, ALL_KEYS)
    assert verdict.holds
    assert "all 3 signers are among the keys you trust" in verdict.summarise()
    assert "not compared" not in verdict.summarise()
    for left_out in ALL_KEYS:
        some = {key: name for key, name in ALL_KEYS.items() if key != left_out}
        verdict = verify_release(release, some)
        assert failed(verdict) == {"trust"}
        assert f"key {left_out.fingerprint} of " in problems(verdict)


def test_a_key_that_is_trusted_for_somebody_else_is_not_enough(release: Path) -> None:
    north, south = (key_of(name).public for name in ("north", "south"))
    swapped = {**ALL_KEYS, north: "south", south: "north"}
    assert failed(verify_release(release, swapped)) == {"trust"}
    assert verify_release(release, dict.fromkeys(ALL_KEYS)).holds  # keys without names


def test_a_whole_release_by_a_stranger_holds_only_for_who_trusts_nobody(release: Path) -> None:
    def change(statement: dict[str, Any]) -> None:
        statement["predicate"]["coordinator"]["public_key"] = STRANGER.public.hex

    sign_again(release, change, STRANGER)
    assert verify_release(release).holds
    assert failed(verify_release(release, ALL_KEYS)) == {"trust"}


def cut(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])


@pytest.mark.parametrize("length", [0, 1, 100, -100, -1])
def test_a_truncated_envelope_is_refused_in_a_sentence(release: Path, length: int) -> None:
    cut(release / ENVELOPE_FILE, length)
    with pytest.raises(ReleaseBroken, match="is damaged or was not written by fedsynth"):
        verify_release(release)


def drop_guarantee(statement: dict[str, Any]) -> None:
    del statement["predicate"]["guarantee"]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda s: s.update(predicateType="urn:fedsynth:release:2"), "use a newer fedsynth"),
        (lambda s: s.update(predicateType="https://slsa.dev/provenance/v1"), "cannot check it"),
        (lambda s: s.pop("_type"), "must hold an in-toto statement"),
        (drop_guarantee, "predicate.guarantee: Field required"),
        (lambda s: s["predicate"].update(more=1), "predicate.more: Extra inputs"),
        (lambda s: s["subject"].append(s["subject"][0]), "subject must name each file once"),
    ],
)
def test_another_form_is_refused_in_a_sentence(
    release: Path, change: Callable[[dict[str, Any]], object], problem: str
) -> None:
    sign_again(release, change)
    with pytest.raises(ReleaseBroken, match=problem):
        verify_release(release)


def test_what_is_no_statement_is_refused_in_a_sentence(release: Path) -> None:
    for payload in (b"", b"\xff", b"[]", b"[" * 100_000, b"{}"):
        write_envelope(release, payload)
        with pytest.raises(ReleaseBroken, match="must hold an in-toto statement"):
            verify_release(release)
    write_envelope(release, b"{}", payload_type="text/plain")
    with pytest.raises(ReleaseBroken, match="must hold application/vnd"):
        verify_release(release)


def test_sites_without_a_receipt_are_counted_and_not_invented(release: Path) -> None:
    def change(statement: dict[str, Any]) -> None:
        statement["predicate"]["sites"][0].update(public_key=None, receipt=None)

    sign_again(release, change)
    verdict = verify_release(release)
    assert "report.json and the statement differ in receipt of site north" in problems(verdict)
    (receipts,) = (check for check in verdict.checks if check.name == "receipts")
    assert receipts.found == "1 of 2 sites' ledgers have a signed receipt"


def test_the_statement_travels_whole(release: Path) -> None:
    statement = verify_release(release).statement
    assert statement.model_dump(mode="json", by_alias=True) == read_statement(release)
