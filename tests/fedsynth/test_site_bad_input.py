"""Whatever is wrong at a site: one sentence, exit code 2, nothing written or spent."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from command_line import CommandLine
from founded_site import FoundedSite, init_words


@pytest.fixture
def shell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> CommandLine:
    return CommandLine(tmp_path, monkeypatch, capsys)


def refuse(shell: CommandLine, words: list[str], *expected: str, code: int = 2) -> None:
    """Check that a command is refused in one sentence that holds every expected text."""
    before = shell.files()
    ended = shell.run(*words)
    assert (ended.code, ended.out) == (code, ""), ended
    assert ended.err.startswith("fedsynth: ")
    assert ended.err.count("\n") == 1
    assert "Traceback" not in ended.err
    for text in expected:
        assert text in ended.err, ended.err
    assert shell.files() == before


def changed(**options: str) -> list[str]:
    words = init_words()
    for option, value in options.items():
        name = f"--{option.replace('_', '-')}"
        if name in words:
            words[words.index(name) + 1] = value
        else:
            words += [name, value]
    return words


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (init_words(folder="."), ["site folder must be new or empty"]),
        (init_words(folder="visits.csv"), ["site folder must be new or empty"]),
        (changed(name=""), ["name must be 1 to 100 printable characters"]),
        (changed(name="a\nb"), ["name must be 1 to 100 printable characters"]),
        (changed(data="none.csv"), ["none.csv does not exist"]),
        (changed(data="visits.toml"), ["must end in .csv"]),
        (changed(schema="none.toml"), ["none.toml does not exist"]),
        (changed(schema="visits.csv"), ["not valid TOML"]),
        (changed(schema="tiny.toml"), ["cannot be used"]),
        (changed(epsilon="0"), ["epsilon must be greater than 0"]),
        (changed(epsilon="nan"), ["epsilon must be"]),
        (changed(delta="0"), ["delta must be greater than"]),
        (changed(delta="0.5"), ["delta must be below 1 / number of records"]),
        (changed(holdout="0.6"), ["holdout must be at most 0.5"]),
        (changed(max_epsilon_per_study="2"), ["max_epsilon_per_study must be at most epsilon"]),
        (changed(expires="2020-01-01"), ["expires must be today or later"]),
        (changed(approver="Officer"), ["approver must be a name, the sign ="]),
        (changed(approver="=" + "a" * 64), ["approver must be a name"]),
        (changed(approver="Officer=abc"), ["approver must be a public key of 64", "'abc'"]),
        (["site", "check", "tiny.toml", "--site", "none"], ["site folder must hold site.toml"]),
        (["site", "ledger", "show"], ["site folder must hold site.toml"]),
        (["site", "ledger", "verify", "--site", "none"], ["fedsynth site init"]),
        (["site", "ledger", "verify", "--ledger", "none.sqlite"], ["there is no ledger at none"]),
        (["site", "ledger", "show", "--ledger", "visits.csv"], ["visits.csv is not a ledger"]),
        (["site", "ledger", "show", "--ledger", "x", "--site", "."], ["must not both be given"]),
        (["site", "policy", "show"], ["site folder must hold site.toml"]),
        (["site", "policy", "accept", "none.json"], ["approval file none.json cannot be read"]),
        (["site", "policy", "accept", "tiny.toml"], ["is not one that 'fedsynth site policy'"]),
        (["site", "policy", "approve", "--out", "a.json"], ["request and out must be given"]),
        (
            ["site", "policy", "approve", "--request", "tiny.toml", "--out", "a.json"],
            ["request file tiny.toml is not one"],
        ),
        (["keys", "new", "visits.csv"], ["exists, and a key is never overwritten"]),
        (["keys", "new", "officer.pub"], ["leave room for the public half in officer.pub"]),
        (["keys", "new", "none/officer.pem"], ["file must be in a folder that exists"]),
    ],
    ids=lambda value: " ".join(value)[-50:] if isinstance(value, list) else None,
)
def test_a_wrong_word_is_refused(shell: CommandLine, words: list[str], expected: list[str]) -> None:
    refuse(shell, words, *expected)


def test_data_that_lack_a_column_are_refused(shell: CommandLine) -> None:
    shell.write_rows("visits.csv", ward=None)
    refuse(shell, init_words(), "column 'ward'", "lacks it")


def break_site(text: str, replacement: str) -> None:
    path = Path("north/site.toml")
    content = path.read_text()
    assert text in content
    path.write_text(content.replace(text, replacement))


SHOW, CHECK = ["policy", "show"], ["check", "flu.toml"]


@pytest.mark.parametrize(
    ("change", "words", "expected"),
    [
        (lambda: break_site("max_rounds", "max_roundz"), SHOW, "max_roundz"),
        (lambda: break_site("[policy]", "[policy"), SHOW, "site.toml is not valid TOML"),
        (lambda: break_site("epsilon = 1.0", "epsilon = -1"), SHOW, "epsilon"),
        (lambda: break_site("epsilon = 1.0", "epsilon = 2.0"), CHECK, "site policy approve"),
        (lambda: break_site("holdout = 0.1", "holdout = 0.2"), CHECK, "holdout is fixed"),
        (lambda: Path("north/ledger.sqlite").unlink(), CHECK, "there is no ledger at"),
        (lambda: Path("north/keys/site.pem").unlink(), CHECK, "site.pem cannot be read"),
        (lambda: Path("north/keys/split.key").unlink(), CHECK, "split.key cannot be read"),
        (lambda: Path("north/schema.toml").unlink(), CHECK, "schema.toml does not exist"),
        (lambda: Path("visits.csv").unlink(), CHECK, "visits.csv does not exist"),
        (
            lambda: Path("visits.csv").write_bytes(b"\xff\xfe\x00"),
            CHECK,
            "is declared in the schema, but",
        ),
        (lambda: Path("visits.csv").write_text("a,b\n1,2\n"), CHECK, "does not fit the schema"),
        (lambda: Path("flu.toml").write_text("epsilon = "), CHECK, "not valid TOML"),
        (lambda: Path("flu.toml").write_text("epsilonn = 1"), CHECK, "did you mean epsilon?"),
        (lambda: Path("flu.toml").write_text("epsilon = 1e-9"), CHECK, "epsilon"),
        (lambda: Path("flu.toml").unlink(), CHECK, "study must be a TOML file"),
        (
            lambda: break_site("[policy]", "simulation_seed = 1\n\n[policy]"),
            CHECK,
            "simulation_seed must not stand",
        ),
    ],
)
def test_a_broken_site_is_refused(
    shell: CommandLine, change: object, words: list[str], expected: str
) -> None:
    FoundedSite(shell)
    assert callable(change)
    change()
    refuse(shell, ["site", *words, "--site", "north"], expected)


def test_an_altered_ledger_stops_a_check(shell: CommandLine) -> None:
    north = FoundedSite(shell)
    shutil.copytree("north", "south")
    north.spend()
    shutil.copy("north/keys/site.pem", "held.pem")
    Path("south/keys/site.pem").unlink()
    shell.run("keys", "new", "south/keys/site.pem")
    words = ["site", "check", "flu.toml", "--site", "south"]
    refuse(shell, words, "cannot be trusted", "expected was", code=1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ledger", "verify", "--key", "abc"], "key must be a public key of 64"),
        (["ledger", "verify", "--receipt", "abc"], "receipt must be a file or a text"),
        (["ledger", "verify", "--receipt", "visits.csv"], "receipt must be a file or a text"),
        (["ledger", "export", "--out", "a.txt"], "out must end in .json"),
        (["ledger", "export", "--receipt", "--out", "a.json"], "out must end in .txt"),
        (["ledger", "export", "--out", "none/a.json"], "out must be in a folder that exists"),
        (["ledger", "gauge", "--out", "a.pdf"], "out must end in .svg or .png"),
        (["policy", "request", "--out", "a.json"], "it needs no approval"),
        (["policy", "request", "--out", "a.txt"], "out must end in .json"),
    ],
)
def test_a_wrong_word_at_a_site_is_refused(
    shell: CommandLine, words: list[str], expected: str
) -> None:
    FoundedSite(shell)
    refuse(shell, ["site", *words, "--site", "north"], expected)
