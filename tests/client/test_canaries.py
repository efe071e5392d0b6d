"""A site that plants canaries: coins flipped once, the same in every phase, opened last."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import (
    ask_close,
    ask_evaluate,
    ask_hello,
    ask_sketch,
    ask_train,
    be_inside_a_run,
    code_of,
    numbers_of,
    send,
    settings_of,
)
from tiny_persons import draw_persons, write_person_site
from tiny_sites import make_config, make_request, write_site
from tiny_world import SCHEMA, draw_table

from client import sketching, training
from client.canaries import find_opening, prepare_canaries, read_training_units
from client.site import Site, load_site
from client.site_file import render_site_file
from client.study_folder import study_folder
from privacy import Part, State
from privacy.canaries import COMMITMENT, Opening, draw_canaries
from strategies import protocol
from synthesis import InputError
from synthesis.kinds.tables import count_for_sketch
from synthesis.layout import SketchLayout
from synthesis.tables import write_table
from synthesis.units import Units

NUMBER = 60
STUDY = "tiny-study"


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_site(tmp_path / "site-1", canaries=NUMBER, holdout=0.3)
    return tmp_path


def site_at(home: Path) -> Site:
    return load_site(home / "site-1", is_simulated=True)


def ask_open(home: Path, **changes: Any) -> Any:
    return send(home, protocol.QUERY_OPEN, make_config(**changes))


def opened_in(reply: Any) -> Opening:
    said = settings_of(reply)
    return Opening.from_texts(said["canary-salt"], said["canary-coins"], NUMBER)


def run_all(home: Path, **changes: Any) -> None:
    for reply in (
        ask_sketch(home, **changes),
        ask_train(home, **changes),
        ask_train(home, server_round=2, **changes),
    ):
        assert not reply.has_error()


def notes(home: Path) -> list[str]:
    return [entry.note for entry in site_at(home).ledger.entries() if entry.note]


def test_a_site_commits_in_its_ledger_before_the_sketch_and_says_so_with_it(home: Path) -> None:
    said = settings_of(ask_sketch(home))
    assert said["canaries"] == NUMBER
    entries = site_at(home).ledger.entries()
    reserved = [entry for entry in entries if entry.event is not None]
    assert {entry.details[COMMITMENT] for entry in reserved} == {said["canary-commitment"]}
    assert {entry.details["canaries"] for entry in reserved} == {str(NUMBER)}
    begun = next(entry for entry in entries if entry.note == "sketch")
    assert max(entry.id for entry in reserved) < begun.id


def test_what_is_opened_is_what_was_committed_to_and_may_be_asked_again(home: Path) -> None:
    commitment = settings_of(ask_sketch(home))["canary-commitment"]
    run_all(home)
    first = ask_open(home)
    assert opened_in(first).fits(commitment)
    ask_close(home)
    assert numbers_of(ask_open(home)) == numbers_of(first)


def test_a_site_without_canaries_says_nothing_of_them_and_opens_none(tmp_path: Path) -> None:
    write_site(tmp_path / "site-1")
    said = settings_of(ask_sketch(tmp_path))
    assert not {key for key in said if key.startswith("canar")}
    assert code_of(ask_open(tmp_path)) == "malformed"
    assert find_opening(site_at(tmp_path), STUDY) is None
    assert all(COMMITMENT not in e.details for e in site_at(tmp_path).ledger.entries())


def test_coins_are_opened_neither_before_the_sketch_nor_for_other_settings(home: Path) -> None:
    assert code_of(ask_open(home)) == "malformed"
    assert ask_hello(home) is not None
    ask_sketch(home)
    assert code_of(ask_open(home, config_hash="0" * 64)) == "study-changed"
    assert "opened" not in notes(home)


def test_nothing_of_a_study_runs_after_its_coins_are_open(home: Path) -> None:
    """Else a coordinator could know the coins and choose its questions by them."""
    settings = {"evaluation": True}
    sketch = ask_sketch(home, **settings)
    assert not ask_train(home, **settings).has_error()
    assert not ask_open(home, **settings).has_error()
    assert code_of(ask_train(home, server_round=2, **settings)) == "already-released"
    assert code_of(ask_evaluate(home)) == "already-released"
    assert numbers_of(ask_sketch(home, **settings)) == numbers_of(sketch)  # kept, and nothing new
    assert notes(home) == ["sketch", "sketch-kept", "round-1", "round-1-kept", "opened"]
    ask_close(home, **settings)
    assert site_at(home).ledger.entries()[-1].state is State.DONE


def watch_units(monkeypatch: pytest.MonkeyPatch) -> list[Units]:
    seen: list[Units] = []

    def read(site: Site, request: Any) -> Units:
        seen.append(read_training_units(site, request))
        return seen[-1]

    for module in (sketching, training):
        monkeypatch.setattr(module, "read_training_units", read)
    return seen


def test_every_private_phase_reads_the_same_canaries_and_the_hold_out_none(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = watch_units(monkeypatch)
    run_all(home, evaluation=True)
    site = site_at(home)
    real, opening = site.read_units(Part.TRAINING), opened_in(ask_open(home, evaluation=True))
    rows = draw_canaries(
        site.schema.sizes,
        NUMBER,
        study=make_request().config_hash,
        schema=site.schema.digest(),
        public_key=site.public_key.hex,
    )
    expected = np.concatenate([real.codes, rows[opening.coins]])
    assert len(seen) == 3
    for units in seen:
        np.testing.assert_array_equal(units.codes, expected)
    assert site.read_units(Part.HOLD_OUT).n_units + real.n_units == 137


def test_a_real_unit_moves_a_sketch_beside_canaries_as_without_them(tmp_path: Path) -> None:
    layout = SketchLayout.from_schema(SCHEMA)
    moved = []
    for name, canaries in (("without", 0), ("beside", NUMBER)):
        counts = []
        for rows in (40, 41):
            site = write_site(tmp_path / name / "site-1", rows=40, canaries=canaries)
            write_table(draw_table(41).iloc[:rows], site.folder / "rows.parquet")
            prepare_canaries(site, make_request())
            units = read_training_units(site, make_request())
            counts.append(count_for_sketch(layout, units)[0])
        moved.append(counts[1] - counts[0])
    np.testing.assert_array_equal(moved[1], moved[0])
    assert np.linalg.norm(moved[1]) == pytest.approx(layout.sensitivity)


def test_a_person_canary_is_one_unit_of_three_rows_and_nobody_real(tmp_path: Path) -> None:
    site = write_person_site(tmp_path / "site-1", draw_persons(30), canaries=NUMBER)
    request = make_request()
    prepare_canaries(site, request)
    opening = find_opening(site, STUDY)
    assert opening is not None
    number = int(opening.coins.sum())
    real, units = site.read_units(Part.TRAINING), read_training_units(site, request)
    assert real.ids is not None and units.ids is not None
    assert units.n_units == real.n_units + number
    assert units.ids[: real.n_units] == real.ids
    np.testing.assert_array_equal(units.unit[: len(real.unit)], real.unit)
    assert (np.bincount(units.unit)[real.n_units :] == 3).all()
    assert np.allclose(units.weights()[-1], 1 / 3, atol=1e-5)


def test_coins_are_flipped_once_and_survive_a_new_start_and_a_new_setting(home: Path) -> None:
    commitment = settings_of(ask_sketch(home))["canary-commitment"]
    site = site_at(home)
    less = site.config.model_copy(update={"canaries": 0})
    (site.folder / "site.toml").write_text(render_site_file(less), encoding="utf-8")
    assert not ask_train(home).has_error()
    assert not ask_train(home, server_round=2).has_error()
    assert opened_in(ask_open(home)).fits(commitment)


def test_coins_of_a_study_that_was_never_reserved_follow_the_setting(home: Path) -> None:
    site = site_at(home)
    prepare_canaries(site, make_request())
    first = find_opening(site, STUDY)
    prepare_canaries(site, make_request())  # as after a kill
    again = find_opening(site, STUDY)
    assert first is not None and again is not None and again.fits(first.commit())
    for number in (NUMBER + 1, 0):
        config = site.config.model_copy(update={"canaries": number})
        changed = Site(folder=site.folder, config=config, is_simulated=True)
        prepare_canaries(changed, make_request())
        found = find_opening(changed, STUDY)
        assert (0 if found is None else len(found.coins)) == number


@pytest.mark.parametrize("change", ["lost", "damaged", "flipped"])
def test_a_site_whose_coins_changed_takes_no_further_part(home: Path, change: str) -> None:
    ask_sketch(home)
    path = study_folder(home / "site-1", STUDY) / "canaries.json"
    content = json.loads(path.read_text())
    if change == "lost":
        path.unlink()
    elif change == "damaged":
        path.write_text("{")
    else:
        flipped = f"{int(content['coins'][0], 16) ^ 8:x}{content['coins'][1:]}"
        path.write_text(json.dumps(content | {"coins": flipped}))
    code = "local-failure" if change == "damaged" else "study-changed"
    assert code_of(ask_train(home)) == code
    assert ask_open(home).has_error()


def test_coins_are_closed_to_others_and_differ_from_study_to_study(tmp_path: Path) -> None:
    site = write_site(tmp_path / "site-1", canaries=NUMBER, seed=None, epsilon=9.0)
    found = []
    for name in ("one", "two"):
        prepare_canaries(site, make_request(study_id=name))
        path = study_folder(site.folder, name) / "canaries.json"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        found.append(find_opening(site, name))
    assert found[0] is not None and found[1] is not None
    assert (found[0].coins != found[1].coins).any()


@pytest.mark.parametrize("number", [-5, 10, 49, 2001])
def test_a_number_that_shows_nothing_is_refused(tmp_path: Path, number: int) -> None:
    with pytest.raises(InputError, match=r"canaries must be 0 or between 50 and 2,000"):
        write_site(tmp_path / "site-1", canaries=number)
