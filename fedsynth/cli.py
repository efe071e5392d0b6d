"""The entry of the command line: so little that it can be stopped from its first moment on."""

from __future__ import annotations

import atexit
import gc
from types import FunctionType

from fedsynth.endings import sentences, stop_on_signals

_ROOM = 2**16
"""Places on the stack that a frame asks for so that all it calls share one chunk of memory.

Python keeps frames in chunks of 16 kB and gives a chunk back when the first frame in it ends. A
loop that happens to stand on the border of two asks the system for memory at every call: 50,000
times in some plans, which was a fifth of their time.
"""


def main() -> None:
    """Run the command line; exit codes are those of ``fedsynth.endings``."""
    # Else the end of a command looks once more at all that was imported, a sixth of a plan's time.
    atexit.register(gc.freeze)
    FunctionType(_run.__code__.replace(co_stacksize=_ROOM), globals())()


def _run() -> None:
    with stop_on_signals(), sentences():
        from fedsynth.commands import app

        app()
