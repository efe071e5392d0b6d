"""What a release draws from must be what was signed."""

from __future__ import annotations

from pathlib import Path

from server.attestation import ENVELOPE_FILE, REPORT_FILE, ReleaseBroken, find_altered
from synthesis.errors import InputError
from synthesis.model_files import DESCRIPTION_FILE, WEIGHTS_FILE


def check_as_signed(release: Path) -> None:
    """Raise InputError if the generator in a release folder was altered after it was signed.

    So it does if the signed statement is there and cannot be read; where there is none, nothing can
    be compared (``is_unsigned``).
    """
    try:
        altered = find_altered(release, (DESCRIPTION_FILE, WEIGHTS_FILE))
    except ReleaseBroken as error:
        raise InputError(
            f"release folder must be as it was signed: {error}", argument="dir"
        ) from None
    if altered:
        raise InputError(
            f"release folder must be as it was signed, and {altered[0]} in {release} was altered; "
            "get the release again ('fedsynth verify' names all that differs).",
            argument="dir",
        )


def is_unsigned(folder: Path) -> bool:
    """Return whether this is a release whose signed statement is gone, so nothing can be compared.

    A generator by itself was never signed.
    """
    return (folder / REPORT_FILE).exists() and not (folder / ENVELOPE_FILE).exists()
