"""Reading that waits: a database that starts anew must not cost a site its phase.

Nothing has been drawn and nothing has left while a site waits here, so it may read as often as it
likes. A question that outlives the wait is answered with a code, and its phase stays open.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final, TypeVar

from synthesis import SourceUnavailable

LONGEST_WAIT_S: Final = 60.0
_PAUSES_S: Final = (0.5, 1.0, 2.0, 4.0, 8.0)

_log = logging.getLogger(__name__)
Result = TypeVar("Result")


def patience_of(time_to_live_s: float) -> float:
    """Return how long an answer may wait: half of the time that the question has, and no minute."""
    return max(0.0, min(LONGEST_WAIT_S, time_to_live_s / 2))


def read_patiently(
    read: Callable[[], Result],
    patience_s: float,
    *,
    pause: Callable[[float], object] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Result:
    """Return what ``read`` returns, and call it again while its source is out of reach.

    Args:
        read: reads everything anew at each call.
        patience_s: no new attempt begins later than this after the first.
        pause: waits so many seconds.
        clock: tells the time in seconds.

    Raises:
        SourceUnavailable: if the source was still out of reach at the last attempt.
    """
    end, failed = clock() + patience_s, 0
    while True:
        try:
            return read()
        except SourceUnavailable as error:
            wait = _PAUSES_S[min(failed, len(_PAUSES_S) - 1)]
            if clock() + wait > end:
                raise
            if failed == 0:
                _log.warning("%s; this site tries again for %.0f seconds", error, patience_s)
        failed += 1
        pause(wait)
