"""What a row adds to a sketch is what counting it adds."""

from __future__ import annotations

import numpy as np
import pytest
from tiny_world import SCHEMA, draw_codes, make_layout

from simulations.demos import load_demo_schema
from synthesis.contributions import find_contributions
from synthesis.layout import SketchLayout, compute_sketch


@pytest.mark.parametrize("name", ["tiny", "adult"])
def test_contributions_are_the_sketches_of_single_rows(name: str) -> None:
    schema = SCHEMA if name == "tiny" else load_demo_schema("adult")
    layout = make_layout() if name == "tiny" else SketchLayout.from_schema(schema)
    codes = np.concatenate([draw_codes(20, 1, schema), np.array([schema.sizes]) - 1])
    found = find_contributions(layout, codes.astype(np.int16)).toarray()
    for row, contribution in zip(codes, found, strict=True):
        np.testing.assert_array_equal(contribution, compute_sketch(layout, row[None]))


def test_no_row_adds_nothing() -> None:
    layout = make_layout()
    assert find_contributions(layout, draw_codes(0)).shape == (0, layout.dimension)
