"""From what went wrong at a site to the one word of it that may leave."""

from __future__ import annotations

from privacy import (
    AlreadyReleased,
    BudgetExceeded,
    LedgerBroken,
    PolicyViolation,
    StudyChanged,
)
from strategies.protocol import RefusalCode


class MalformedRequest(ValueError):
    """Raised when a message from the coordinator cannot be understood; no record was read."""


def refusal_of(error: Exception) -> RefusalCode:
    """Return the fixed code that stands for an error; its text stays in the site's log."""
    if isinstance(error, PolicyViolation):
        return RefusalCode(f"policy-{error.rule.replace('_', '-')}")
    codes: dict[type[Exception], RefusalCode] = {
        BudgetExceeded: RefusalCode.BUDGET_EXCEEDED,
        AlreadyReleased: RefusalCode.ALREADY_RELEASED,
        StudyChanged: RefusalCode.STUDY_CHANGED,
        LedgerBroken: RefusalCode.LEDGER_BROKEN,
        MalformedRequest: RefusalCode.MALFORMED,
    }
    return codes.get(type(error), RefusalCode.LOCAL_FAILURE)
