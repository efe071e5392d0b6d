"""The promise cannot be broken unnoticed: every mutant makes a test fail."""

from __future__ import annotations

import pytest
from mutants import MUTANTS, Mutant, is_caught


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_is_caught(mutant: Mutant) -> None:
    assert is_caught(mutant)


def test_mutants_are_up_to_date() -> None:
    """The text each one changes must stand in the source exactly once."""
    from mutants import ROOT

    for mutant in MUTANTS:
        source = (ROOT / mutant.file).read_text(encoding="utf-8")
        assert source.count(mutant.old) == 1, mutant.name
        assert all((ROOT / path).exists() for path in mutant.tests), mutant.name
