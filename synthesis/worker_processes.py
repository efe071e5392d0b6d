"""Processes that draw shards beside each other, each with one numeric thread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from synthesis.errors import WorkersFailed

T = TypeVar("T")

THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS")}
"""What keeps numeric libraries of a worker to one thread."""


@dataclass(frozen=True, kw_only=True)
class WorkerProcesses:
    """An ``Engine`` of processes on this machine.

    They are spawned: they import what they need and share nothing with this process. Python runs
    a script that is not protected by ``if __name__ == "__main__":`` again in each of them.

    Attributes:
        workers: how many processes, >= 1. At most twice as many shards are held at any time.
    """

    workers: int

    def __call__(self, function: Callable[[int], T], count: int) -> Generator[T, None, None]:
        """Call a function with all numbers below ``count``.

        Raises:
            WorkersFailed: if a process did not start or ended.
        """
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(
            min(self.workers, count), context, initializer=_prepare, initargs=(function,)
        )
        ahead: deque[Future[T]] = deque()
        try:
            for index in range(count):
                with _quiet_start():
                    ahead.append(pool.submit(_call, index))
                if len(ahead) == 2 * self.workers:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        except BrokenProcessPool:
            raise WorkersFailed(
                "a worker process did not start or was ended, perhaps for lack of memory; use "
                'fewer workers, and in a script call this below `if __name__ == "__main__":`.'
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _quiet_start() -> Iterator[None]:
    """Let processes that start here inherit what they need and no other of our settings.

    Ctrl-C reaches every process of a terminal; workers leave it to this one, from their first
    moment on.
    """
    before = {name: os.environ.get(name) for name in THREADS}
    signals = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    os.environ.update(THREADS)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        signal.pthread_sigmask(signal.SIG_SETMASK, signals)


def call(function: Callable[[int], T], index: int) -> T:
    """Call a function; what a worker elsewhere is asked to do."""
    return function(index)


_function: Callable[[int], Any]


def _prepare(function: Callable[[int], Any]) -> None:
    """Keep what all calls of a worker need, and end with the process that wants them."""
    global _function
    _function = function
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _call(index: int) -> Any:
    return _function(index)
