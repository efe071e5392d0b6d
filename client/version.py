"""Which software a site runs."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def software_version() -> str:
    """Return the installed version of fedsynth, as sites and coordinator compare it."""
    try:
        return version("fedsynth")
    except PackageNotFoundError:
        return "unknown"
