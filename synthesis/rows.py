"""Encoded rows: codes as one-hot rows that networks read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor


def to_one_hot(codes: NDArray[np.integer], sizes: Sequence[int]) -> Tensor:
    """Return one-hot rows ``(n_rows, sum(sizes))`` of codes ``(n_rows, len(sizes))``."""
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    places = torch.from_numpy(codes.astype(np.int64) + starts)
    rows = torch.zeros(len(codes), int(sum(sizes)))
    return rows.scatter_(1, places, 1.0)
