"""A site's folder: what ``site.toml`` may say, and what nobody can change from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomli_w
from tiny_sites import make_request, write_site
from tiny_world import SCHEMA

from client.reserving import check_study
from client.site import load_site
from client.site_config import SITE_FILE
from client.sketching import release_sketch
from privacy import Budget, Part
from synthesis import InputError

GOOD: dict[str, Any] = {
    "name": "north",
    "data": "rows.parquet",
    "schema": "schema.toml",
    "policy": {"epsilon": 1.0, "delta": 1e-5},
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
    assert not load_site(write(tmp_path, GOOD), is_simulated=True).randomness.is_seeded


def test_seeded_noise_is_refused_in_a_deployed_site_before_anything_is_reserved(
    tmp_path: Path,
) -> None:
    write_site(tmp_path / "s", seed=3)
    deployed = load_site(tmp_path / "s")
    with pytest.raises(InputError, match="remove it") as caught:
        _ = deployed.randomness
    assert caught.value.argument == "simulation_seed"
    for ask in (release_sketch, check_study):
        with pytest.raises(InputError, match="remove it"):
            ask(deployed, make_request())
    assert len(deployed.ledger.entries()) == 1


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"name": ""}, "name"),
        ({"name": "x" * 101}, "name"),
        ({"data": 3}, "data"),
        ({"colour": "red"}, "colour"),
        ({"simulation_seed": -1}, "simulation_seed"),
        ({"simulation_seed": 1.5}, "simulation_seed"),
        ({"policy": {"epsilon": 0.0, "delta": 1e-5}}, "policy.epsilon"),
        ({"policy": {"epsilon": -1.0, "delta": 1e-5}}, "policy.epsilon"),
        ({"policy": {"epsilon": float("nan"), "delta": 1e-5}}, "policy.epsilon"),
        ({"policy": {"epsilon": float("inf"), "delta": 1e-5}}, "policy.epsilon"),
        ({"policy": {"epsilon": 1.0, "delta": 1e-10}}, "policy.delta"),
        ({"policy": {"epsilon": 1.0, "delta": 1.0}}, "policy.delta"),
        ({"policy": {"epsilon": 1.0}}, "policy.delta"),
        ({"policy": {"epsilon": 1.0, "delta": 1e-5, "more": 1}}, "policy.more"),
        ({"policy": {"epsilon": 1.0, "delta": 1e-5, "holdout": 0.51}}, "policy.holdout"),
        ({"policy": {"epsilon": 1.0, "delta": 1e-5, "unit": "household"}}, "policy.unit"),
        ({"policy": {"epsilon": 1.0, "delta": 1e-5, "max_epsilon_per_study": 2.0}}, "policy"),
        ({"name": "two\nlines"}, "name"),
        ({"data": "two\nlines"}, "data"),
        ({"budget": {"epsilon": 1.0, "delta": 1e-5}}, "budget"),
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
    again = load_site(tmp_path / "s", is_simulated=True).ledger
    assert again.path == first.path
    assert again.head() == first.head()
