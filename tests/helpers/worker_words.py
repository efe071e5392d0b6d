"""What tests ask of worker processes; they import it by this name."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable


def describe(function: Callable[[int], object], index: int) -> tuple[int, bool, str]:
    """Do a call and return its number, whether torch was loaded for it, and the threads allowed."""
    function(index)
    return index, "torch" in sys.modules, os.environ["OMP_NUM_THREADS"]


def vanish(index: int) -> None:
    """End the process as the kernel ends one that takes too much memory."""
    os._exit(9)


def stumble(index: int) -> int:
    """Fail at the third call."""
    if index == 2:
        raise ValueError("the third call fails")
    return index


def dawdle(index: int) -> int:
    """Take longest for the first call."""
    time.sleep(0.3 if index == 0 else 0)
    return index
