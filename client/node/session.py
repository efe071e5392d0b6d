"""The number of a site's last session, so that a node that was killed can take it up again.

A server refuses a second session while the last one seems alive, for up to 90 seconds. Whoever kept
the number may go on with it at once; but only in the same folder of the same running system, so
that a copied folder on another machine does not answer beside the first.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from synthesis.durable_file import replace_file

SESSION_FILE: Final = "state/node.id"
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


class Session:
    """The kept number.

    Args:
        folder: of the site.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / SESSION_FILE
        self._place = f"{_boot_id()} {folder.resolve()}"

    def keep(self, node_id: int) -> None:
        """Write the number of a session that begins."""
        replace_file(self._path, f"{node_id} {self._place}\n".encode())

    def last(self) -> int | None:
        """Return the number of the last session, wherever it was."""
        return self._read()[0]

    def last_here(self) -> int | None:
        """Return it if that session was in this folder of this running system."""
        number, place = self._read()
        return number if place == self._place else None

    def _read(self) -> tuple[int | None, str]:
        try:
            number, _, place = self._path.read_text(encoding="utf-8").strip().partition(" ")
            return int(number), place
        except (OSError, ValueError):
            return None, ""


def _boot_id() -> str:
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"
