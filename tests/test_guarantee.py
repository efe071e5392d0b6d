"""The page of the guarantee names tests; each of them must exist."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "guarantee.md"


def named_tests() -> list[tuple[str, str]]:
    return re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE.read_text(encoding="utf-8"))


def test_every_test_that_the_guarantee_names_exists() -> None:
    for path, name in named_tests():
        source = (ROOT / path).read_text(encoding="utf-8")
        assert f"def {name}(" in source, f"{path}::{name}"


def test_every_claim_of_the_guarantee_names_a_test() -> None:
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("|")]
    claims = [row for row in rows if not set(row) <= set("|- ") and row != "| claim | test |"]
    assert len(claims) >= 30
    assert len(claims) == len(named_tests())
