"""Reading one column as it comes from a source: every distinct value once, then all cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from synthesis.cells import to_dictionary, to_texts
from synthesis.schema import Column, Continuous, Integer
from synthesis.schema.reading import BROKEN, read_column

_MOST_KNOWN = 100_000


class CodeReader:
    """Reads the cells of one column, part by part, as ``read_column`` reads their texts.

    A cell's code follows from its text alone, so texts whose code is known are not read again.

    Args:
        column: the declaration.
    """

    def __init__(self, column: Column) -> None:
        self._column = column
        self._known: dict[str | None, int] = {}

    def read(self, cells: pa.Array) -> NDArray[np.int16]:
        """Return the code of every cell, shape ``(n_rows,)``; ``BROKEN`` where a rule is broken."""
        values, places = to_dictionary(cells)
        empty = BROKEN if self._column.missing_code is None else self._column.missing_code
        codes = np.array([*self._read_values(values), empty], dtype=np.int16)
        found: NDArray[np.int16] = codes[
            places.fill_null(len(values)).to_numpy(zero_copy_only=False)
        ]
        return found

    def _read_values(self, values: pa.Array) -> Sequence[int] | NDArray[np.int64]:
        if isinstance(self._column, Integer | Continuous) and pa.types.is_integer(values.type):
            numbers: pd.Series[Any] = pd.Series(values.to_numpy(zero_copy_only=False))
            return read_column(self._column, numbers).codes
        texts = to_texts(values)
        if new := [text for text in dict.fromkeys(texts) if text not in self._known]:
            if len(self._known) > _MOST_KNOWN:
                self._known, new = {}, list(dict.fromkeys(texts))
            codes = read_column(self._column, pd.Series(new, dtype="str")).codes
            self._known.update(zip(new, codes.tolist(), strict=True))
        return [self._known[text] for text in texts]
