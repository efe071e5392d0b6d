"""How the command line ends: what a person can mend becomes one sentence and an exit code.

0 done, 1 the study could not go on or a ledger or release cannot be trusted, 2 something given
cannot be used, 130 or 143 stopped from outside.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

USED_WRONGLY, FAILED = 2, 1
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BaseException):
    """Report that a signal asked the process to end; no handler of errors is to catch it.

    Attributes:
        code: the exit code that says so, 128 + the signal's number.
        sentence: what the person is told.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.code = 128 + signal_number
        self.sentence = "stopped; nothing was written."


@contextmanager
def stop_on_signals() -> Iterator[None]:
    """Turn the first Ctrl-C or request to end into ``Stopped``; further ones wait for the cleanup.

    Ctrl-C would be a KeyboardInterrupt, which the frameworks below handle in ways of their own, and
    a request to end would leave working files behind.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for each in _SIGNALS:
            signal.signal(each, signal.SIG_IGN)
        logging.disable()  # what frameworks say about the end is not what ended it
        raise Stopped(number)

    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def sentences() -> Iterator[None]:
    """Say in one sentence what ended the work, and exit with the code that belongs to it."""
    try:
        yield
    except Stopped as stopped:
        _say(stopped.sentence)
        _leave(stopped.code)
    except (ValueError, RuntimeError, OSError, MemoryError) as error:
        ending = _explain(error)
        if ending is None:
            raise
        sentence, code = ending
        _say(sentence)
        sys.exit(code)


def _explain(error: Exception) -> tuple[str, int] | None:
    """Return sentence and exit code, or None for what is a defect of ours."""
    from server.attestation import ReleaseBroken

    if isinstance(error, ReleaseBroken):  # first, as what follows brings pandas and Flower
        return str(error), FAILED

    from privacy.errors import BudgetExceeded, LedgerBroken, PolicyViolation
    from strategies.errors import StudyFailed
    from synthesis.errors import InputError, SourceUnavailable, WorkersFailed

    if isinstance(error, InputError):
        return str(error), USED_WRONGLY
    failures = (
        StudyFailed,
        SourceUnavailable,
        WorkersFailed,
        BudgetExceeded,
        PolicyViolation,
        LedgerBroken,
    )
    if isinstance(error, failures):
        return str(error), FAILED
    if isinstance(error, MemoryError):
        return (
            "there is not enough memory for this; free some, or give it less to read or to make.",
            FAILED,
        )
    if isinstance(error, OSError):
        place = f" ({error.filename})" if error.filename else ""
        return (
            f"the system refused a file: {error.strerror or error}{place}; make room or choose "
            "another place, for working files with the variable TMPDIR.",
            FAILED,
        )
    return None


def _say(sentence: str) -> None:
    from fedsynth.console import errors

    end = "" if sentence.endswith((".", "!", "?")) else "."
    errors.print(f"fedsynth: {sentence}{end}", markup=False, highlight=False, soft_wrap=True)


def _leave(code: int) -> None:
    """Exit; threads that a framework left waiting cannot hold the process."""
    others = (thread for thread in threading.enumerate() if thread is not threading.main_thread())
    if any(not thread.daemon for thread in others):
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)
