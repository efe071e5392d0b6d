"""The budget over time: what was spent after each reservation, and what was allowed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from fedsynth.console import say, screen
from fedsynth.site.ledger_view import short_time
from fedsynth.site.policy_history import policies_of
from privacy import Event, Policy, compute_epsilon
from privacy.ledger_book import Book

_MAX_LINES = 10
_MAX_POINTS = 30  # each is an accounting of its own, which takes seconds in a long ledger


@dataclass(frozen=True, kw_only=True)
class Reading:
    """One moment at which something changed.

    Attributes:
        time: UTC, ISO 8601.
        epsilon: spent from then on, by PLD.
        allowed: the policy's epsilon from then on.
        study: what was reserved; empty when the policy changed.
    """

    time: str
    epsilon: float
    allowed: float
    study: str = ""

    @property
    def moment(self) -> datetime:
        """The time as a value."""
        return datetime.fromisoformat(self.time)


@dataclass(frozen=True, kw_only=True)
class Gauge:
    """The life of a budget.

    Attributes:
        site: name of the site.
        dataset: name of the data set.
        policy: in force now.
        readings: oldest first; the first is the opening of the ledger.
        reservations: how many studies were reserved.
        latest: time of the last entry of any kind.
    """

    site: str
    dataset: str
    policy: Policy
    readings: Sequence[Reading]
    reservations: int
    latest: str


def measure(book: Book) -> Gauge:
    """Return the budget's life from a verified ledger.

    Beyond 30 reservations, neighbours are joined, and a reading stands for the last of them.
    """
    periods = policies_of(book)
    delta = book.policy.delta
    steps = _steps(book)
    keep = max(1, -(-len(steps) // _MAX_POINTS))
    kept = [step for i, step in enumerate(steps, start=1) if i % keep == 0 or i == len(steps)]
    changes = [(period.since, None, ()) for period in periods] + kept
    readings, spent = [], 0.0
    for time, study, events in sorted(changes, key=lambda change: change[0]):
        if study is not None:
            spent = compute_epsilon(events, delta)
        allowed = [p.policy.epsilon for p in periods if p.since <= time][-1]
        readings.append(Reading(time=time, epsilon=spent, allowed=allowed, study=study or ""))
    return Gauge(
        site=book.header.site,
        dataset=book.header.dataset,
        policy=book.policy,
        readings=readings,
        reservations=len(steps),
        latest=book.entries[-1].time,
    )


def _steps(book: Book) -> list[tuple[str, str | None, tuple[Event, ...]]]:
    """Return time and study of every reservation, with all events up to it."""
    steps: dict[str, tuple[str, str | None, tuple[Event, ...]]] = {}
    events: list[Event] = []
    for entry in book.entries:
        if entry.event is not None:
            events.append(entry.event)
            steps[entry.reservation] = (entry.time, entry.study, tuple(events))
    return list(steps.values())


def show_gauge(gauge: Gauge) -> None:
    """Print a bar of what is spent, and the last reservations with a bar each."""
    last, policy = gauge.readings[-1], gauge.policy
    width = max(10, min(50, screen.width - 30))
    say(screen, f"Budget of {gauge.site}, data set {gauge.dataset}, at delta {policy.delta:g}")
    say(
        screen,
        f"{draw_bar(last.epsilon / policy.epsilon, width)} "
        f"{last.epsilon:.4f} of {policy.epsilon:g} spent",
    )
    studies = [reading for reading in gauge.readings if reading.study]
    if gauge.reservations > min(len(studies), _MAX_LINES):
        say(screen, f"Some of {gauge.reservations} reservations, the last ones:")
    for reading in studies[-_MAX_LINES:]:
        bar = draw_bar(reading.epsilon / policy.epsilon, 12)
        say(
            screen,
            f"  {short_time(reading.time)}  {bar} {reading.epsilon:7.4f}  {shorten(reading.study)}",
        )
    say(
        screen,
        f"Left: epsilon {max(0.0, policy.epsilon - last.epsilon):.4f} by PLD. Refused studies "
        "are not in a ledger, for they spent nothing.",
    )


def shorten(study: str) -> str:
    """Return a study's name, cut where it is long.

    >>> shorten("a" * 40)
    'aaaaaaaaaaaaaaaaaaaaaaaaaaa...'
    """
    return study if len(study) <= 30 else f"{study[:27]}..."


def draw_bar(share: float, width: int) -> str:
    """Return a bar; anything spent shows, and a full bar means that nothing is left.

    >>> draw_bar(0.5, 8), draw_bar(0.001, 4), draw_bar(0.99, 4)
    ('[####....]', '[#...]', '[###.]')
    """
    filled = min(width, int(share * width))
    if share > 0:
        filled = max(1, filled)
    return f"[{'#' * filled}{'.' * (width - filled)}]"
