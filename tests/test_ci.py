"""CI runs every test once, with the services that tests need."""

from __future__ import annotations

import ast
import re
import subprocess
from collections.abc import Iterator

import pytest
from house_tree import Module, all_modules
from shipping import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
RUN = (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def marked_functions(module: Module) -> Iterator[tuple[str, set[str]]]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.FunctionDef):
            marks = {ast.unparse(each) for each in node.decorator_list}
            yield node.name, {mark.removeprefix("pytest.mark.") for mark in marks}


def test_what_must_be_alone_is_left_out_of_the_default_suite() -> None:
    alone = [
        (name, marks)
        for module in all_modules(ROOT)
        for name, marks in marked_functions(module)
        if "alone" in marks
    ]
    assert len(alone) >= 4
    assert [name for name, marks in alone if "slow" not in marks] == []


def test_the_slow_tests_are_run_in_parts_that_make_a_whole() -> None:
    target = re.search(r"^test-slow:.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE)
    assert target is not None
    runs = re.findall(r'pytest -m "([^"]+)"(.*)', target.group(1))
    assert runs == [
        ("slow and alone", ""),
        ("slow and not alone and not long", " $(PAIR)"),
    ]
    assert "PAIR := -n 2 --dist worksteal\n" in MAKEFILE
    assert 'pytest -m "slow and long" $(PAIR)' in MAKEFILE  # the rest, which a person runs


def test_ci_has_the_services_before_it_tests() -> None:
    steps = [line for line in RUN.splitlines() if line and not line.startswith("#")]
    assert steps[-4:] == [
        ".ci/install-services",
        "export FEDSYNTH_REQUIRE_SERVICES=1",
        "make test",
        "make test-slow",
    ]


@pytest.mark.parametrize("name", ["run", "install-services"])
def test_a_script_is_whole_and_can_be_run(name: str) -> None:
    script = ROOT / ".ci" / name
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert script.stat().st_mode & 0o100
    assert "set -euo pipefail" in script.read_text(encoding="utf-8")
