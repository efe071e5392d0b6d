"""What anybody on the machine can see of its processes."""

from __future__ import annotations

import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType


class CommandLines:
    """Collects what ``ps`` shows of all processes for as long as the ``with`` block lasts."""

    def __init__(self, every_s: float = 0.25) -> None:
        self.seen: set[str] = set()
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> CommandLines:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join(timeout=5)

    def _watch(self) -> None:
        while not self._over.wait(self._every_s):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                with suppress(OSError):  # it may be over by now
                    words = file.read_bytes().decode("utf-8", "replace").split("\0")
                    self.seen.add(" ".join(words).strip())
