"""``fedsynth verify`` on a release of a simulation, and what it refuses."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import CommandLine, write_inputs
from signed_release import STRANGER, flip, names_in, read_statement, sign_again

import fedsynth
from server.attestation import ENVELOPE_FILE, ReleaseBroken, verify_release

ROOT = Path(__file__).parents[2]
FILES = (
    "DATA_CARD.md",
    "croissant.json",
    "generator.json",
    "generator.safetensors",
    "receipts/a.txt",
    "receipts/b.txt",
    "release.intoto.json",
    "report.html",
    "report.json",
    "schema.toml",
    "sites/site-1/ledger.sqlite",
    "sites/site-1/schema.toml",
    "sites/site-1/site.toml",
    "sites/site-2/ledger.sqlite",
    "sites/site-2/schema.toml",
    "sites/site-2/site.toml",
    "synthetic.parquet",
)


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> fedsynth.SimulationResult:
    home = tmp_path_factory.mktemp("made")
    write_inputs(home)
    return fedsynth.simulate(
        home / "tiny.toml",
        data=home / "visits.csv",
        schema=home / "visits.toml",
        partition="column:clinic",
    )


@pytest.fixture(scope="module")
def made(result: fedsynth.SimulationResult, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return result.save(tmp_path_factory.mktemp("saved") / "release")


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], made: Path
) -> CommandLine:
    shutil.copytree(made, tmp_path / "release")
    return CommandLine(tmp_path, monkeypatch, capsys)


def test_a_simulation_holds_and_is_called_one(shell: CommandLine) -> None:
    before = shell.files()
    ended = shell.run("verify", "release")
    assert (ended.code, ended.err) == (0, "")
    last = ended.out.strip().splitlines()[-1]
    assert last.startswith("The release holds: 16 files are as they were signed, and epsilon 0.99")
    assert "simulation only" in last
    assert "keys were not compared with any that you trust" in last
    assert "holds  ledgers: 2 of 2 sites' ledgers are here and were replayed" in ended.out
    assert shell.files() == before


def test_json_says_the_same(shell: CommandLine) -> None:
    ended = shell.run("verify", "release", "--json")
    found = json.loads(ended.out)
    assert (ended.code, found["holds"], found["kind"]) == (0, True, "simulation")
    assert all(check["holds"] and not check["problems"] for check in found["checks"])
    assert [signer["role"] for signer in found["signers"]] == ["coordinator", "site", "site"]
    assert {signer["trusted"] for signer in found["signers"]} == {None}
    (shell.home / "release" / "schema.toml").unlink()
    ended = shell.run("verify", "release", "--json")
    assert (ended.code, json.loads(ended.out)["holds"]) == (1, False)


def test_the_names_below_are_all_files(made: Path) -> None:
    assert tuple(names_in(made)) == FILES


@pytest.mark.parametrize("name", FILES)
def test_any_flipped_byte_of_any_file_is_found(shell: CommandLine, name: str) -> None:
    path = shell.home / "release" / name
    rng = random.Random(name)
    flip(path, rng.randrange(path.stat().st_size), bit=rng.randrange(8))
    ended = shell.run("verify", "release")
    assert ended.code == 1
    said = ended.out + ended.err
    if name == "release.intoto.json":
        assert "does not fit the statement" in said or "release.intoto.json is damaged" in said
    else:
        assert f"The release does not hold: {name} was altered" in said


def test_saved_twice_it_is_the_same_to_the_last_byte(
    result: fedsynth.SimulationResult, made: Path, tmp_path: Path
) -> None:
    again = result.save(tmp_path / "again")
    for name in FILES:
        assert (made / name).read_bytes() == (again / name).read_bytes(), name


def test_the_table_is_what_the_statement_says_how_to_draw(shell: CommandLine) -> None:
    sampling = read_statement(shell.home / "release")["predicate"]["sampling"]
    words = ["--rows", str(sampling["rows"]), "--seed", str(sampling["seed"])]
    assert shell.run("sample", "release", *words, "--out", "again.parquet").code == 0
    again = pd.read_parquet(shell.home / "again.parquet")
    pd.testing.assert_frame_equal(again, pd.read_parquet(shell.home / "release/synthetic.parquet"))


@pytest.mark.parametrize("name", ["generator.json", "generator.safetensors"])
def test_no_row_is_drawn_from_an_altered_generator(shell: CommandLine, name: str) -> None:
    path = shell.home / "release" / name
    if path.suffix == ".json":
        path.write_text(path.read_text() + "\n")
    else:
        flip(path, path.stat().st_size - 2, bit=3)
    ended = shell.run("sample", "release", "--rows", "5", "--out", "rows.csv")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"{name} in release was altered" in ended.err
    assert not (shell.home / "rows.csv").exists()


def test_no_row_is_drawn_where_the_signed_statement_cannot_be_read(shell: CommandLine) -> None:
    (shell.home / "release" / ENVELOPE_FILE).write_text("{")
    ended = shell.run("sample", "release", "--rows", "5", "--out", "rows.csv")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "release folder must be as it was signed" in ended.err
    assert not (shell.home / "rows.csv").exists()


def test_who_draws_from_what_was_never_signed_is_told(shell: CommandLine) -> None:
    (shell.home / "release" / ENVELOPE_FILE).unlink()
    ended = shell.run("sample", "release", "--rows", "5", "--out", "rows.csv")
    assert (ended.code, ended.err) == (0, "")
    assert "release has no signed statement" in ended.out


@pytest.mark.parametrize("out", ["release/more.csv", "release/receipts/more.csv"])
def test_nothing_is_written_into_a_signed_release(shell: CommandLine, out: str) -> None:
    ended = shell.run("sample", "release", "--rows", "5", "--out", out)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert "out must not be in a release" in ended.err
    assert shell.run("verify", "release").code == 0


def test_a_link_into_a_release_is_seen_through(shell: CommandLine) -> None:
    (shell.home / "elsewhere").symlink_to(shell.home / "release" / "receipts")
    ended = shell.run("sample", "release", "--rows", "5", "--out", "elsewhere/more.csv")
    assert (ended.code, ended.out) == (2, "")
    assert "out must not be in a release" in ended.err


def test_no_release_is_made_in_a_release(shell: CommandLine) -> None:
    ended = shell.simulate("--out", "release/another")
    assert (ended.code, ended.out) == (2, "")
    assert "out must not be in a release" in ended.err
    assert not (shell.home / "release" / "another").exists()


def test_events_that_a_ledger_does_not_hold_are_found(shell: CommandLine) -> None:
    def change(statement: dict[str, Any]) -> None:
        predicate = statement["predicate"]
        predicate["coordinator"]["public_key"] = STRANGER.public.hex
        del predicate["sites"][0]["events"][1]
        predicate["sites"][1]["ledger"] = predicate["sites"][0]["ledger"]

    sign_again(shell.home / "release", change, STRANGER)
    ended = shell.run("verify", "release")
    assert ended.code == 1
    assert "the ledger of site a holds other events of this study than are stated" in ended.out
    assert "the ledger of site b is damaged, or does not fit key and receipt" in ended.out


def test_keys_that_are_trusted_are_compared(shell: CommandLine) -> None:
    signers = json.loads(shell.run("verify", "release", "--json").out)["signers"]
    lines = [f"{each['public_key']} {each['name']}" for each in signers]
    (shell.home / "keys.txt").write_text("# mine\n\n" + "\n".join(lines))
    ended = shell.run("verify", "release", "--trust", "keys.txt")
    assert ended.code == 0
    assert "all 3 signers are among the keys you trust" in ended.out
    (shell.home / "keys.txt").write_text(lines[0])
    ended = shell.run("verify", "release", "--trust", "keys.txt")
    assert ended.code == 1
    assert f"key {signers[1]['fingerprint']} of site a is not among those you trust" in ended.out


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "holds none"),
        (b"# nobody\n", "holds none"),
        (b"north\n", "line 1 of keys.txt must be a public key"),
        (b"00" * 32 + b"\n" + b"11" * 31, "line 2 of keys.txt must be a public key"),
        (b"00" * 32 + b" a\n" + b"00" * 32 + b" b", "line 2 of keys.txt gives a key another"),
        (b"\xff", "it is not UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_file_of_keys_is_refused(
    shell: CommandLine, content: bytes | None, expected: str
) -> None:
    if content is not None:
        (shell.home / "keys.txt").write_bytes(content)
    ended = shell.run("verify", "release", "--trust", "keys.txt")
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert expected in ended.err


def test_what_is_no_release_is_one_sentence(shell: CommandLine) -> None:
    envelope = shell.home / "release" / "release.intoto.json"
    whole = envelope.read_text()
    (shell.home / "empty").mkdir()
    said = [shell.run("verify", "nowhere"), shell.run("verify", "visits.csv")]
    said.append(shell.run("verify", "empty"))
    for text in (whole[:500], "{", whole.replace('"payloadType"', '"type"')):
        envelope.write_text(text)
        said.append(shell.run("verify", "release"))
    for ended in said:
        assert (ended.code, ended.out, ended.err.count("\n")) == (1, "", 1), ended
        assert ended.err.startswith("fedsynth: ")
        assert "Traceback" not in ended.err


@pytest.mark.slow
@pytest.mark.parametrize("name", ["release", "empty"])
def test_it_waits_for_neither_torch_nor_flower(shell: CommandLine, name: str) -> None:
    code = (
        "import sys, atexit\n"
        "heavy = {'torch', 'flwr', 'opacus', 'matplotlib', 'sklearn', 'pandas'}\n"
        "atexit.register(lambda: print('loaded', sorted(heavy & set(sys.modules))))\n"
        f"sys.argv = ['fedsynth', 'verify', {name!r}]\n"
        "from fedsynth.cli import main; main()\n"
    )
    (shell.home / "empty").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=shell.home,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == (0 if name == "release" else 1), done.stderr
    assert done.stdout.splitlines()[-1] == "loaded []"


@pytest.mark.parametrize("name", ["release.intoto.json", "report.json", "canaries.json"])
def test_what_is_too_large_to_be_read_is_refused_unread(shell: CommandLine, name: str) -> None:
    with open(shell.home / "release" / name, "ab") as file:
        file.truncate(20 << 30)  # holes: it takes no room
    ended = shell.run("verify", "release")
    assert (ended.code, ended.out) == (1, "")
    assert f"{name} must have at most" in " ".join(ended.err.split())


def test_a_ledger_too_large_to_be_copied_is_refused(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.attestation.ledgers._MOST_BYTES", 1 << 10)
    ended = shell.run("verify", "release")
    assert ended.code == 1
    assert "which no ledger is" in " ".join(ended.out.split())


def test_a_folder_that_may_not_be_entered_is_a_reason(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_file", refuse)
    with pytest.raises(ReleaseBroken, match=r"release cannot be read \(Permission denied\)"):
        verify_release(shell.home / "release")
