"""The node's process, as its supervisor starts it: ``python -m client.node``."""

from __future__ import annotations

import argparse
import faulthandler
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import TracebackType

from client.node.environment import prepare_environment
from synthesis.errors import InputError

BROKE = 70
_GRACE_S = 20.0


def main() -> None:
    """Serve one study; the exit codes are those of ``fedsynth site join``, and 70 for a defect."""
    faulthandler.enable()
    sys.excepthook = _hide_values
    arguments = _parse()
    if arguments.supervised:
        threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        prepare_environment(arguments.site)
        from client.node.run import StopNode, run_node
    except InputError as error:
        _tell({"event": "unusable", "sentence": str(error)})
        sys.exit(2)
    try:
        code = run_node(
            arguments.site,
            study=arguments.study,
            config_hash=arguments.config_hash,
            patience_s=arguments.patience,
            restarts=arguments.restarts,
            listener=_tell,
        )
    except InputError as error:
        _tell({"event": "unusable", "sentence": str(error)})
        code = 2
    except StopNode as stop:
        code = stop.code
    sys.exit(code)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m client.node", description=__doc__)
    parser.add_argument("--site", type=Path, required=True, help="the site's folder")
    parser.add_argument("--study", required=True, help="name of the study")
    parser.add_argument("--config-hash", required=True, help="digest of its settings")
    parser.add_argument("--patience", type=float, default=86400.0, help="in seconds")
    parser.add_argument("--restarts", type=int, default=0, help="how often it was started anew")
    parser.add_argument("--supervised", action="store_true", help="end when the input closes")
    return parser.parse_args()


def _tell(event: object) -> None:
    """Write an event for the parent; a parent that is gone is noticed elsewhere."""
    try:
        sys.stdout.write(f"{json.dumps(event)}\n")
        sys.stdout.flush()
    except (OSError, ValueError):
        pass


def _end_with_parent() -> None:
    """Wait until the parent is gone, then end; it holds the other end of our input."""
    try:
        while os.read(0, 1024):
            pass
    except OSError:
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_GRACE_S)
    os._exit(BROKE)


def _hide_values(
    kind: type[BaseException], error: BaseException, place: TracebackType | None
) -> None:
    """Write type and place of a defect; its text could quote a cell."""
    places = []
    while place is not None:
        places.append(f"{place.tb_frame.f_code.co_qualname}:{place.tb_lineno}")
        place = place.tb_next
    text = str(error) if isinstance(error, ImportError) else ""
    sys.stderr.write(f"{kind.__name__} {text} at {' > '.join(places[-6:])}\n")
    sys.stderr.flush()
    _tell({"event": "broke", "error": kind.__name__})
    os._exit(BROKE)


main()
