"""From a generator to a synthetic table, in the types and values that the schema declares."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from synthesis.conditions import allowed_codes, parse_condition
from synthesis.encoding import decode
from synthesis.errors import InputError
from synthesis.generator import Generator
from synthesis.schema import Schema


def sample_table(
    generator: Generator,
    schema: Schema,
    num_rows: int,
    *,
    seed: int = 0,
    where: Sequence[str] = (),
) -> pd.DataFrame:
    """Draw a synthetic table; post-processing, so any number of rows is free.

    Args:
        generator: the global generator.
        schema: its schema.
        num_rows: rows to draw, >= 1.
        seed: the same seed gives the same table.
        where: conditions such as ``"income=>50K"`` or ``"age>=30"``, all of which hold in every
            row; sampled exactly, not by rejection.

    Raises:
        InputError: if ``num_rows`` or a condition is not possible.
    """
    if num_rows < 1:
        raise InputError(f"rows must be at least 1, got {num_rows}.", argument="rows")
    if seed < 0:
        raise InputError(f"seed must be 0 or more, got {seed}.", argument="seed")
    allowed = allowed_codes(schema, [parse_condition(text) for text in where])
    coins, draws = np.random.default_rng(seed).spawn(2)
    try:
        codes = generator.sample_codes(num_rows, coins, allowed=allowed)
    except ValueError as error:
        raise InputError(f"where: {error}", argument="where") from None
    return decode(schema, codes, draws)
