"""The files of a release folder and their digests."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from server.attestation.predicate import ENVELOPE_FILE
from synthesis.errors import InputError


@dataclass(frozen=True, kw_only=True)
class FolderContent:
    """What lies in a folder and below it, the envelope left out.

    Attributes:
        digests: SHA-256 of every file, by its path from the folder, with / between folders.
        unfit: why something is no file that can be read, by its path: links, pipes, closed files.
    """

    digests: Mapping[str, str]
    unfit: Mapping[str, str]


def read_folder(folder: Path) -> FolderContent:
    """Hash every file below a folder; links are not followed.

    Raises:
        OSError: if the folder itself cannot be listed.
    """
    digests: dict[str, str] = {}
    unfit: dict[str, str] = {}
    for name, entry in sorted(_walk(folder, "", unfit), key=lambda found: found[0]):
        if name == ENVELOPE_FILE:
            continue
        if not entry.is_file(follow_symlinks=False):
            unfit[name] = "is no plain file"
            continue
        try:
            digests[name] = hash_file(entry.path)
        except OSError as error:
            unfit[name] = f"cannot be read ({error.strerror})"
    return FolderContent(digests=digests, unfit=unfit)


def check_outside(out: Path) -> None:
    """Raise InputError if something new would lie in a release, which one more file breaks."""
    for folder in Path(os.path.realpath(out)).parents:  # a link may lead in, or round in a loop
        if os.path.lexists(folder / ENVELOPE_FILE):
            raise InputError(
                f"out must not be in a release, whose files are signed, and {folder} is one; "
                "choose another place.",
                argument="out",
            )


def hash_file(path: str | Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _walk(
    folder: Path, prefix: str, unfit: dict[str, str]
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    with os.scandir(folder) as entries:
        found = list(entries)
    for entry in found:
        name = f"{prefix}{entry.name}"
        if not entry.is_dir(follow_symlinks=False):
            yield name, entry
            continue
        try:
            yield from _walk(Path(entry.path), f"{name}/", unfit)
        except OSError as error:
            unfit[name] = f"cannot be read ({error.strerror})"
