"""What single rows add to a sketch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from synthesis.layout import SketchLayout, locate_cells


def find_contributions(layout: SketchLayout, codes: NDArray[np.integer]) -> Any:
    """Return what each row adds to a sketch if it is a unit, sparse ``(n_rows, dimension)``."""
    cells = locate_cells(layout, codes)
    told = [float(block.scale) for block in layout.blocks if layout.is_told(block)]
    scales = np.tile(told, len(codes))
    starts = np.arange(len(codes) + 1) * len(told)
    shape = (len(codes), layout.dimension)
    return sparse.csr_array((scales, cells.reshape(-1), starts), shape=shape)
