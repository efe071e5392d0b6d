"""Random corruptions of a release: ``fedsynth verify`` finds each and says so in a sentence."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from command_line import CommandLine, Ended, write_inputs
from corruptions import CORRUPTIONS

import fedsynth

FEW, MANY = 5, 1000


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A release with ledgers, receipts and canaries: all that verification reads."""
    home = tmp_path_factory.mktemp("made")
    write_inputs(home)
    result = fedsynth.simulate(
        home / "tiny.toml",
        data=home / "visits.csv",
        schema=home / "visits.toml",
        partition="column:clinic",
        canaries=50,
        attacks=False,
    )
    return result.save(home / "release")


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], made: Path
) -> CommandLine:
    shell = CommandLine(tmp_path, monkeypatch, capsys)
    signers = json.loads(shell.run("verify", str(made), "--json").out)["signers"]
    (tmp_path / "keys.txt").write_text("\n".join(each["public_key"] for each in signers))
    return shell


def read(folder: Path) -> Mapping[str, bytes | None]:
    """Return every plain file's content, and None for links and folders in their place."""
    paths = [path for path in sorted(folder.rglob("*")) if path.is_symlink() or path.is_file()]
    return {
        path.relative_to(folder).as_posix(): None if path.is_symlink() else path.read_bytes()
        for path in paths
    }


def restore(folder: Path, whole: Mapping[str, bytes | None]) -> None:
    """Undo a corruption; to remove and copy everything takes ten times as long."""
    now = read(folder)
    for name in now.keys() - whole.keys() | {name for name in now if now[name] is None}:
        (folder / name).unlink()
    for name, content in whole.items():
        if now.get(name) != content and content is not None:
            if (folder / name).is_dir():
                (folder / name).rmdir()
            (folder / name).write_bytes(content)


def check(ended: Ended, case: str) -> None:
    """A corruption ends with code 1 and one sentence that says what is wrong."""
    assert ended.code == 1, case
    assert "Traceback" not in ended.out + ended.err, case
    if ended.err:
        assert ended.err.startswith("fedsynth: "), case
        assert (ended.out, ended.err.count("\n")) == ("", 1), case
    else:
        last = ended.out.strip().splitlines()[-1]
        assert last.startswith("The release does not hold: ") and last.endswith("."), case


def try_kind(shell: CommandLine, made: Path, kind: str, number: int, first: int = 0) -> None:
    """Try so many corruptions; a draw that leaves every byte as it was is none."""
    whole, folder = read(made), shutil.copytree(made, shell.home / "cases" / "release")
    changed = 0
    for seed in range(first, first + 2 * number):
        if changed == number:
            break
        CORRUPTIONS[kind](folder, random.Random(seed))
        if read(folder) != whole:
            check(shell.run("verify", str(folder), "--trust", "keys.txt"), f"{kind}, seed {seed}")
            changed += 1
        restore(folder, whole)
    assert read(folder) == whole
    assert changed == number


def test_without_a_corruption_the_release_holds(shell: CommandLine, made: Path) -> None:
    ended = shell.run("verify", str(made), "--trust", "keys.txt")
    assert (ended.code, ended.err) == (0, ""), ended
    assert "canaries.json" in read(made) and "sites/site-1/ledger.sqlite" in read(made)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_every_random_corruption_is_found_and_said_in_a_sentence(
    shell: CommandLine, made: Path, kind: str
) -> None:
    try_kind(shell, made, kind, FEW)


@pytest.mark.slow
@pytest.mark.long
@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_so_is_every_one_of_more_than_a_thousand(shell: CommandLine, made: Path, kind: str) -> None:
    try_kind(shell, made, kind, -(-MANY // len(CORRUPTIONS)), first=2 * FEW)
