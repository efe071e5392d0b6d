"""A new site: private files, keys of its own, and a configuration that people can read."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from tiny_persons import PERSONS
from tiny_world import SCHEMA

from client.founding import found_site
from client.node.keys import ADMISSION_FILE, NODE_KEY_FILE
from client.site import (
    KEY_FILE,
    RECEIPT_FILE,
    SITE_FILE,
    SPLIT_KEY_FILE,
    Site,
    SiteConfig,
    load_site,
)
from privacy import Approver, Policy, SigningKey, StudyKind, Unit
from synthesis import InputError

PLAIN = Policy(epsilon=1.0, delta=1e-5)
RICH = Policy(
    epsilon=2.5,
    delta=1e-6,
    holdout=0.25,
    max_epsilon_per_study=0.75,
    study_kinds=(StudyKind.SKETCH,),
    models=("mixture", "another"),
    smallest_noise_multiplier=1.5,
    max_rounds=7,
    row_count_public=True,
    approvers=(
        Approver(name="A", public_key=SigningKey.generate().public.hex),
        Approver(name="The office of Zoë " * 5, public_key=SigningKey.generate().public.hex),
    ),
    expires=date(2031, 2, 3),
)


def found(folder: Path, **changes: Any) -> Site:
    settings: dict[str, Any] = {
        "name": "north",
        "data": "rows.csv",
        "schema": SCHEMA,
        "policy": PLAIN,
    }
    return found_site(folder, **(settings | changes))


def test_nobody_else_may_read_a_file_of_a_site(tmp_path: Path) -> None:
    (tmp_path / "s").mkdir(mode=0o755)
    found(tmp_path / "s")
    paths = list((tmp_path / "s").rglob("*"))
    assert {p.relative_to(tmp_path / "s").as_posix() for p in paths} == {
        SITE_FILE,
        "schema.toml",
        "ledger.sqlite",
        "keys",
        KEY_FILE,
        SPLIT_KEY_FILE,
        RECEIPT_FILE,
        NODE_KEY_FILE,
        ADMISSION_FILE,
    }
    for path in [tmp_path / "s", *paths]:
        assert path.stat().st_mode & 0o777 == (0o700 if path.is_dir() else 0o600), path


def test_a_simulated_site_has_neither_node_nor_admission(tmp_path: Path) -> None:
    found(tmp_path / "s", simulation_seed=1)
    names = {p.name for p in (tmp_path / "s").rglob("*") if p.is_file()}
    assert not names & {"node.pem", "admission.toml"}


def test_a_folder_that_holds_something_is_never_written_to(tmp_path: Path) -> None:
    found(tmp_path / "s")
    before = {p: p.read_bytes() for p in (tmp_path / "s").rglob("*") if p.is_file()}
    with pytest.raises(InputError, match="must be new or empty"):
        found(tmp_path / "s", name="south")
    assert {p: p.read_bytes() for p in (tmp_path / "s").rglob("*") if p.is_file()} == before
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InputError, match="must be new or empty"):
        found(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize(
    ("changes", "argument"),
    [
        ({"schema": PERSONS}, "unit"),
        ({"policy": PLAIN.model_copy(update={"unit": Unit.PERSON})}, "unit"),
        ({"name": ""}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"data": "two\nlines"}, "data"),
        ({"simulation_seed": -1}, "simulation_seed"),
    ],
)
def test_what_cannot_be_a_site_leaves_no_folder(
    tmp_path: Path, changes: dict[str, Any], argument: str
) -> None:
    with pytest.raises(InputError) as caught:
        found(tmp_path / "s", **changes)
    assert caught.value.argument == argument
    assert not (tmp_path / "s").exists()


def test_every_site_has_keys_of_its_own(tmp_path: Path) -> None:
    sites = [found(tmp_path / name) for name in ("a", "b")]  # even with the same settings
    assert len({site.public_key for site in sites}) == 2
    assert len({site.split_key for site in sites}) == 2
    for site in sites:
        assert len(site.split_key) == 32
        assert site.split_key.hex() not in (site.folder / KEY_FILE).read_text()
        assert site.ledger.header.public_key == site.public_key


def test_keys_repeat_in_a_simulation_only(tmp_path: Path) -> None:
    first, again, other, installed = (
        found(tmp_path / str(i), simulation_seed=seed) for i, seed in enumerate((1, 1, 2, None))
    )
    assert first.public_key == again.public_key
    assert first.split_key == again.split_key
    assert len({site.public_key for site in (first, other, installed)}) == 3
    assert len({site.split_key for site in (first, other, installed)}) == 3
    assert first.is_simulated and not installed.is_simulated


@pytest.mark.parametrize("policy", [PLAIN, RICH])
@pytest.mark.parametrize("seed", [None, 7])
def test_the_file_says_what_was_asked_for(tmp_path: Path, policy: Policy, seed) -> None:
    made = found(tmp_path / "s", policy=policy, simulation_seed=seed, data="in/rows.parquet")
    again = load_site(tmp_path / "s", is_simulated=seed is not None)
    assert again == made
    assert again.config.policy == policy
    assert again.config.data == "in/rows.parquet"
    assert again.config.simulation_seed == seed
    assert again.schema == SCHEMA
    assert again.ledger.policy == policy
    assert len(again.ledger.entries()) == 1


@pytest.mark.parametrize("policy", [PLAIN, RICH])
def test_every_setting_stands_in_the_file_behind_its_explanation(
    tmp_path: Path, policy: Policy
) -> None:
    lines = (found(tmp_path / "s", policy=policy).folder / SITE_FILE).read_text().splitlines()
    names = {field.alias or name for name, field in SiteConfig.model_fields.items()}
    names = (names | set(Policy.model_fields)) - {"policy", "simulation_seed"}
    start = next(i for i, line in enumerate(lines) if "[[policy.approvers]]" in line)
    for name in names - {"approvers"}:
        bare = [line.removeprefix("# ") for line in lines[:start]]
        (place,) = (i for i, line in enumerate(bare) if line.startswith(f"{name} = "))
        assert lines[place - 1].startswith("# ") and " " in lines[place - 1][2:]
    assert lines[start - 1].startswith("# who may loosen")
    assert all(len(line) <= 120 for line in lines)


def test_examples_in_comments_are_settings_when_their_mark_is_taken_away(tmp_path: Path) -> None:
    text = (found(tmp_path / "s").folder / SITE_FILE).read_text()
    for line in text.splitlines():
        if line.startswith("# ") and (" = " in line or "[[" in line):
            text = text.replace(line, line.removeprefix("# "))
    policy = tomllib.loads(text)["policy"]
    assert policy["expires"] == date(2030, 12, 31)
    assert policy["max_epsilon_per_study"] == 0.5
    assert set(policy["approvers"][0]) == {"name", "public_key"}
