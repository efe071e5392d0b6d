"""The public keys that a reader of releases trusts, as a file holds them."""

from __future__ import annotations

from pathlib import Path

from privacy import PublicKey
from server.attestation import TrustedKeys
from synthesis import InputError


def read_trusted_keys(path: Path) -> TrustedKeys:
    """Read a file with one key on each line, and behind it, if wanted, whose it is.

    Empty lines and lines that begin with # are left out.

    Raises:
        InputError: if the file cannot be read, holds no key, or a line is none.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise InputError(
            f"trust must be a text file of public keys, and {path} cannot be read ({reason}).",
            argument="trust",
        ) from None
    names: dict[PublicKey, str | None] = {}
    for number, line in enumerate(lines, start=1):
        digits, _, name = line.strip().partition(" ")
        if not digits or digits.startswith("#"):
            continue
        try:
            key = PublicKey(digits.lower())
        except ValueError:
            raise InputError(
                f"line {number} of {path} must be a public key of 64 hexadecimal digits, and "
                f"behind a space whose it is, got {line.strip()!r:.80}.",
                argument="trust",
            ) from None
        known = name.strip() or None
        if names.setdefault(key, known) != known:
            raise InputError(
                f"line {number} of {path} gives a key another owner than a line before it; keep "
                "one of the two.",
                argument="trust",
            )
    if not names:
        raise InputError(f"trust must hold a public key, and {path} holds none.", argument="trust")
    return names
