"""Refuse to start when a foreign module hides one of our generically named packages."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

ROOT_PACKAGES = ("client", "privacy", "server", "simulations", "strategies", "synthesis")


def check_root_packages(
    names: Iterable[str] = ROOT_PACKAGES, *, home: Path = Path(__file__).parents[1]
) -> None:
    """Check that every root package is the one that came with this fedsynth.

    Args:
        names: the packages that ``fedsynth`` is made of.
        home: folder that holds ``fedsynth`` and its siblings.

    Raises:
        ImportError: naming the file that hides a package, or the package that is missing.
    """
    for name in names:
        expected = (home / name / "__init__.py").resolve()
        found = _find(name)
        if found is not None and Path(found).resolve() == expected:
            continue
        if not expected.exists():
            raise ImportError(
                f"fedsynth needs its package {name!r}, which is not at {expected.parent}; "
                "install fedsynth again.",
                name=name,
            )
        raise ImportError(
            f"fedsynth needs its own package {name!r}, but Python finds {found or 'another one'} "
            "first; rename or move that file, start from another folder, or install fedsynth in a "
            "fresh environment.",
            name=name,
            path=found,
        )


def _find(name: str) -> str | None:
    """Return the file that ``import name`` gives, or has given already."""
    if name in sys.modules:
        return getattr(sys.modules[name], "__file__", None)
    spec = importlib.util.find_spec(name)
    return None if spec is None else spec.origin
