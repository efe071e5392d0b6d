"""What would leave a site, on the screen: one table for each kind of reply."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text

from fedsynth.console import format_bytes, make_table, say, screen
from fedsynth.site.preview import Leaving, LeavingField
from strategies import protocol
from strategies.wire_field import WireField, WireType

_TITLES = {
    protocol.QUERY_HELLO: "before anything else",
    protocol.QUERY_SKETCH: "counts under noise",
    protocol.TRAIN: "a generator",
    protocol.QUERY_EVALUATE: "counts of the hold-out under noise",
    protocol.QUERY_OPEN: "coins of the canaries, after all rounds",
    protocol.QUERY_CLOSE: "at the very end",
}
_LONGEST_WORD = 24
_FIELD_WIDTH = 34  # of the longest key
_NUMBERS = {WireType.INTEGER: "whole number", WireType.FLOAT: "number"}


def show_leaving(replies: Sequence[Leaving]) -> None:
    """Print every field of every reply: what it holds, why it may travel, and its bytes."""
    for reply in replies:
        _show_reply(reply)
    total = sum(reply.times * reply.size for reply in replies)
    number = sum(reply.times for reply in replies)
    say(screen, f"In all {number} replies with {format_bytes(total)}; no record leaves.")


def _show_reply(reply: Leaving) -> None:
    often = "once" if reply.times == 1 else f"{reply.times} times"
    title = f"Reply to {reply.message} ({_TITLES[reply.message]}), {often}"
    table = make_table(title, ["field, and what it holds", "may leave because it is"], ["bytes"])
    table.leading = 1
    table.columns[0].width = _FIELD_WIDTH
    for field in reply.fields():
        row = field.row
        key = "(weights)" if row.key == protocol.ANY_NAME else row.key
        what = f"{key}\n  {_holds(field)}"
        table.add_row(Text(what), Text(f"{row.basis.value}: {row.reason}"), Text(f"{field.size:,}"))
    screen.print(table)


def _holds(field: LeavingField) -> str:
    """Return the value, or how many numbers there are, and the bound in words."""
    row, value = field.row, field.value
    bound = f"{_short(row.low)} to {_short(row.high)}"
    if row.type is WireType.WEIGHTS:
        return f"{field.num_values:,} float32, {bound},\n  names and shapes as received"
    if row.type is WireType.VECTOR:
        return f"{field.num_values:,} float32, {bound}"
    if row.type is WireType.BOOLEAN:
        return "true" if value else "false"
    if row.type is WireType.STRING:
        return _words(str(value), row)
    return f"{float(str(value)):g} ({_NUMBERS[row.type]}, {bound})"


def _words(value: str, row: WireField) -> str:
    if len(value) > _LONGEST_WORD:
        return f"{len(value)} characters of a fixed form"
    choices = row.pattern.split("|")
    of = f"one of {len(choices)} words" if len(choices) > 1 else "text of a fixed form"
    return f"{value} ({of})"


def _short(number: float) -> str:
    return f"{number:g}".replace("e+0", "e").replace("e+", "e")
