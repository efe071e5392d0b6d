"""Public keys as people hand them over: 64 digits, or the file that holds them."""

from __future__ import annotations

from pathlib import Path

from privacy import PublicKey
from synthesis import InputError

ENDING = ".pub"


def public_file_of(private: Path) -> Path:
    """Return where the public half of a key pair is kept beside the private one."""
    return private.with_suffix(ENDING)


def read_public_key(text: str, *, argument: str) -> PublicKey:
    """Return a public key from the command line.

    Args:
        text: 64 hexadecimal digits, or the name of a file that holds them.
        argument: what messages call it.

    Raises:
        InputError: if it is neither.
    """
    digits = text.strip().lower()
    try:
        if len(digits) != 64 and Path(text).is_file():
            digits = Path(text).read_text(encoding="ascii").strip().lower()
        return PublicKey(digits)
    except (ValueError, OSError):
        raise InputError(
            f"{argument} must be a public key of 64 hexadecimal digits or a file that holds it, "
            f"got {text!r:.80}; 'fedsynth keys new' and 'fedsynth site init' print one.",
            argument=argument,
        ) from None
