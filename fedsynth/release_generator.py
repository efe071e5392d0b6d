"""The generator of a release, only if it is the one that was signed."""

from __future__ import annotations

from pathlib import Path

from server.attestation import find_altered
from synthesis.errors import InputError
from synthesis.generator import Generator
from synthesis.images.generator import ImageGenerator
from synthesis.images.model_files import load_image_generator
from synthesis.images.schema import ImageSchema
from synthesis.model_files import DESCRIPTION_FILE, WEIGHTS_FILE, load_generator
from synthesis.schema import Schema


def open_generator(release: Path) -> tuple[Generator, Schema]:
    """Read the generator of tables in a release folder.

    Raises:
        InputError: if a file is missing, broken, of another format, or altered after signing.
    """
    loaded = load_generator(release)
    _check_as_signed(release)
    return loaded


def open_image_generator(release: Path) -> tuple[ImageGenerator, ImageSchema]:
    """Read the generator of images in a release folder.

    Raises:
        InputError: if a file is missing, broken, of another format, or altered after signing.
    """
    loaded = load_image_generator(release)
    _check_as_signed(release)
    return loaded


def _check_as_signed(release: Path) -> None:
    altered = find_altered(release, (DESCRIPTION_FILE, WEIGHTS_FILE))
    if altered:
        raise InputError(
            f"release folder must be as it was signed, and {altered[0]} in {release} was altered; "
            "get the release again ('fedsynth verify' names all that differs).",
            argument="dir",
        )
