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
from signed_release import names_in

import fedsynth

FEW, MANY = 20, 1000


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


def read(folder: Path) -> Mapping[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names_in(folder)}


def corrupt_and_verify(shell: CommandLine, made: Path, kind: str, seed: int) -> Ended | None:
    """Return how verification ended; None if the draw left every byte as it was."""
    shutil.rmtree(shell.home / "case", ignore_errors=True)
    folder = shutil.copytree(made, shell.home / "case" / "release")
    CORRUPTIONS[kind](folder, random.Random(seed))
    if kind != "put_a_link_in_place_of_a_file" and read(folder) == read(made):
        return None
    return shell.run("verify", str(folder), "--trust", "keys.txt")


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


def try_kind(shell: CommandLine, made: Path, kind: str, seeds: range) -> None:
    changed = 0
    for seed in seeds:
        ended = corrupt_and_verify(shell, made, kind, seed)
        if ended is not None:
            check(ended, f"{kind}, seed {seed}")
            changed += 1
    assert changed >= 0.9 * len(seeds)


def test_without_a_corruption_the_release_holds(shell: CommandLine, made: Path) -> None:
    ended = shell.run("verify", str(made), "--trust", "keys.txt")
    assert (ended.code, ended.err) == (0, ""), ended
    assert "canaries.json" in read(made) and "sites/site-1/ledger.sqlite" in read(made)


@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_every_random_corruption_is_found_and_said_in_a_sentence(
    shell: CommandLine, made: Path, kind: str
) -> None:
    try_kind(shell, made, kind, range(FEW))


@pytest.mark.slow
@pytest.mark.parametrize("kind", CORRUPTIONS)
def test_so_is_every_one_of_more_than_a_thousand(shell: CommandLine, made: Path, kind: str) -> None:
    seeds = range(FEW, FEW + -(-MANY // len(CORRUPTIONS)))
    try_kind(shell, made, kind, seeds)
