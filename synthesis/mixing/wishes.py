"""Balance and parity as margins whose shares follow from what the generator has."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod

import numpy as np

from synthesis.conditions import Restriction
from synthesis.errors import InputError
from synthesis.mixing.grouping import Axis, Floats
from synthesis.mixing.margins import Margin
from synthesis.schema import LevelColumn, Schema


def balance_margin(schema: Schema, name: str, others: Sequence[Margin]) -> Margin:
    """Return the margin of a column that is to be balanced; its shares are not known yet.

    Raises:
        InputError: if the column has no levels, or others ask for its shares already.
    """
    margin = _open_margin(schema, [name], wish="balance")
    if margin.columns in [other.columns for other in others]:
        raise InputError(
            f"balance: {name!r} has shares in the target of match already; leave one of them out.",
            argument="balance",
        )
    return margin


def parity_margin(schema: Schema, names: tuple[str, str]) -> Margin:
    """Return the margin of a group and an outcome that are to be independent, without shares yet.

    Raises:
        InputError: if they are not two columns with levels.
    """
    if names[0] == names[1]:
        raise InputError(
            f"parity: group and outcome must be two columns, got {names[0]!r} twice; name the "
            "outcome.",
            argument="parity",
        )
    return _open_margin(schema, names, wish="parity")


def close_balance(margin: Margin, found: Floats) -> Margin:
    """Give a column's levels equal shares, as far as they occur; missing values keep theirs.

    Args:
        margin: of all levels, without shares.
        found: the shares under the generator.
    """
    (axis,) = margin.axes
    found = found[:-1]  # nothing is not listed
    is_missing = np.array([part.missing for part in axis.parts])
    occurs = (found > 0) & ~is_missing
    equal = (1 - found[is_missing].sum()) / max(occurs.sum(), 1)
    return replace(margin, shares=np.where(is_missing, found, np.where(occurs, equal, 0.0)))


def close_parity(margin: Margin, found: Floats) -> Margin:
    """Make two columns independent, each with the shares it has.

    Args:
        margin: of all combinations of levels, without shares.
        found: the shares without parity.
    """
    joint = found[:-1].reshape(margin.shares.shape)
    return replace(margin, shares=np.outer(joint.sum(1), joint.sum(0)))


def _open_margin(schema: Schema, names: Sequence[str], *, wish: str) -> Margin:
    axes = tuple(_all_levels(schema, name, wish) for name in names)
    sizes = [len(axis.parts) for axis in axes]
    return Margin(
        name=" with ".join(map(repr, names)),
        axes=axes,
        shares=np.full(sizes, 1 / prod(sizes)),
        wish=wish,
    )


def _all_levels(schema: Schema, name: str, wish: str) -> Axis:
    """Return an axis that lists every level of a column, and a missing value if it may have one."""
    if name not in schema.names:
        raise InputError(
            f"{wish}: the schema has no column {name!r}; it has {', '.join(schema.names)}.",
            argument=wish,
        )
    column = schema.column(name)
    if not isinstance(column, LevelColumn):
        raise InputError(
            f"{wish}: {name!r} must have levels, and it is {column.kind}; "
            + ("give its ranges with match." if wish == "balance" else "name another column."),
            argument=wish,
        )
    whole = Restriction.all_of(column)
    parts = [replace(whole, ranges=((i, i),), missing=False) for i in range(len(column.levels))]
    keys = list(column.levels)
    if column.missing:
        parts.append(replace(whole, ranges=(), missing=True))
        keys.append("")
    return Axis(column=schema.names.index(name), parts=tuple(parts), keys=tuple(keys))
