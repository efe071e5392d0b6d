"""The entry of the command line: so little that it can be stopped from its first moment on."""

from __future__ import annotations

from fedsynth.endings import sentences, stop_on_signals


def main() -> None:
    """Run the command line; exit codes are those of ``fedsynth.endings``."""
    with stop_on_signals(), sentences():
        from fedsynth.commands import app

        app()
