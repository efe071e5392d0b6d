"""A generator on disk: it comes back whole, and damage is named in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_world import SCHEMA, make_generator

from synthesis.architecture import SiteGroup
from synthesis.errors import InputError
from synthesis.model_files import DESCRIPTION_FILE, WEIGHTS_FILE, load_generator, save_generator
from synthesis.sampling import sample_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_generator(tmp_path, make_generator(), SCHEMA)
    return tmp_path


def test_generator_and_schema_come_back_exactly(folder: Path) -> None:
    generator, schema = load_generator(folder)
    assert schema == SCHEMA
    assert generator.settings == make_generator().settings
    for name, weight in make_generator().state_dict().items():
        assert torch.equal(generator.state_dict()[name], weight)
    assert sample_table(generator, schema, 50).equals(sample_table(make_generator(), SCHEMA, 50))


def test_groups_of_sites_come_back(tmp_path: Path) -> None:
    groups = (SiteGroup(share=0.7, sites=("north",)), SiteGroup(share=0.3, sites=("south", "east")))
    saved = make_generator(groups=groups, num_members=2)
    save_generator(tmp_path, saved, SCHEMA)
    generator, _ = load_generator(tmp_path)
    assert generator.settings.groups == groups
    assert sample_table(generator, SCHEMA, 50).equals(sample_table(saved, SCHEMA, 50))


def test_a_generator_from_before_there_were_groups_is_read(folder: Path) -> None:
    path = folder / DESCRIPTION_FILE
    content = json.loads(path.read_text("utf-8"))
    del content["groups"]
    path.write_text(json.dumps(content | {"format": "fedsynth-generator/2"}), encoding="utf-8")
    generator, schema = load_generator(folder)
    assert generator.settings.groups == (SiteGroup(share=1.0),)
    assert sample_table(generator, schema, 50).equals(sample_table(make_generator(), SCHEMA, 50))


def test_saving_twice_gives_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    again.mkdir()
    save_generator(again, *load_generator(folder))
    for name in (WEIGHTS_FILE, DESCRIPTION_FILE):
        assert (again / name).read_bytes() == (folder / name).read_bytes()


def test_files_are_safetensors_and_json_and_no_pickle(folder: Path) -> None:
    weights = (folder / WEIGHTS_FILE).read_bytes()
    header = weights[8 : 8 + int.from_bytes(weights[:8], "little")]
    assert set(json.loads(header)) - {"__metadata__"} == set(make_generator().state_dict())
    json.loads((folder / DESCRIPTION_FILE).read_text("utf-8"))
    assert sorted(path.name for path in folder.iterdir()) == [DESCRIPTION_FILE, WEIGHTS_FILE]


def test_a_pickle_in_place_of_weights_is_never_run(folder: Path, tmp_path: Path) -> None:
    trap = b"cpathlib\nPath\n(S'" + str(tmp_path / "ran").encode() + b"'\ntRp0\n."
    (folder / WEIGHTS_FILE).write_bytes(trap)
    with pytest.raises(InputError):
        load_generator(folder)
    assert not (tmp_path / "ran").exists()


def edit(key: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / DESCRIPTION_FILE
        content = json.loads(path.read_text("utf-8"))
        if key in ("num_anchors", "hidden", "latent_dim"):
            content["architecture"][key] = value
        else:
            content[key] = value
        path.write_text(json.dumps(content), encoding="utf-8")

    return change


def drop(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = folder / WEIGHTS_FILE
        weights = load_file(path)
        del weights[name]
        save_file(weights, path)

    return change


def spoil_one_weight(folder: Path) -> None:
    weights = load_file(folder / WEIGHTS_FILE)
    weights["anchors"][0, 0] = float("nan")
    save_file(weights, folder / WEIGHTS_FILE)


def write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def cut_weights(folder: Path) -> None:
    path = folder / WEIGHTS_FILE
    path.write_bytes(path.read_bytes()[:-10])


OTHER_SCHEMA = SCHEMA.model_dump(mode="json") | {"columns": SCHEMA.model_dump()["columns"][1:]}


@pytest.mark.parametrize(
    "damage",
    [
        cut_weights,
        spoil_one_weight,
        drop("anchors"),
        write(WEIGHTS_FILE, b""),
        write(WEIGHTS_FILE, b"\xff" * 100),
        write(DESCRIPTION_FILE, b""),
        write(DESCRIPTION_FILE, b"{"),
        write(DESCRIPTION_FILE, b"[]"),
        write(DESCRIPTION_FILE, b"null"),
        write(DESCRIPTION_FILE, b"\xff\xfe\x00"),
        write(DESCRIPTION_FILE, b"{}"),
        edit("format", "fedsynth-generator/99"),
        edit("architecture", None),
        edit("architecture", {"depth": 3}),
        edit("num_anchors", 31),
        edit("num_anchors", 0),
        edit("hidden", "many"),
        edit("hidden", 16.5),
        edit("latent_dim", None),
        edit("groups", None),
        edit("groups", [{"share": 1.0}]),
        edit("groups", [{"share": 0.5, "sites": []}]),
        edit("groups", [{"share": "half", "sites": []}, {"share": 0.5, "sites": []}]),
        edit("groups", [{"share": 0.5, "sites": []}, {"share": 0.5, "sites": []}]),
        edit("schema", {}),
        edit("schema", 3),
        edit("schema", OTHER_SCHEMA),
    ],
)
def test_damage_is_one_sentence_and_no_other_error(
    folder: Path, damage: Callable[[Path], None]
) -> None:
    damage(folder)
    with pytest.raises(InputError) as caught:
        load_generator(folder)
    assert "\n" not in str(caught.value).strip()


def test_another_format_names_both(folder: Path) -> None:
    edit("format", "fedsynth-generator/99")(folder)
    with pytest.raises(InputError, match=r"fedsynth-generator/3.*fedsynth-generator/99"):
        load_generator(folder)


@pytest.mark.parametrize("name", [WEIGHTS_FILE, DESCRIPTION_FILE])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(InputError, match=name):
        load_generator(folder)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        load_generator(tmp_path / "nowhere")
