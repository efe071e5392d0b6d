"""What the README tells a stranger to type works, in the order it is told."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import typer.main
from readme_blocks import Block, read_blocks

from fedsynth import cli, commands

ROOT = Path(__file__).parents[1]
BLOCKS = read_blocks(ROOT / "README.md")
FILES = [block for block in BLOCKS if block.kind == "file"]
# A study too small to be good: the README's commands are run over it, not over the real sizes.
SMALL_STUDY = """
rounds = 1
discriminator_steps = 2
generator_steps = 1
fit_steps = 3

[simulation]
rows = 500
attacks = false
"""


def marked(how: str) -> list[Block]:
    return [block for block in BLOCKS if (block.kind, block.how) == ("test", how)]


def write_inputs(folder: Path) -> None:
    """Put the files into ``folder`` that the README's commands read."""
    for block in FILES:
        (folder / block.how).write_text(block.code, encoding="utf-8")
    rows = [
        f"{clinic},{20 + (7 * i) % 60},{risk},{'yes' if i % 2 else 'no'}"
        for i, risk in enumerate(["low", "mid", "high", "mid"] * 75)
        for clinic in ("north", "south")
    ]
    (folder / "small.toml").write_text(SMALL_STUDY, encoding="utf-8")
    table = "\n".join(["clinic,age,risk,sick", *rows]) + "\n"
    (folder / "patients.csv").write_text(table, encoding="utf-8")


def make_small(words: list[str]) -> list[str]:
    words = ["3000" if word == "300000" else word for word in words]
    return ["simulate", "small.toml", *words[1:]] if words[0] == "simulate" else words


def run_block(block: Block, patch: pytest.MonkeyPatch) -> None:
    """Run it in this process: every import anew would take half of all the time."""
    if block.language == "python":
        code = block.code.replace("fedsynth.simulate(", "fedsynth.simulate('small.toml', ")
        exec(code.replace("300_000", "3_000"), {"__name__": "readme"})
    else:
        assert all(words[0] == "fedsynth" for words in block.commands)
        for words in block.commands:
            run_command(["fedsynth", *make_small(words[1:])], patch)


def run_command(words: list[str], patch: pytest.MonkeyPatch) -> None:
    patch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code, " ".join(words)


def test_every_block_is_tested_or_says_what_it_is() -> None:
    kinds = {"sh": {"test"}, "python": {"test"}, "toml": {"file"}}
    for block in BLOCKS:
        assert block.kind in kinds[block.language], block.code
        assert block.kind != "test" or block.how in ("fast", "slow", "make"), block.code


def test_the_blocks_of_a_file_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text('<!-- test: fast -->\n```sh\na "b c"\nd\n```\n\n```python\nx = 1\n```\n')
    first, second = read_blocks(page)
    assert (first.kind, first.how, first.commands) == ("test", "fast", [["a", "b c"], ["d"]])
    assert (second.kind, second.language, second.code) == ("", "python", "x = 1\n")


def test_make_targets_do_what_the_readme_runs_elsewhere() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for block in marked("make"):
        for make, target in block.commands:
            assert make == "make"
            assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
    demo = re.search(r"^\t@\$\(BIN\)/(fedsynth .*)$", makefile, re.MULTILINE)
    assert demo is not None
    assert demo.group(1).split() in [c for block in marked("slow") for c in block.commands]


def test_links_lead_to_files() -> None:
    for page in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", text):
            assert (ROOT / target).is_file(), f"{page}: {target}"


def test_every_command_and_option_in_the_readme_exists() -> None:
    for words in (words for block in BLOCKS if block.language == "sh" for words in block.commands):
        if words[0] != "fedsynth":
            continue
        command, rest = typer.main.get_command(commands.app), words[1:]
        while hasattr(command, "commands"):
            command = command.commands[rest.pop(0)]
        known = {option for parameter in command.params for option in parameter.opts}
        assert {word for word in rest if word.startswith("--")} <= known, " ".join(words)


def test_the_quick_commands_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    for words in (words for block in marked("fast") for words in block.commands):
        run_command(words, monkeypatch)


@pytest.mark.slow
def test_everything_in_the_readme_runs_in_its_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_inputs(tmp_path)
    monkeypatch.chdir(tmp_path)
    for block in (block for block in BLOCKS if block in marked("fast") + marked("slow")):
        run_block(block, monkeypatch)
    for name in ("demo", "adult-release", "patients"):
        assert (tmp_path / name / "synthetic.parquet").is_file()
        assert (tmp_path / name / "report.html").is_file()
    assert (tmp_path / "rows.csv").is_file()
    assert (tmp_path / "rich.parquet").is_file()
