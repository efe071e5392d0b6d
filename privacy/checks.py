"""One check per rule; each raises a ValueError that names the argument, the value and the way out.

Private to this package: other packages have their own user-facing errors.
"""

import math
from numbers import Integral

__all__ = [
    "check_accounting_delta",
    "check_in_unit_interval",
    "check_one_line",
    "check_positive",
    "check_positive_int",
    "check_whole_number",
]

MIN_DELTA = 1e-10
MIN_CLIP = 1e-6
MAX_CLIP = 1e6
"""Clips between which float32 holds clipped gradients and noise alike."""


def check_positive(value: float, *, name: str, hint: str = "") -> float:
    """Return `value` as a float if it is a finite number above 0."""
    if isinstance(value, bool) or not math.isfinite(value) or value <= 0:
        raise ValueError(f"{name} must be a finite number > 0, got {value!r}{_tail(hint)}")
    return float(value)


def check_in_unit_interval(value: float, *, name: str, hint: str = "") -> float:
    """Return `value` as a float if it lies in (0, 1]."""
    if isinstance(value, bool) or not 0 < value <= 1:
        raise ValueError(f"{name} must be in (0, 1], got {value!r}{_tail(hint)}")
    return float(value)


def check_whole_number(value: object, *, name: str) -> int:
    """Return `value` as an int if it is a whole number of any size and sign."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise ValueError(f"{name} must be a whole number, got {value!r}")
    return int(value)


def check_positive_int(value: object, *, name: str, hint: str = "") -> int:
    """Return `value` as an int if it is a whole number of at least 1."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < 1:
        raise ValueError(f"{name} must be a whole number >= 1, got {value!r}{_tail(hint)}")
    return int(value)


def check_accounting_delta(value: float, *, name: str = "delta") -> float:
    """Return `value` as a float if it lies in (1e-10, 1).

    Below 1e-10 the accountants disagree because of floating point, so no number is given at all.
    """
    if isinstance(value, bool) or not MIN_DELTA < value < 1:
        raise ValueError(
            f"{name} must be in ({MIN_DELTA:g}, 1), got {value!r}; "
            "choose one below 1 / (a public bound on the number of rows), for example 1e-5"
        )
    return float(value)


def check_one_line(value: str, *, name: str, longest: int = 200) -> str:
    """Return `value` if it is printable text of 1 to `longest` characters without line breaks."""
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise ValueError(
            f"{name} must be one line of 1 to {longest} printable characters, got {value!r:.80}"
        )
    return value


def _tail(hint: str) -> str:
    return f"; {hint}" if hint else ""
