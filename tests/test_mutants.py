"""The promise cannot be broken unnoticed: every mutant makes a test fail."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from forked_pytest import run_pytest
from mutants import LEFT_OUT, MUTANTS, ROOT, Mutant, is_caught


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant: Mutant) -> None:
    assert is_caught(mutant)


def test_mutants_are_up_to_date() -> None:
    """The text each one changes must stand in the source exactly once."""
    for mutant in MUTANTS:
        source = (ROOT / mutant.file).read_text(encoding="utf-8")
        assert source.count(mutant.old) == 1, mutant.name
        assert all((ROOT / path).exists() for path in mutant.tests), mutant.name


@pytest.mark.slow
def test_without_a_mutant_the_tests_pass(tmp_path: Path) -> None:
    """What runs the tests of mutants must not fail by itself."""
    copy = tmp_path / "fedsynth"
    shutil.copytree(ROOT, copy, ignore=LEFT_OUT)
    code, said = run_pytest(copy, MUTANTS[0].tests)
    assert code == 0, said
