"""Read an array from the wire: the values that its bytes hold, or what is wrong with them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Literal

import numpy as np
from flwr.app import Array
from numpy.typing import NDArray

# What np.save writes in front of the values of a plain array.
_MAGIC: Final = b"\x93NUMPY\x01\x00"
_HEADER: Final = re.compile(
    rb"\{'descr': '([<>|=]\w{2,4})', 'fortran_order': (True|False), 'shape': (\([\d, ]*\)), \}\s*"
)
_DTYPES: Final = {"<f2": "float16", "<f4": "float32", "<f8": "float64", "|i1": "int8"}


class ProblemCode(StrEnum):
    """What can be wrong with the content of a message."""

    MISSING_KEY = "missing-key"
    UNEXPECTED_KEY = "unexpected-key"
    WRONG_TYPE = "wrong-type"
    VALUE_NOT_ALLOWED = "value-not-allowed"
    WRONG_SHAPE = "wrong-shape"
    WRONG_DTYPE = "wrong-dtype"
    MALFORMED = "malformed"
    NOT_FINITE = "not-finite"
    NORM_TOO_LARGE = "norm-too-large"
    TOO_LARGE = "too-large"


@dataclass(frozen=True, kw_only=True)
class ArraySpec:
    """Shape and allowed dtypes of one expected array."""

    shape: tuple[int, ...]
    dtypes: tuple[str, ...] = ("float32",)


def read_array(array: Array, spec: ArraySpec) -> NDArray[Any] | ProblemCode:
    """Return the values of an array, or the first reason not to believe it.

    The blob is read by its exact form, so no header can ask for more memory than there are bytes.
    """
    size = int.from_bytes(array.data[8:10], "little")
    header = _HEADER.fullmatch(array.data[10 : 10 + size])
    if header is None or array.data[:8] != _MAGIC:
        return ProblemCode.MALFORMED
    descr, is_fortran, shape = (part.decode() for part in header.groups())
    if shape != repr(spec.shape):
        return ProblemCode.WRONG_SHAPE
    if _DTYPES.get(descr) not in spec.dtypes:
        return ProblemCode.WRONG_DTYPE
    values = array.data[10 + size :]
    if len(values) != math.prod(spec.shape) * np.dtype(descr).itemsize:
        return ProblemCode.MALFORMED
    order: Literal["C", "F"] = "F" if is_fortran == "True" else "C"
    read = np.frombuffer(values, dtype=descr).reshape(spec.shape, order=order).copy()
    return read if np.all(np.isfinite(read)) else ProblemCode.NOT_FINITE
