"""Switch off what Flower and Ray would send to their makers; imported before either.

This is the one place that does it. ``strategies/__init__.py`` imports this module first, so any
import of ours that leads to Flower passes here. A variable the user has set is left alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from logging import ERROR, getLogger

_DEFAULTS = {
    "FLWR_TELEMETRY_ENABLED": "0",
    "FLWR_DISABLE_UPDATE_CHECK": "1",
    "RAY_USAGE_STATS_ENABLED": "0",
}
_TELEMETRY_MODULE = "flwr.supercore.telemetry"


def switch_off_telemetry() -> None:
    """Set Flower's switches for this process and its children, also if Flower came first."""
    for name, value in _DEFAULTS.items():
        os.environ.setdefault(name, value)
    telemetry = sys.modules.get(_TELEMETRY_MODULE)
    if telemetry is not None:  # it reads its variable once, at import
        vars(telemetry)["FLWR_TELEMETRY_ENABLED"] = os.environ["FLWR_TELEMETRY_ENABLED"]


@contextmanager
def quiet_flower() -> Iterator[None]:
    """Keep Flower's own log lines to errors inside the ``with`` block; our events replace them."""
    logger = getLogger("flwr")
    level = logger.level
    logger.setLevel(ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


switch_off_telemetry()
