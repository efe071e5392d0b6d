"""What a person sees while a study runs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

PHASES = {
    "query.hello": "hello: schemas and versions agree",
    "query.sketch": "sketch: one noisy release per site",
    "fit": "fit: generator to the pooled sketch",
    "rounds": "adversarial rounds",
    "sample and score": "sample and score",
}


class StudyProgress:
    """Turns the events of a study into bars or lines; use it as a context manager.

    Args:
        console: where to write; bars appear only if it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None
        self._tasks: dict[str, Any] = {}
        self._rounds = 0
        if console.is_terminal:
            self._bars = Progress(
                TextColumn("{task.description:<38}"),
                BarColumn(bar_width=28),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=console,
            )

    def __enter__(self) -> StudyProgress:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Show one event; unknown ones are passed over."""
        handlers: dict[str, Callable[[Mapping[str, Any]], None]] = {
            "study-started": self._study_started,
            "phase-started": lambda e: self._begin(e["phase"], 1),
            "phase-finished": lambda e: self._advance(e["phase"], 1),
            "fit-progress": self._fit,
            "round-finished": self._round,
            "round-void": self._round,
            "budget": self._budget,
            "scored": lambda e: self._advance("sample and score", 1),
        }
        handler = handlers.get(str(event["event"]))
        if handler is not None:
            handler(event)

    def _study_started(self, event: Mapping[str, Any]) -> None:
        self._rounds = event["rounds"]
        sites = event["sites"]
        shown = ", ".join(sites[:6]) + (f" and {len(sites) - 6} more" if len(sites) > 6 else "")
        self._console.print(f"{len(sites)} sites: {shown}", highlight=False)

    def _fit(self, event: Mapping[str, Any]) -> None:
        self._begin("fit", event["total"])
        self._advance("fit", event["done"])

    def _round(self, event: Mapping[str, Any]) -> None:
        self._begin("rounds", self._rounds)
        self._advance("rounds", event["server_round"])
        rejected = event.get("rejected") or {}
        if rejected or event["event"] == "round-void":
            outcome = "changed nothing" if event["event"] == "round-void" else "went on"
            reasons = ", ".join(f"site {site}: {code}" for site, code in rejected.items())
            self._console.print(
                f"round {event['server_round']} {outcome}; not counted: {reasons}", highlight=False
            )
        elif self._bars is None:
            self._console.print(
                f"  round {event['server_round']} of {self._rounds}: {len(event['valid'])} valid "
                f"replies, {event['seconds']:.1f} s",
                highlight=False,
            )

    def _budget(self, event: Mapping[str, Any]) -> None:
        spent: Mapping[str, float] = event["sites"]
        if len(spent) <= 6:
            shown = ", ".join(f"{site} {epsilon:.4f}" for site, epsilon in spent.items())
        else:
            shown = f"between {min(spent.values()):.4f} and {max(spent.values()):.4f} at every site"
        self._console.print(
            f"epsilon spent so far, of {event['budget']:g}: {shown}", highlight=False
        )

    def _begin(self, name: str, total: int) -> None:
        if name in self._tasks:
            return
        if self._bars is None:
            self._console.print(PHASES.get(name, name), highlight=False)
        self._tasks[name] = (
            None if self._bars is None else self._bars.add_task(PHASES.get(name, name), total=total)
        )

    def _advance(self, name: str, done: int) -> None:
        task = self._tasks.get(name)
        if self._bars is not None and task is not None:
            self._bars.update(task, completed=done)
