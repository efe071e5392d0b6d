"""What the coordinator believes of a reply: all of it, or nothing.

``check_reply`` turns a message into a ``Reply`` with NumPy arrays, or into a ``Rejection`` with a
fixed code. Nothing a site can send makes it raise.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, cast

import numpy as np
from flwr.app import Array, Message

from strategies.aggregation import FloatArray
from strategies.arrays import ArraySpec, ProblemCode, read_array
from strategies.gate import find_problem
from strategies.protocol import CONFIG, REFUSAL_ERROR, RefusalCode
from strategies.wire_field import Direction
from strategies.wire_format import unpack

ConfigValue = str | int | float | bool
# Flower's codes (flwr.common.constant.ErrorCode) in our words.
_ERROR_CODES: Final = {
    1: "client-error",
    2: "client-error",
    3: "expired",
    4: "expired",
    5: "node-unavailable",
    8: "client-error",
}
NO_REPLY: Final = "no-reply"
PROBLEM_ERROR: Final = 1002
"""Code of the error that stands for a reply in which the coordinator's grid found a problem."""
UNREACHABLE: Final = frozenset({NO_REPLY, "expired", "node-unavailable"})
"""Codes of sites that are gone, as against sites that refused or answered nonsense."""


@dataclass(frozen=True, kw_only=True)
class Reply:
    """A reply that passed every check.

    Attributes:
        arrays: by name, in the order that was expected; weights as float32 however they came.
        config: the settings and flags that came with it.
    """

    arrays: Mapping[str, FloatArray] = field(default_factory=dict)
    config: Mapping[str, ConfigValue] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rejection:
    """Why a reply does not count: one fixed code, such as ``not-finite`` or ``refused-policy``."""

    code: str


def specs_of(arrays: Mapping[str, Array]) -> dict[str, ArraySpec]:
    """Return what to expect of a site that sends back arrays like these."""
    return {
        name: ArraySpec(shape=tuple(array.shape), dtypes=(array.dtype,))
        for name, array in arrays.items()
    }


def check_reply(
    message: Message,
    *,
    record: str | None = None,
    expected: Mapping[str, ArraySpec] | None = None,
    max_norm: float = float("inf"),
    around: Mapping[str, FloatArray] | None = None,
) -> Reply | Rejection:
    """Check form, keys, types, shapes, dtypes, finiteness and size of a reply, in this order.

    Args:
        message: what came back, possibly an error.
        record: name of the array record to read, or None when no arrays are expected.
        expected: the exact names of its arrays with shape and dtypes.
        max_norm: largest L2 norm over all its arrays together.
        around: arrays to subtract before the norm is taken, so that ``max_norm`` bounds an update.

    Returns:
        The reply, or the first reason to reject it.
    """
    if message.has_error():
        return Rejection(code=_error_code(message))
    content = message.content
    if problem := find_problem(content, message.metadata.message_type, Direction.UP):
        return Rejection(code=problem.value)
    if record is not None and record not in content.array_records:
        return Rejection(code=ProblemCode.MISSING_KEY.value)
    config = cast(dict[str, ConfigValue], dict(content.config_records.get(CONFIG, {})))
    if record is None:
        return Reply(config=config)
    raw = _read_arrays(content.array_records[record], expected or {})
    if isinstance(raw, ProblemCode):
        return Rejection(code=raw.value)
    arrays = unpack(raw)
    if _norm(arrays, around or {}) > max_norm:
        return Rejection(code=ProblemCode.NORM_TOO_LARGE.value)
    return Reply(arrays=arrays, config=config)


def _error_code(message: Message) -> str:
    error = message.error
    if error.code == REFUSAL_ERROR and error.reason in set(RefusalCode):
        return f"refused-{error.reason}"
    if error.code == PROBLEM_ERROR and error.reason in set(ProblemCode):
        return str(error.reason)
    return _ERROR_CODES.get(error.code, "error")


def _read_arrays(
    record: Mapping[str, Array], expected: Mapping[str, ArraySpec]
) -> dict[str, FloatArray] | ProblemCode:
    if set(expected) - set(record):
        return ProblemCode.MISSING_KEY
    if set(record) - set(expected):
        return ProblemCode.UNEXPECTED_KEY
    arrays: dict[str, FloatArray] = {}
    for name, spec in expected.items():
        array = read_array(record[name], spec)
        if isinstance(array, ProblemCode):
            return array
        arrays[name] = array
    return arrays


def _norm(arrays: Mapping[str, FloatArray], around: Mapping[str, FloatArray]) -> float:
    squares = 0.0
    for name, array in arrays.items():
        values = array.astype(np.float64)
        if name in around:
            values = values - around[name]
        scale = float(np.max(np.abs(values), initial=0.0))
        if scale > 1e150:  # squares would overflow
            return float("inf")
        squares += float(np.sum(np.square(values)))
    return float(np.sqrt(squares))
