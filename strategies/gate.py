"""The gate of a site and of the coordinator: what the table does not list does not pass.

At a site: ``check_incoming(message)`` is the first line of a handler and
``check_outgoing(content, message)`` the last before the reply is made.
"""

from __future__ import annotations

import math
import re
from collections.abc import Collection
from typing import Final

from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict

from strategies.arrays import ArraySpec, ProblemCode, read_array
from strategies.fields import fields_of
from strategies.protocol import (
    ANY_NAME,
    ARRAYS,
    CONFIG,
    DISCRIMINATOR,
    RETURNS_DISCRIMINATOR,
    TRAIN,
)
from strategies.wire_field import MOST_ELEMENTS, Direction, WireField, WireFormat, WireType


def find_problem(content: RecordDict, message: str, direction: Direction) -> ProblemCode | None:
    """Return the first way in which ``content`` departs from the table, or None.

    Checks records, keys, types, patterns and bounds of numbers. Of arrays it checks what they say
    of themselves; their values are not read.
    """
    rows = fields_of(message, direction)
    known = {(row.record, row.key): row for row in rows}
    seen: set[tuple[str, str]] = set()
    for record_name, record in content.items():
        for key, value in record.items():
            row = known.get((record_name, key)) or known.get((record_name, ANY_NAME))
            if row is None:
                return ProblemCode.UNEXPECTED_KEY
            if problem := _find_value_problem(row, record, value):
                return problem
            seen.add((record_name, row.key))
        if not any(row.record == record_name for row in rows):
            return ProblemCode.UNEXPECTED_KEY
    missing = {key for key, row in known.items() if not row.optional} - seen
    return ProblemCode.MISSING_KEY if missing else None


def check_incoming(message: Message) -> None:
    """Raise ValueError unless a message from the coordinator is of the listed form."""
    kind, content = message.metadata.message_type, message.content
    problem = find_problem(content, kind, Direction.DOWN)
    if problem is None:
        problem = _find_array_problem(content, kind, Direction.DOWN)
    if problem:
        raise ValueError(f"message {kind!r} from the coordinator refused: {problem.value}")


def check_outgoing(
    content: RecordDict,
    message: Message,
    *,
    withheld: Collection[str] = (),
    discriminator: ArrayRecord | None = None,
) -> None:
    """Raise ValueError unless ``content`` may leave the site as the answer to ``message``.

    Every record and key must be listed in ``FIELDS`` for this message type, every value must be
    finite and within its bounds; weights must also have the names, shapes and types of the weights
    that came with ``message``, or of a discriminator of the public architecture if that was asked
    for, so that neither a name nor a shape can carry anything. The error text names only listed
    things.

    Args:
        content: the answer.
        message: the question.
        withheld: listed keys that this site's policy does not let out all the same.
        discriminator: weights in the form of the site's discriminator; without it none leaves.
    """
    kind = message.metadata.message_type
    problem = find_problem(content, kind, Direction.UP)
    if problem is None and any(key in withheld for record in content.values() for key in record):
        problem = ProblemCode.UNEXPECTED_KEY
    if problem is None:
        problem = _find_array_problem(content, kind, Direction.UP)
    if problem is None and kind == TRAIN:
        problem = _find_form_problem(content, message.content, discriminator)
    if problem:
        raise ValueError(f"reply to {kind!r} must not leave the site: {problem.value}")


def _find_array_problem(
    content: RecordDict, message: str, direction: Direction
) -> ProblemCode | None:
    """Look at every value of every array; the form must have been checked before."""
    rows = {(row.record, row.key): row for row in fields_of(message, direction)}
    for name, record in content.array_records.items():
        for key, array in record.items():
            row = rows.get((name, key)) or rows[name, ANY_NAME]
            spec = ArraySpec(shape=tuple(array.shape), dtypes=(array.dtype,))
            values = read_array(array, spec)
            if isinstance(values, ProblemCode):
                return values
            low, high = float(values.min(initial=0)), float(values.max(initial=0))
            if not row.low <= low <= high <= row.high:
                return ProblemCode.VALUE_NOT_ALLOWED
    return None


def _find_form_problem(
    content: RecordDict, question: RecordDict, discriminator: ArrayRecord | None
) -> ProblemCode | None:
    """Hold the weights of one network against those that were asked for."""
    wants = question.config_records.get(CONFIG, ConfigRecord()).get(RETURNS_DISCRIMINATOR, False)
    asked, other = (DISCRIMINATOR, ARRAYS) if wants else (ARRAYS, DISCRIMINATOR)
    if other in content:
        return ProblemCode.UNEXPECTED_KEY
    if asked not in content:
        return ProblemCode.MISSING_KEY
    form = discriminator if wants else question.array_records.get(ARRAYS)
    if form is None or _layout(content.array_records[asked]) != _layout(form):
        return ProblemCode.WRONG_SHAPE
    return None


def _layout(record: ArrayRecord) -> dict[str, tuple[str, tuple[int, ...]]]:
    return {name: (array.dtype, tuple(array.shape)) for name, array in record.items()}


def _find_value_problem(row: WireField, record: object, value: object) -> ProblemCode | None:
    if row.type in (WireType.VECTOR, WireType.WEIGHTS):
        if not (isinstance(record, ArrayRecord) and isinstance(value, Array)):
            return ProblemCode.WRONG_TYPE
        wrong_rank = row.type is WireType.VECTOR and len(value.shape) != 1
        allowed = set(WireFormat) if row.type is WireType.WEIGHTS else {"float32"}
        if value.dtype not in allowed:
            return ProblemCode.WRONG_DTYPE
        too_many = math.prod(value.shape) > MOST_ELEMENTS
        return ProblemCode.WRONG_SHAPE if wrong_rank or too_many else None
    if not isinstance(record, ConfigRecord) or type(value) is not _PYTHON_TYPES[row.type]:
        return ProblemCode.WRONG_TYPE
    if isinstance(value, str) and not re.fullmatch(row.pattern, value):
        return ProblemCode.VALUE_NOT_ALLOWED
    if isinstance(value, float) and not math.isfinite(value):
        return ProblemCode.NOT_FINITE
    if isinstance(value, int | float) and not row.low <= value <= row.high:
        return ProblemCode.VALUE_NOT_ALLOWED
    return None


_PYTHON_TYPES: Final[dict[WireType, type]] = {
    WireType.STRING: str,
    WireType.BOOLEAN: bool,
    WireType.INTEGER: int,
    WireType.FLOAT: float,
}
