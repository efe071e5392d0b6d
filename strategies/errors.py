"""The one error of this package: a study that cannot go on."""

from __future__ import annotations


class StudyFailed(RuntimeError):
    """Report that a study ended without a result.

    The message never holds a value or a row count of a site, only counts of sites, fixed codes and
    what a site's policy allows.

    Attributes:
        reason: the same sentence as the message.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
