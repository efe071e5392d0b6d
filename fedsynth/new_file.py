"""Check, before any work is done, that a command can write its file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from server.attestation import check_outside
from synthesis import InputError


def check_new_file(out: Path, *, endings: Sequence[str]) -> None:
    """Raise InputError unless ``out`` can be written as a new file of one of the kinds."""
    if not out.name.lower().endswith(tuple(endings)):
        raise InputError(
            f"out must end in {' or '.join(endings)}, got {str(out)!r}; name the file so.",
            argument="out",
        )
    if out.exists():
        raise InputError(
            f"out must not exist yet, and {out} does; name another file.", argument="out"
        )
    check_outside(out)
    if not out.parent.is_dir():
        raise InputError(
            f"out must be in a folder that exists, and {out.parent} does not; create it or choose "
            "another place.",
            argument="out",
        )
