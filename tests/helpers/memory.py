"""How much memory a process has needed, as the kernel counts it."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class PeakMemory:
    """The largest resident size of a process so far.

    Attributes:
        last: in bytes, when the process was last seen.
    """

    def __init__(self, pid: int) -> None:
        self._file = Path(f"/proc/{pid}/status")
        self.last = 0

    def peak(self) -> int:
        """Return it now, in bytes; once the process is gone, what it was before."""
        try:
            lines = self._file.read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            return self.last
        found = [int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")]
        self.last = max([self.last, *found])
        return self.last

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Go on looking, for a process that ends takes the number with it."""
        over = threading.Event()

        def look() -> None:
            while not over.is_set():
                self.peak()
                time.sleep(0.05)

        thread = threading.Thread(target=look, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join(5)
