"""The deployment guide names commands, files and words that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from cli_words import find_unknown
from readme_blocks import Block, read_blocks
from shipping import ROOT

PAGE = ROOT / "docs" / "deployment.md"
TEXT = PAGE.read_text(encoding="utf-8")
BLOCKS = read_blocks(PAGE)
# `run`: a test can run it, as whoever it names, in one folder; `show`: it changes a machine.
KINDS = {"sh": {"run", "show"}, "toml": {"file"}}
WHO = {"everybody", "coordinator", "north", "south"}
PROGRAMS = {"fedsynth", "chmod", "cp"}


def calls_of(words: list[str]) -> list[list[str]]:
    """Return what a command line calls ``fedsynth`` with, wherever in it the program stands."""
    places = [i for i, word in enumerate(words) if word.split("/")[-1] == "fedsynth"]
    called = [words[i + 1 :] for i in places if i == 0 or words[i - 1] == "server"]
    images = [i for i, word in enumerate(words) if word.startswith("fedsynth-")]
    if "run" in words and words[0] == "docker" and images:
        called.append(words[images[0] + 1 :])
    return called


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: f"{block.kind}-{block.how}")
def test_every_block_says_what_it_is(block: Block) -> None:
    assert block.kind in KINDS[block.language], block.code
    if block.kind == "run":
        assert block.how in WHO
        assert {words[0] for words in block.commands} <= PROGRAMS


def test_every_command_exists() -> None:
    called = [
        call
        for block in BLOCKS
        if block.language == "sh"
        for words in block.commands
        for call in calls_of(words)
    ]
    assert len(called) >= 20
    for words in called:
        assert find_unknown(words) == "", f"fedsynth {' '.join(words)}"


def test_calls_are_found_in_containers_too() -> None:
    ran = ["docker", "run", "--rm", "fedsynth-site:0.1.0", "site", "init", "x"]
    executed = ["docker", "compose", "exec", "server", "fedsynth", "server", "run", "x"]
    assert calls_of(ran) == [["site", "init", "x"]]
    assert calls_of(executed) == [["server", "run", "x"]]
    assert calls_of(["useradd", "fedsynth"]) == []


def test_every_file_of_the_checkout_that_it_names_is_there() -> None:
    named = set(re.findall(r"\b(?:deploy|docs)/[\w./@-]*\w", TEXT))
    assert {"deploy/Containerfile", "deploy/compose.yaml", "deploy/systemd"} <= named
    assert [name for name in named if not (ROOT / name).exists()] == []
    links = re.findall(r"\]\((?!https?:)([^)#]+)", TEXT)
    assert [link for link in links if not (PAGE.parent / link).exists()] == []


def test_the_study_of_the_page_can_be_planned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from command_line import CommandLine

    shell = CommandLine(tmp_path, monkeypatch, capsys)
    (study,) = (block for block in BLOCKS if block.kind == "file")
    (tmp_path / study.how).write_text(study.code, encoding="utf-8")
    assert shell.run("plan", study.how).code == 0


def test_it_promises_no_more_than_the_guarantee() -> None:
    assert "anonym" not in TEXT.lower()
    assert "not built" in " ".join(TEXT.split())
