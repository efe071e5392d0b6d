"""What the README tells a stranger to type works, in the order it is told."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from readme_blocks import Block, read_blocks

ROOT = Path(__file__).parents[1]
BLOCKS = read_blocks(ROOT / "README.md")
FILES = [block for block in BLOCKS if block.kind == "file"]
# `fedsynth` as the installed command runs it, without an installation.
FEDSYNTH = [sys.executable, "-c", "from fedsynth.cli import main; main()"]


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
    table = "\n".join(["clinic,age,risk,sick", *rows]) + "\n"
    (folder / "patients.csv").write_text(table, encoding="utf-8")


def run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "200", "NO_COLOR": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def run_block(block: Block, folder: Path) -> None:
    if block.language == "python":
        commands = [[sys.executable, "-c", block.code]]
    else:
        assert all(words[0] == "fedsynth" for words in block.commands)
        commands = [FEDSYNTH + words[1:] for words in block.commands]
    for command in commands:
        done = run(command, folder)
        assert done.returncode == 0, f"{command[-6:]}\n{done.stdout}\n{done.stderr}"


def test_every_block_is_tested_or_says_what_it_is() -> None:
    kinds = {"sh": {"test", "form"}, "python": {"test"}, "toml": {"file"}}
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


def test_every_option_in_the_readme_exists(tmp_path: Path) -> None:
    helps: dict[tuple[str, ...], str] = {}
    for block in BLOCKS:
        for words in block.commands if block.language == "sh" else []:
            if words[0] != "fedsynth":
                continue
            verb = tuple(words[1 : 3 if words[1] in ("schema", "audit") else 2])
            if verb not in helps:
                shown = run([*FEDSYNTH, *verb, "--help"], tmp_path)
                assert shown.returncode == 0, shown.stderr
                helps[verb] = shown.stdout
            for option in (word for word in words if word.startswith("--")):
                assert option in helps[verb], f"{' '.join(words)}: {option}"


def test_the_quick_commands_run(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    for block in marked("fast"):
        run_block(block, tmp_path)


@pytest.mark.slow
def test_everything_in_the_readme_runs_in_its_order(tmp_path: Path) -> None:
    write_inputs(tmp_path)
    for block in (block for block in BLOCKS if block in marked("fast") + marked("slow")):
        run_block(block, tmp_path)
    for name in ("demo", "adult-release", "patients"):
        assert (tmp_path / name / "synthetic.parquet").is_file()
        assert (tmp_path / name / "report.html").is_file()
    assert (tmp_path / "rows.csv").is_file()
    assert (tmp_path / "rich.parquet").is_file()
