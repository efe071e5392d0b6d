"""Rows that are nobody's: drawn from a schema, or public ones that come with fedsynth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from simulations.demos import DEFAULT_DEMO, load_demo, load_demo_schema
from synthesis.encoding import encode
from synthesis.schema import Schema
from synthesis.units import Codes

__all__ = ["draw_codes", "find_public_rows"]


def draw_codes(sizes: tuple[int, ...], number: int, rng: np.random.Generator) -> Codes:
    """Return rows ``(number, n_columns)``, every code of every column equally likely."""
    return rng.integers(0, np.array(sizes), (number, len(sizes))).astype(np.int16)


def find_public_rows(schema: Schema, number: int, rng: np.random.Generator) -> tuple[Codes, str]:
    """Return rows that may stand in for a site's, and in words what they are.

    Rows of the census that comes with fedsynth where the schema is that of the census; else, or
    beyond its rows, rows drawn uniformly from the schema.
    """
    known: NDArray[np.int16] = np.empty((0, len(schema.sizes)), dtype=np.int16)
    if schema.digest() == load_demo_schema(DEFAULT_DEMO).digest():
        known = encode(schema, load_demo(DEFAULT_DEMO).train)
    if len(known) >= number:
        chosen = np.sort(rng.permutation(len(known))[:number])
        return known[chosen], f"rows of the public table {DEFAULT_DEMO}"
    return draw_codes(schema.sizes, number, rng), "rows drawn uniformly from the schema"
