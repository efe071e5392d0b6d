"""What a person sees while a site takes part: a calm line when something happened."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

_WORK = {
    "query.hello": "asked whether this site takes part",
    "query.sketch": "asked for the noisy sketch",
    "query.evaluate": "asked for noised counts of the hold-out",
    "query.open": "asked for the coins of the canaries; no round comes any more",
    "query.close": "told how the study ended",
}
_SENT = {
    "query.hello": "hello answered: this site takes part",
    "query.sketch": "sketch sent",
    "query.evaluate": "noised counts sent",
    "query.open": "coins opened",
    "query.close": "the study is closed in the ledger",
}


class NodeScreen:
    """Turns a node's events into lines.

    Args:
        say: writes a line.
        complain: writes a sentence that a person must see, even if everything else is quiet.
    """

    def __init__(self, say: Callable[[str], None], complain: Callable[[str], None]) -> None:
        self._say = say
        self._complain = complain
        self._round = ""

    def show(self, event: dict[str, Any]) -> None:
        """Write the line of an event, if it has one."""
        name = str(event.get("event", ""))
        if name in ("trouble", "gave-up", "unusable"):
            self._complain(_sentence(name, event))
            return
        if (line := self._line(name, event)) is not None:
            self._say(f"{datetime.now():%H:%M:%S}  {line}")

    def _line(self, name: str, event: dict[str, Any]) -> str | None:
        kind = str(event.get("type", ""))
        if name == "connected":
            return f"connected to {event.get('coordinator')}; waiting for questions"
        if name == "trouble-over":
            return "the coordinator answers again"
        if name == "question":
            if kind == "train":
                number, of = event.get("server-round"), event.get("rounds")
                self._round = f"round {number} of {of}"
                return f"{self._round}: training"
            return _WORK.get(kind)
        if name == "delivered":
            return self._delivered(kind, str(event.get("outcome", "")))
        if name in ("run-over", "too-late"):
            return "an answer was not needed any more"
        if name == "restart":
            return (
                f"the node ended unexpectedly (code {event.get('code')}) and is started anew; see "
                "logs/site.log and logs/node.err in the site's folder"
            )
        return "the study is over, and this site's part is done" if name == "study-over" else None

    def _delivered(self, kind: str, outcome: str) -> str:
        if outcome != "answered":
            return f"refused with the code {outcome!r}; see logs/site.log in the site's folder"
        if kind == "train":
            return f"{self._round}: sent"
        return _SENT.get(kind, "answer sent")


def _sentence(name: str, event: dict[str, Any]) -> str:
    sentence = str(event.get("sentence", ""))
    if name == "gave-up":
        return (
            f"gave up after {event.get('after_s')} seconds without a question from the "
            f"coordinator; the last that is known: {sentence}"
        )
    return sentence
