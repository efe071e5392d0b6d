"""From what went wrong at a site to the one word of it that may leave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from privacy import (
    AlreadyReleased,
    BudgetExceeded,
    LedgerBroken,
    PolicyViolation,
    StudyChanged,
)
from strategies.protocol import RefusalCode
from synthesis import InputError
from synthesis.errors import SourceUnavailable


class MalformedRequest(ValueError):
    """Raised when a message from the coordinator cannot be understood; no record was read."""


_CODES: Final[Mapping[type[Exception], RefusalCode]] = {
    BudgetExceeded: RefusalCode.BUDGET_EXCEEDED,
    AlreadyReleased: RefusalCode.ALREADY_RELEASED,
    StudyChanged: RefusalCode.STUDY_CHANGED,
    LedgerBroken: RefusalCode.LEDGER_BROKEN,
    MalformedRequest: RefusalCode.MALFORMED,
}
REFUSALS: Final = (*_CODES, PolicyViolation)


def refusal_of(error: Exception) -> RefusalCode:
    """Return the fixed code that stands for an error; its text stays in the site's log."""
    if isinstance(error, PolicyViolation):
        code = f"policy-{error.rule.replace('_', '-')}"
        return RefusalCode(code) if code in set(RefusalCode) else RefusalCode.LOCAL_FAILURE
    return _CODES.get(type(error), RefusalCode.LOCAL_FAILURE)


def describe(error: Exception) -> str:
    """Return what the site's log says of an error, without a value of the data.

    Our own sentences hold none. The text of any other error may quote a cell, so only its type and
    place are told.
    """
    if isinstance(error, InputError):  # its sentence may name the place of the table
        return f"{error.argument} cannot be used; 'fedsynth site check' says why"
    if isinstance(error, (*REFUSALS, SourceUnavailable)):
        return str(error)
    place = error.__traceback__
    while place is not None and place.tb_next is not None:
        place = place.tb_next
    where = f" at line {place.tb_lineno} of {place.tb_frame.f_code.co_name}" if place else ""
    return f"{type(error).__name__}{where}"
