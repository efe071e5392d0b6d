"""How a table is to become several sites, as somebody writes it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from synthesis.errors import InputError

_MOST_DIGITS = 4
"""Of a number of values; no column of a schema has more."""


class PartitionKind(Enum):
    """How rows find their site."""

    IID = "iid"
    DIRICHLET = "dirichlet"
    COLUMN = "column"
    SIZES = "sizes"
    LACKING = "lacking"


@dataclass(frozen=True, kw_only=True)
class PartitionSpec:
    """A parsed ``--partition``.

    Attributes:
        kind: how rows find their site.
        column: whose values name the sites, or whose shares differ between them under
            ``PartitionKind.DIRICHLET``; None there stands for the label.
        sizes: of the sites, in proportion, under ``PartitionKind.SIZES``.
        lacking: values of the label that every site lacks, under ``PartitionKind.LACKING``.
    """

    kind: PartitionKind
    column: str | None = None
    sizes: tuple[float, ...] = ()
    lacking: int = 0

    @property
    def tells_sites(self) -> bool:
        """Whether it says how many sites there are."""
        return self.kind in (PartitionKind.COLUMN, PartitionKind.SIZES)

    @property
    def idle_settings(self) -> frozenset[str]:
        """Names of a simulation's settings that mean nothing beside it."""
        of_sites = {"sites"} if self.tells_sites else set()
        of_shares = set() if self.kind is PartitionKind.DIRICHLET else {"alpha"}
        return frozenset(of_sites | of_shares)


def parse_partition(text: str) -> PartitionSpec:
    """Read ``iid``, ``sizes:7,2,1``, ``lacking:2``, ``dirichlet[:NAME]`` or ``column:NAME``.

    Raises:
        InputError: if the text is none of these.
    """
    kind, colon, column = text.partition(":")
    if kind in (PartitionKind.COLUMN.value, PartitionKind.DIRICHLET.value) and column:
        return PartitionSpec(kind=PartitionKind(kind), column=column)
    if not colon and kind in (PartitionKind.IID.value, PartitionKind.DIRICHLET.value):
        return PartitionSpec(kind=PartitionKind(kind))
    if kind == PartitionKind.SIZES.value and (sizes := _parse_sizes(column)):
        return PartitionSpec(kind=PartitionKind.SIZES, sizes=sizes)
    if kind == PartitionKind.LACKING.value and _is_count(column):
        return PartitionSpec(kind=PartitionKind.LACKING, lacking=int(column))
    raise InputError(
        f"partition must be iid, dirichlet, dirichlet:NAME or column:NAME, or sizes such as "
        f"sizes:70,20,10, or lacking:N, got {text!r}; write column:NAME with the column whose "
        "values name the sites, dirichlet:NAME with the one whose shares shall differ between "
        "them, or lacking:2 for sites that each have no row of two values of the label.",
        argument="partition",
    )


def check_lacking(lacking: int, *, num_values: int, num_sites: int) -> None:
    """Raise InputError if every site would lack the same value.

    Args:
        lacking: values that a site lacks; the first site lacks the first ones, and so on in turn.
        num_values: of the label.
        num_sites: number of sites.
    """
    if any(
        all((value - site * lacking) % num_values < lacking for site in range(num_sites))
        for value in range(num_values)
    ):
        raise explain_lacking(lacking, num_values=num_values, num_sites=num_sites)


def explain_lacking(lacking: int, *, num_values: int, num_sites: int) -> InputError:
    """Return why sites cannot lack that many values."""
    return InputError(
        f"partition lacking:{lacking} must leave every value a site, and every site a row, and "
        f"with {num_values} values and {num_sites} sites it does not; let sites lack fewer.",
        argument="partition",
    )


def check_column(column: str, columns: Sequence[str]) -> None:
    """Raise InputError if a table with these columns cannot be dealt by that one."""
    if column not in columns:
        raise InputError(
            f"partition column {column!r} must be a column of the table, which has: "
            f"{', '.join(columns)}; name one of these.",
            argument="partition",
        )


def _parse_sizes(text: str) -> tuple[float, ...]:
    """Read positive numbers with commas between them; nothing if they are something else."""
    try:
        sizes = tuple(float(size) for size in text.split(","))
    except ValueError:
        return ()
    return sizes if all(0 < size < math.inf for size in sizes) else ()


def _is_count(text: str) -> bool:
    return text.isdecimal() and len(text) <= _MOST_DIGITS and int(text) > 0
