"""How far a generator is from a margin: what weighing it finds before it weighs anything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from tiny_world import SCHEMA, make_generator

from synthesis.errors import InputError
from synthesis.mixing.composing import Composition
from synthesis.mixing.margin_cells import MarginCells
from synthesis.mixing.target_file import Target

MARGINS: list[dict[str, Any]] = [
    {"column": "colour", "shares": {"red": 0.5, "": 0.1}},
    {"column": "colour", "shares": {"red": 0.5, "green": 0.3, "blue": 0.1, "": 0.1}},
    {"column": "age", "shares": {"3 to 7": 0.25, ">=20": 0.25}},
    {"column": "outcome", "shares": {"ill": 0.3}},
    {"columns": ["age", "colour"], "shares": {"<5": {"red": 0.1}, "5 to 12": {"blue": 0.4}}},
    {"columns": ["outcome", "smokes"], "shares": {"ill": {"yes": 0.2, "no": 0.1}}},
    {"columns": ["smokes", "outcome"], "shares": {"yes": {"ill": 0.2, "well": 0.1}}},
]


def cells_of(margin: Mapping[str, Any]) -> MarginCells:
    (read,) = Target.of({"margins": [margin]}).read(SCHEMA)
    return MarginCells.of(read)


@pytest.mark.parametrize("margin", MARGINS)
def test_a_distance_is_the_one_that_weighing_starts_from(margin: dict[str, Any]) -> None:
    generator, cells = make_generator(), cells_of(margin)
    composed = Composition.of(generator, SCHEMA, margins=[cells.margin])
    (goal,), (before,) = composed.goals, composed.before
    assert cells.shares == pytest.approx(goal.shares)
    expected = np.abs(before - goal.shares).sum() / 2
    assert cells.measure(generator) == pytest.approx(expected, abs=1e-9)
    assert 0 < expected < 1


def test_shares_that_do_not_add_up_are_refused() -> None:
    with pytest.raises(InputError, match=r"add to 1\.1"):
        cells_of({"column": "outcome", "shares": {"ill": 0.5, "well": 0.6}})


def test_a_level_that_is_never_drawn_has_a_distance_too() -> None:
    """Nothing is weighed, so what no weights could reach can be said all the same."""
    margin = {"column": "colour", "shares": {"red": 1.0}}
    assert 0 < cells_of(margin).measure(make_generator()) < 1
