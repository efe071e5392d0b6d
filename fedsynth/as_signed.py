"""What a release draws from must be what was signed."""

from __future__ import annotations

from pathlib import Path

from server.attestation import find_altered
from synthesis.errors import InputError
from synthesis.model_files import DESCRIPTION_FILE, WEIGHTS_FILE


def check_as_signed(release: Path) -> None:
    """Raise InputError if the generator in a release folder was altered after it was signed."""
    altered = find_altered(release, (DESCRIPTION_FILE, WEIGHTS_FILE))
    if altered:
        raise InputError(
            f"release folder must be as it was signed, and {altered[0]} in {release} was altered; "
            "get the release again ('fedsynth verify' names all that differs).",
            argument="dir",
        )
