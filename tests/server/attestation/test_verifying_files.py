"""Whatever happens to a file of a release is found, and the file is named."""

from __future__ import annotations

import os
import random
import shutil
from pathlib import Path

import pytest
from signed_release import failed, flip, make_release_report, names_in, problems, write_signed

from server.attestation import ENVELOPE_FILE, ReleaseBroken, verify_release

FILES = (
    "DATA_CARD.md",
    "croissant.json",
    "generator.json",
    "generator.safetensors",
    "receipts/north.txt",
    "receipts/south.txt",
    "release.intoto.json",
    "report.html",
    "report.json",
    "schema.toml",
    "synthetic.parquet",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("signed") / "release"
    write_signed(folder, make_release_report())
    return folder


@pytest.fixture
def release(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "release"))


def test_the_names_below_are_all_files(made: Path) -> None:
    assert tuple(names_in(made)) == FILES


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_bit_of_any_file_is_found(release: Path, name: str) -> None:
    whole = (release / name).read_bytes()
    rng = random.Random(name)
    for position in (0, len(whole) - 1, *(rng.randrange(len(whole)) for _ in range(4))):
        flip(release / name, position, bit=rng.randrange(8))
        if name == ENVELOPE_FILE:
            assert is_refused(release)
        else:
            verdict = verify_release(release)
            assert "files" in failed(verdict)
            assert f"{name} was altered" in verdict.summarise()
        (release / name).write_bytes(whole)
    assert verify_release(release).holds


def is_refused(release: Path) -> bool:
    try:
        return not verify_release(release).holds
    except ReleaseBroken:
        return True


@pytest.mark.parametrize("name", [name for name in FILES if name != ENVELOPE_FILE])
def test_a_missing_file_is_named(release: Path, name: str) -> None:
    (release / name).unlink()
    assert f"{name} is missing" in problems(verify_release(release))


@pytest.mark.parametrize("name", [".hidden", "report.json.bak", "receipts/west.txt", "new/one"])
def test_a_file_too_many_is_named(release: Path, name: str) -> None:
    (release / name).parent.mkdir(exist_ok=True)
    (release / name).write_text("")
    assert f"{name} is one file too many" in problems(verify_release(release))


def test_a_name_cannot_play_with_the_terminal(release: Path) -> None:
    (release / "a\x1b[2Jb").write_text("")
    assert r"'a\x1b[2Jb' is one file too many" in problems(verify_release(release))


def test_links_and_pipes_stand_for_no_file(release: Path, made: Path) -> None:
    for name, put in (
        ("schema.toml", lambda path: path.symlink_to(made / "schema.toml")),
        ("report.json", os.mkfifo),
    ):
        (release / name).unlink()
        put(release / name)
    found = problems(verify_release(release))
    assert "schema.toml is no plain file" in found
    assert "report.json is no plain file" in found


def test_swapped_receipts_are_found(release: Path) -> None:
    north, south = release / "receipts" / "north.txt", release / "receipts" / "south.txt"
    north_text = north.read_text()
    north.write_text(south.read_text())
    south.write_text(north_text)
    found = problems(verify_release(release))
    assert "receipts/north.txt was altered" in found
    assert "receipts/south.txt was altered" in found
