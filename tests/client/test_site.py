"""A site's folder: what ``site.toml`` may say, and what nobody can change from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w
from tiny_sites import write_site
from tiny_world import SCHEMA

from client.site import SITE_FILE, load_site
from privacy import Budget, Part
from synthesis import InputError

GOOD: dict[str, Any] = {
    "name": "north",
    "data": "rows.parquet",
    "schema": "schema.toml",
    "budget": {"epsilon": 1.0, "delta": 1e-5},
}


def write(folder: Path, content: dict[str, Any]) -> Path:
    (folder / SITE_FILE).write_text(tomli_w.dumps(content), encoding="utf-8")
    return folder


def test_a_folder_tells_all_a_site_needs(tmp_path: Path) -> None:
    site = write_site(tmp_path / "north", rows=20)
    assert site.schema == SCHEMA
    assert site.read_units(Part.TRAINING).n_units == 20
    assert site.ledger.budget == Budget(epsilon=1.0, delta=1e-5)
    assert site.ledger.header.site == "north"
    assert site.ledger.events() == ()


def test_noise_is_seeded_only_when_the_file_says_so(tmp_path: Path) -> None:
    assert write_site(tmp_path / "a", seed=3).randomness.is_seeded
    assert not load_site(write(tmp_path, GOOD)).randomness.is_seeded


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"data": 3}, "data"),
        ({"colour": "red"}, "colour"),
        ({"simulation_seed": -1}, "simulation_seed"),
        ({"simulation_seed": 1.5}, "simulation_seed"),
        ({"budget": {"epsilon": 0.0, "delta": 1e-5}}, "budget.epsilon"),
        ({"budget": {"epsilon": -1.0, "delta": 1e-5}}, "budget.epsilon"),
        ({"budget": {"epsilon": float("nan"), "delta": 1e-5}}, "budget.epsilon"),
        ({"budget": {"epsilon": float("inf"), "delta": 1e-5}}, "budget.epsilon"),
        ({"budget": {"epsilon": 1.0, "delta": 1e-10}}, "budget.delta"),
        ({"budget": {"epsilon": 1.0, "delta": 1.0}}, "budget.delta"),
        ({"budget": {"epsilon": 1.0}}, "budget.delta"),
        ({"budget": {"epsilon": 1.0, "delta": 1e-5, "more": 1}}, "budget.more"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, change: dict[str, Any], argument: str) -> None:
    with pytest.raises(InputError, match=r"site\.toml") as caught:
        load_site(write(tmp_path, GOOD | change))
    assert caught.value.argument == argument


@pytest.mark.parametrize("key", sorted(GOOD))
def test_a_missing_setting_is_named(tmp_path: Path, key: str) -> None:
    content = {name: value for name, value in GOOD.items() if name != key}
    with pytest.raises(InputError, match=key):
        load_site(write(tmp_path, content))


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe", b"name = 'a'\nname = 'b'"])
def test_a_file_that_is_no_toml_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / SITE_FILE).write_bytes(content)
    with pytest.raises(InputError, match="not valid TOML"):
        load_site(tmp_path)


def test_a_folder_without_site_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must hold site\.toml"):
        load_site(tmp_path / "nowhere")


def test_the_ledger_outlives_the_site_object(tmp_path: Path) -> None:
    first = write_site(tmp_path / "s").ledger
    again = load_site(tmp_path / "s").ledger
    assert again.path == first.path
    assert again.head() == first.head()


@pytest.mark.parametrize("epsilon", [0.5, 2.0])
def test_another_budget_than_the_ledgers_is_refused(tmp_path: Path, epsilon: float) -> None:
    assert write_site(tmp_path / "s", epsilon=1.0).ledger.budget.epsilon == 1.0
    with pytest.raises(InputError, match=r"budget in site\.toml must be the one"):
        _ = write_site(tmp_path / "s", epsilon=epsilon).ledger
