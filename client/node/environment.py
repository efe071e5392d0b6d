"""What must be set before Flower is imported: nothing is sent to its makers or installed."""

from __future__ import annotations

import os
import sys
from importlib.metadata import version
from pathlib import Path

from synthesis.errors import InputError

FLOWER_VERSION = "1.41."
_SWITCHES = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
}
_HOME = "state/flower"


def flower_variables(folder: Path) -> dict[str, str]:
    """Return the variables of a node of the site in ``folder``."""
    return _SWITCHES | {"FLWR_HOME": str(folder.resolve() / _HOME)}


def prepare_environment(folder: Path) -> None:
    """Set Flower's variables for this process.

    Raises:
        RuntimeError: if Flower was imported before, which would have read them already.
        InputError: if another Flower than ours is installed.
    """
    if "flwr" in sys.modules:
        raise RuntimeError("prepare_environment must come before Flower is imported.")
    os.environ.update(flower_variables(folder))
    check_flower()


def check_flower(installed: str | None = None) -> None:
    """Raise InputError unless the installed Flower is one that this program was made for."""
    found = version("flwr") if installed is None else installed
    if not found.startswith(FLOWER_VERSION):
        raise InputError(
            f"Flower must be of version {FLOWER_VERSION}x, and {found} is installed; install it "
            f"with: pip install 'flwr~={FLOWER_VERSION}0'.",
            argument="flwr",
        )
