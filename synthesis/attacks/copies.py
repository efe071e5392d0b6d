"""Copies: real rows that stand among the synthetic ones just as they are.

A check for duplicates and never a measure of privacy: a table without a copy may give much away,
and in a table of few different rows copies mean nothing.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from synthesis.attacks.records import Records
from synthesis.attacks.trial import Trial
from synthesis.units import Codes

Keys = NDArray[np.uint64]


def count_copies(records: Records) -> Trial:
    """Compare how many members and how many others occur among the synthetic rows, code by code."""
    published = row_keys(records.synthetic)
    return Trial.of_successes(
        "copies",
        "rows that occur among the synthetic ones",
        np.isin(row_keys(records.members), published),
        np.isin(row_keys(records.others), published),
    )


def row_keys(codes: Codes) -> Keys:
    """Return a number for each row, ``(n_rows,)``: the same for equal rows, else (almost) never."""
    rng = np.random.default_rng(0)
    factors = np.asarray(rng.integers(1 << 63, 1 << 64, codes.shape[1], dtype=np.uint64)) | 1
    keys: Keys = np.zeros(len(codes), dtype=np.uint64)
    for index, factor in enumerate(factors):
        keys += codes[:, index].astype(np.uint64) * factor  # modulo 2^64
        keys ^= keys >> np.uint64(29)
    return keys
