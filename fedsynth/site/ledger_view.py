"""A ledger on the screen: studies, mechanisms, policy, and what they add up to."""

from __future__ import annotations

from itertools import groupby

from fedsynth.console import add_row, make_table, say, screen
from fedsynth.event_cells import event_cells
from fedsynth.site.policy_history import policies_of
from fedsynth.site.policy_view import describe_changes, describe_policy
from fedsynth.site.reading import LedgerReading
from privacy import LedgerSummary, Policy, ReservationSummary
from privacy.ledger_book import Book

_MAX_PARTS = 4


def show_ledger(reading: LedgerReading) -> bool:
    """Print a ledger; return whether its epsilon is within the budget."""
    summary = reading.summary
    if summary.reservations:
        _show_studies(summary)
        _show_mechanisms(summary)
    else:
        say(screen, f"Ledger of {summary.header.site}, data set {summary.header.dataset}")
        say(screen, "No study has been reserved yet.")
    _show_policy(reading.book)
    prv = "" if summary.epsilon_prv is None else f", PRV {summary.epsilon_prv:.4f}"
    budget = summary.policy.budget
    say(
        screen,
        f"Spent: epsilon {summary.epsilon_pld:.4f} by PLD (RDP {summary.epsilon_rdp:.4f}{prv}), "
        f"{'within' if summary.is_within_budget else 'ABOVE'} the budget of {budget.epsilon:g} "
        f"at delta {budget.delta:g} (unit: {summary.header.unit.value}, add or remove one). "
        f"Left: {summary.remaining:.4f}.",
    )
    return summary.is_within_budget


def short_time(time: str) -> str:
    """Return the minute of an ISO time, which a ledger keeps in UTC."""
    return time[:16].replace("T", " ")


def _show_studies(summary: LedgerSummary) -> None:
    header = summary.header
    table = make_table(
        f"Ledger of {header.site}, data set {header.dataset}",
        ["study", "reserved (UTC)", "state", "parts that began"],
        ["epsilon\nif alone"],
    )
    for item in summary.reservations:
        words = [item.study, short_time(item.reserved_at), item.state.value, _list_parts(item)]
        add_row(table, [*words, f"{item.epsilon:.4f}"])
    screen.print(table)


def _show_mechanisms(summary: LedgerSummary) -> None:
    table = make_table(
        "What they release", ["study", "on"], ["noise", "rate", "steps", "epsilon\nif alone"]
    )
    for item in summary.reservations:
        for event in item.events:
            cells = [item.study, event.event.purpose, *event_cells(event.event)]
            add_row(table, [*cells, f"{event.epsilon:.4f}"])
    screen.print(table)


def _list_parts(item: ReservationSummary) -> str:
    """Return the parts in order, rounds in one word."""
    words: list[str] = []
    for is_round, group in groupby(item.parts, key=lambda part: part.startswith("round-")):
        parts = list(group)
        if is_round and len(parts) > 1:
            words.append(f"{parts[0]} to {parts[-1].removeprefix('round-')}")
        else:
            words.extend(parts)
    more = [f"and {len(words) - _MAX_PARTS} more"] if len(words) > _MAX_PARTS else []
    return ", ".join([*words[:_MAX_PARTS], *more]) or "none"


def _show_policy(book: Book) -> None:
    table = make_table("Policy", ["since (UTC)", "what it says"], [])
    before: Policy | None = None
    for period in policies_of(book):
        policy = period.policy
        lines = describe_policy(policy) if before is None else describe_changes(before, policy)
        by = f"; approved by {period.approver}" if period.approver else ""
        add_row(table, [short_time(period.since), f"{'; '.join(lines)}{by}"])
        before = policy
    screen.print(table)
