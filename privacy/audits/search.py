"""The largest epsilon that a test refutes."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["find_largest"]

_PRECISION = 1e-6
_HIGHEST = 1000.0


def find_largest(is_refuted: Callable[[float], bool]) -> float:
    """Return the largest epsilon that a test refutes, within 1e-6 and never above it; else 0.

    Args:
        is_refuted: whether the test refutes an epsilon; true up to some value and false beyond.
    """
    if not is_refuted(0.0):
        return 0.0
    low, high = 0.0, 1.0
    while is_refuted(high):
        low, high = high, 2 * high
        if high > _HIGHEST:
            return low
    while high - low > _PRECISION:
        middle = (low + high) / 2
        low, high = (middle, high) if is_refuted(middle) else (low, middle)
    return low
