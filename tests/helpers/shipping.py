"""The wheel and the sdist of this checkout, built as a release would be."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
# What an installation, a run or an editor leaves in a checkout, and .git.
LEFT_OUT = (
    *(".git", ".gitignore", ".venv", ".*_cache", ".hypothesis", "__pycache__", "*.egg-info"),
    *("build", "dist", "demo", "release"),
)
_BUILD = "import sys; from setuptools import build_meta as b; b.build_{}(sys.argv[1])"


@dataclass(frozen=True, kw_only=True)
class Built:
    """Where the two archives lie, and the copy of the checkout they were made from."""

    checkout: Path
    sdist: Path
    wheel: Path


def build(folder: Path) -> Built:
    """Build the sdist from a copy of the checkout, and the wheel from that sdist and nothing else.

    Args:
        folder: an empty folder; the checkout itself is not touched.
    """
    checkout = folder / "checkout"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*LEFT_OUT))
    sdist = build_one("sdist", checkout, folder / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "unpacked", filter="data")
    (unpacked,) = (folder / "unpacked").iterdir()
    return Built(
        checkout=checkout, sdist=sdist, wheel=build_one("wheel", unpacked, folder / "wheel")
    )


def build_one(kind: str, source: Path, out: Path) -> Path:
    """Build one archive from a folder; ``kind`` is sdist or wheel, ``out`` a folder for it."""
    done = subprocess.run(
        [sys.executable, "-c", _BUILD.format(kind), str(out.resolve())],
        cwd=source,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the {kind} could not be built:\n{done.stdout}\n{done.stderr}")
    (made,) = out.iterdir()
    return made
