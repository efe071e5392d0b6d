"""What is said of a chosen composition."""

from __future__ import annotations

from typing import Any

import pytest

from fedsynth.mixing_view import LEAST_WORTH, sentences_about

MARGIN = {
    "wish": "match",
    "of": "'colour'",
    "distance": 0.001,
    "distance_before": 0.4,
    "distance_by_chance": 0.002,
}


def figures(**changes: Any) -> dict[str, Any]:
    usual = {
        "sites": [],
        "margins": [MARGIN],
        "parity": None,
        "efficiency": 0.5,
        "two_way_distance_to_sites": [],
        "two_way_distance_to_generator": {"of_these_rows": 0.2, "of_its_own_rows": 0.01},
        "rows_measured": 1000,
    }
    return usual | changes


def say(**changes: Any) -> str:
    return "\n".join(sentences_about({"parts": [{"figures": figures(**changes)}]}))


@pytest.mark.parametrize(("worth", "warns"), [(LEAST_WORTH / 2, True), (LEAST_WORTH * 2, False)])
def test_it_warns_where_the_generator_knows_little_of_what_is_asked(
    worth: float, warns: bool
) -> None:
    said = say(efficiency=worth / 100)
    assert f"say as much as {worth:.3g}" in said
    assert ("do not draw conclusions" in said) is warns


def test_rows_of_no_group_are_of_all_sites() -> None:
    said = say(sites=[{"sites": [], "asked": 0.5, "share": 0.5}, {"sites": ["a"], "share": 0.5}])
    assert "50 % of the rows are of all sites together." in said
    assert "50 % of the rows are of a." in said
