"""What a person sees while a study runs: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from time import monotonic
from types import TracebackType
from typing import Any

from rich.console import Console, RenderableType
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from fedsynth.console import say
from fedsynth.progress_words import tell_codes, tell_differing, tell_groups
from fedsynth.roll_call import MOST_NAMED, RollCall, name_some

SCORING = "sample and score"
ATTACKS = "attacks on the rows"
CLOSING = "query.close"
TITLES = {
    "query.hello": "hello",
    "query.sketch": "sketch",
    "fit": "fit",
    "train": "adversarial rounds",
    "query.evaluate": "evaluation",
    "query.open": "canaries",
    CLOSING: "goodbye",
    SCORING: SCORING,
    ATTACKS: ATTACKS,
}
PLAIN = {
    "query.hello": "hello: do schemas and versions agree?",
    "query.sketch": "sketch: one noisy release of each site",
    "fit": "fit: the generator learns from the sketches",
    "query.evaluate": "evaluation: one noisy release from each hold-out",
    "query.open": "canaries: sites open the coins that they committed to",
    CLOSING: "goodbye: sites hear that the study is over",
    "train": "adversarial rounds: sites train discriminators and improve the generator",
    SCORING: SCORING,
    ATTACKS: "attacks on the rows: what do the published ones give away of real ones?",
}


class StudyProgress:
    """Turns the events of a study into bars or lines; use it as a context manager.

    Args:
        console: where to write; bars appear only if it is a terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bars: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._started: dict[str, float] = {}
        self._answers: dict[str, int] = {}
        self._roll = RollCall()
        self._sites = 0
        self._rounds = 0
        self._round = 1
        if console.is_terminal:
            self._bars = _Bars(
                self._roll,
                TextColumn("{task.description:<18}"),
                BarColumn(bar_width=28),
                TextColumn("{task.fields[note]:<19}"),
                TimeElapsedColumn(),
                console=console,
            )
        self._handlers: Mapping[str, Callable[[Mapping[str, Any]], None]] = {
            "study-started": self._start_study,
            "sites-online": self._show_online,
            "phase-started": self._start_phase,
            "phase-finished": self._finish_phase,
            "site-answered": self._count_answer,
            "fit-progress": self._fit,
            "site-groups": lambda event: say(console, tell_groups(event)),
            "sites-differ": lambda event: say(console, tell_differing(event)),
            "round-started": self._start_round,
            "round-finished": self._finish_round,
            "round-void": self._finish_round,
            "budget": self._show_budget,
            "score-progress": self._score,
            "scored": lambda event: self._end(SCORING),
            "attack-progress": self._attack,
            "attacked": lambda event: self._end(ATTACKS),
            "phase-kept": self._show_kept,
            "rounds-kept": self._show_kept_rounds,
            "site-lost": self._lose,
            "site-back": self._regain,
            "study-closing": self._start_closing,
            "study-closed": self._close,
        }

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
        handler = self._handlers.get(str(event["event"]))
        if handler is not None:
            handler(event)

    def _start_study(self, event: Mapping[str, Any]) -> None:
        self._rounds = event["rounds"]
        names = event["sites"]
        self._sites = len(names)
        self._roll.members = list(names)
        say(self._console, f"{len(names)} sites: {name_some(names)}")
        if not self._rounds:
            say(self._console, "no adversarial rounds: the sketches have the whole budget")

    def _show_online(self, event: Mapping[str, Any]) -> None:
        self._roll.online = list(event["nodes"])
        if self._bars is None:
            away = [name for name in self._roll.members if name not in self._roll.online]
            rest = f"; away: {name_some(away)}" if away else ""
            say(
                self._console,
                f"  {_now()} online: {name_some(self._roll.online) or 'no site'}{rest}",
            )

    def _start_phase(self, event: Mapping[str, Any]) -> None:
        self._roll.ask(event.get("nodes", ()))
        self._begin(event["phase"])

    def _start_round(self, event: Mapping[str, Any]) -> None:
        self._round = event["server_round"]
        done = self._answers["train"] = (self._round - 1) * self._sites
        self._roll.ask(event["nodes"])
        self._begin("train")
        if done:  # before the first answer nothing is known, and the bar says so
            note = f"round {self._round} of {self._rounds}"
            self._update("train", done, self._rounds * self._sites, note)

    def _finish_phase(self, event: Mapping[str, Any]) -> None:
        self._roll.ask(())
        self._end(event["phase"], f"{len(event['valid'])} of {self._sites} sites")
        if event.get("rejected"):
            say(self._console, f"  not counted: {tell_codes(event['rejected'])}")

    def _start_closing(self, event: Mapping[str, Any]) -> None:
        if event["nodes"]:
            self._start_phase({**event, "phase": CLOSING})

    def _close(self, event: Mapping[str, Any]) -> None:
        self._roll.online = None  # from here on nobody is needed
        if CLOSING in self._started:
            self._finish_phase({"phase": CLOSING, "valid": event["told"]})

    def _show_kept(self, event: Mapping[str, Any]) -> None:
        sites = f", {len(event['valid'])} of {self._sites} sites" if "valid" in event else ""
        phase = event["phase"]
        say(self._console, f"{TITLES.get(phase, phase)}: kept from before{sites}")

    def _show_kept_rounds(self, event: Mapping[str, Any]) -> None:
        self._answers["train"] = event["rounds"] * self._sites
        say(
            self._console,
            f"{TITLES['train']}: {event['rounds']} of {self._rounds} kept from before",
        )

    def _lose(self, event: Mapping[str, Any]) -> None:
        self._roll.away.add(str(event["node"]))
        say(self._console, f"  {_now()} {event['node']} went away; waiting for it")

    def _regain(self, event: Mapping[str, Any]) -> None:
        self._roll.away.discard(str(event["node"]))
        say(self._console, f"  {_now()} {event['node']} is back, and is asked again")

    def _count_answer(self, event: Mapping[str, Any]) -> None:
        phase = event["phase"]
        count = self._answers[phase] = self._answers.get(phase, 0) + 1
        if phase == "train":
            note = f"round {self._round} of {self._rounds}"
            self._update(phase, count, self._sites * self._rounds, note)
        else:
            self._update(phase, count, self._sites, f"{count} of {self._sites} sites")
        if "node" in event:
            self._roll.hear(event["node"])
            if self._bars is None and self._sites <= MOST_NAMED:
                say(self._console, f"  {_now()} {self._roll.last_heard()}")

    def _fit(self, event: Mapping[str, Any]) -> None:
        done, total = event["done"], event["total"]
        self._begin("fit")
        self._update("fit", done, total, f"{done} of {total} steps")
        if done == total:
            self._end("fit")

    def _finish_round(self, event: Mapping[str, Any]) -> None:
        number, rejected = event["server_round"], event["rejected"]
        self._roll.ask(())
        self._answers["train"] = number * self._sites  # also where answers are not told one by one
        note = f"round {number} of {self._rounds}"
        self._update("train", number * self._sites, self._rounds * self._sites, note)
        line = f"  {note}: {len(event['valid'])} valid replies, {event['seconds']:.1f} s"
        if event["event"] == "round-void":
            line += "; too few, the round changed nothing"
        if rejected:
            line += f"; not counted: {tell_codes(rejected)}"
        if rejected or self._bars is None or event["event"] == "round-void":
            say(self._console, line)
        if number == self._rounds and self._bars is None:
            self._end("train", "all rounds")

    def _show_budget(self, event: Mapping[str, Any]) -> None:
        spent: Mapping[str, float] = event["sites"]
        planned = event.get("planned", False)  # by one study; what else a site spent is its own
        what = "epsilon of this study" if planned else "epsilon spent so far"
        if len(spent) <= MOST_NAMED:
            shown = ", ".join(f"{site} {epsilon:.4f}" for site, epsilon in spent.items())
        else:
            shown = f"{min(spent.values()):.4f} to {max(spent.values()):.4f} at {len(spent)} sites"
        say(
            self._console,
            f"{what}, of {event['budget']:g}: {shown}"
            + (" (the rounds to come included)" if self._rounds else ""),
        )

    def _score(self, event: Mapping[str, Any]) -> None:
        done, total = event["done"], event["total"]
        self._update(SCORING, done, total, f"{done} of {total} tables")

    def _attack(self, event: Mapping[str, Any]) -> None:
        done, total = event["done"], event["total"]
        self._update(ATTACKS, done, total, f"{done} of {total} steps")

    def _begin(self, name: str) -> None:
        if name in self._started:
            return
        self._started[name] = monotonic()
        if self._bars is not None:
            # The rounds' first answer can take minutes: say at once what is being waited for.
            note = f"round {self._round} of {self._rounds}" if name == "train" else ""
            self._tasks[name] = self._bars.add_task(TITLES.get(name, name), total=None, note=note)
        else:
            say(self._console, PLAIN.get(name, name))

    def _update(self, name: str, done: int, total: int, note: str) -> None:
        if self._bars is not None and name in self._tasks:
            self._bars.update(self._tasks[name], completed=done, total=total, note=note)

    def _end(self, name: str, note: str | None = None) -> None:
        if self._bars is None:
            seconds = monotonic() - self._started.get(name, monotonic())
            say(self._console, f"  {'' if note is None else note + ', '}{seconds:.1f} s")
        elif name in self._tasks:
            task = self._bars.tasks[self._tasks[name]]
            total = task.total or 1
            kept = task.fields["note"] if note is None else note
            self._bars.update(task.id, completed=total, total=total, note=kept)


class _Bars(Progress):
    """Bars with a line below that says who is waited for."""

    def __init__(self, roll: RollCall, *columns: Any, console: Console) -> None:
        self._roll = roll
        super().__init__(*columns, console=console)

    def get_renderables(self) -> Iterable[RenderableType]:
        """Return the bars and the line."""
        yield from super().get_renderables()
        line = self._roll.describe()
        if line:
            yield Text(line)


def _now() -> str:
    return f"{datetime.now():%H:%M:%S}"
