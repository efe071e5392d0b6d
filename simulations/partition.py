"""Split one table into the tables of several sites."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from simulations.partition_spec import (
    PartitionKind,
    PartitionSpec,
    check_column,
    check_lacking,
    explain_lacking,
)
from synthesis.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

_MAX_DRAWS = 100


@dataclass(frozen=True, kw_only=True, eq=False)
class Partition:
    """Which rows belong to which site: ``rows[i]`` are the sorted row positions of ``names[i]``."""

    names: tuple[str, ...]
    rows: tuple[npt.NDArray[np.int64], ...]


def partition_table(
    spec: PartitionSpec,
    table: pd.DataFrame,
    *,
    num_sites: int,
    alpha: float,
    label: str,
    rng: np.random.Generator,
) -> Partition:
    """Split ``table`` as ``spec`` says.

    Args:
        spec: the parsed partition.
        table: all rows of the simulation.
        num_sites: sites to make; a partition by column or by sizes has a number of its own.
        alpha: Dirichlet concentration, > 0; small values mean more skew.
        label: column whose shares differ between sites under ``dirichlet`` without a name, and
            of whose values each site lacks some under ``lacking``.
        rng: source of the split.

    Raises:
        InputError: if the column is not in the table, or the sites cannot be made.
    """
    if spec.kind is PartitionKind.IID:
        return partition_iid(len(table), num_sites, rng)
    if spec.kind is PartitionKind.SIZES:
        return partition_by_sizes(len(table), spec.sizes, rng)
    if spec.kind is PartitionKind.LACKING:
        return partition_lacking(_column_of(table, label), num_sites, spec.lacking, rng)
    if spec.kind is PartitionKind.DIRICHLET:
        values = _column_of(table, spec.column or label)
        if spec.column is not None:
            _check_shared(values, num_sites)
        return partition_dirichlet(values, num_sites, alpha, rng)
    return partition_by_column(_column_of(table, spec.column or ""))


def partition_iid(num_rows: int, num_sites: int, rng: np.random.Generator) -> Partition:
    """Deal shuffled rows to sites whose sizes differ by at most one.

    Raises:
        InputError: if there are fewer than two sites or more sites than rows.
    """
    _check_num_sites(num_sites, num_rows)
    order = rng.permutation(num_rows)
    return _numbered([np.sort(part) for part in np.array_split(order, num_sites)])


def partition_by_sizes(
    num_rows: int, sizes: Sequence[float], rng: np.random.Generator
) -> Partition:
    """Deal shuffled rows to sites of unequal sizes.

    Args:
        num_rows: rows to deal.
        sizes: of the sites, in proportion, each > 0.
        rng: source of the split.

    Raises:
        InputError: if there are fewer than two sites, or one would have no row.
    """
    _check_num_sites(len(sizes), num_rows)
    ends = np.round(np.cumsum(sizes) / np.sum(sizes) * num_rows).astype(np.int64)
    parts = np.split(rng.permutation(num_rows), ends[:-1])
    if min(len(part) for part in parts) == 0:
        raise InputError(
            f"partition sizes must leave every site a row, and {num_rows:,} rows are too few for "
            "the smallest; give it a larger size.",
            argument="partition",
        )
    return _numbered([np.sort(part) for part in parts])


def partition_dirichlet(
    values: Sequence[object] | pd.Series,
    num_sites: int,
    alpha: float,
    rng: np.random.Generator,
) -> Partition:
    """Give every site its own mix of values (label skew, or that of another column).

    For each value a Dirichlet draw says which share of its rows goes to which site. Draws that
    leave a site empty are drawn again.

    Args:
        values: the value of each row; missing counts as a value of its own.
        num_sites: number of sites, at least 2 and at most one for each row.
        alpha: concentration, > 0; small values mean more skew.
        rng: source of the split.

    Raises:
        InputError: if an argument is out of range, or no draw fills every site.

    Reference: Hsu, Qi and Brown 2019.
    """
    codes, levels = _factorize(_to_series(values))
    _check_num_sites(num_sites, len(codes))
    if not (np.isfinite(alpha) and alpha > 0):
        raise InputError(
            f"alpha must be a finite number > 0, got {alpha}; 0.5 is a common choice.",
            argument="alpha",
        )
    for _ in range(_MAX_DRAWS):
        site_of_row = _draw_sites(codes, len(levels), num_sites, alpha, rng)
        if np.bincount(site_of_row, minlength=num_sites).all():
            return _numbered([np.flatnonzero(site_of_row == site) for site in range(num_sites)])
    raise InputError(
        f"alpha={alpha} left a site without rows in {_MAX_DRAWS} draws of {num_sites} sites; "
        "raise alpha or ask for fewer sites.",
        argument="alpha",
    )


def partition_lacking(
    values: Sequence[object] | pd.Series, num_sites: int, lacking: int, rng: np.random.Generator
) -> Partition:
    """Let every site lack some values, in turn, and deal the rows of each to the other sites.

    Args:
        values: the value of each row; missing counts as a value of its own.
        num_sites: number of sites, at least 2 and at most one for each row.
        lacking: values that a site lacks, >= 1; the first site lacks the first ones, and so on.
        rng: source of the split.

    Raises:
        InputError: if a value would be at no site, or a site would have no row.
    """
    codes, levels = _factorize(_to_series(values))
    _check_num_sites(num_sites, len(codes))
    check_lacking(lacking, num_values=len(levels), num_sites=num_sites)
    lacked = (np.arange(num_sites * lacking) % len(levels)).reshape(num_sites, lacking)
    site_of_row = np.empty(len(codes), dtype=np.int64)
    for level in range(len(levels)):
        having = np.flatnonzero((lacked != level).all(axis=1))
        members = rng.permutation(np.flatnonzero(codes == level))
        site_of_row[members] = having[np.arange(len(members)) % len(having)]
    parts = [np.flatnonzero(site_of_row == site) for site in range(num_sites)]
    if not all(map(len, parts)):
        raise explain_lacking(lacking, num_values=len(levels), num_sites=num_sites)
    return _numbered(parts)


def partition_by_column(values: Sequence[object] | pd.Series) -> Partition:
    """Make one site for each distinct value, named by it and in sorted order.

    Raises:
        InputError: if a row has no value, all rows share one, or every row has its own.
    """
    series = _to_series(values)
    name = "partition" if series.name is None else f"partition column {series.name!r}"
    if series.isna().any():
        raise InputError(
            f"{name} must name a site in every row, but some rows are empty; "
            "fill them in or remove those rows.",
            argument="partition",
        )
    codes, levels = _factorize(series)
    if len(levels) < 2:
        raise InputError(
            f"{name} must name at least 2 sites, got {len(levels)}; "
            "choose another column, or use iid with a number of sites.",
            argument="partition",
        )
    if len(levels) == len(codes):
        raise InputError(
            f"{name} must have values that rows share, but every row has its own; "
            "choose a column that names sites, not records.",
            argument="partition",
        )
    rows = tuple(np.flatnonzero(codes == site) for site in range(len(levels)))
    return Partition(names=tuple(str(level) for level in levels), rows=rows)


def _draw_sites(
    codes: npt.NDArray[np.int64],
    num_levels: int,
    num_sites: int,
    alpha: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.int64]:
    site_of_row = np.empty(len(codes), dtype=np.int64)
    for level in range(num_levels):
        members = rng.permutation(np.flatnonzero(codes == level))
        shares = rng.dirichlet(np.full(num_sites, alpha))
        cuts = np.rint(np.cumsum(shares)[:-1] * len(members)).astype(np.int64)
        for site, part in enumerate(np.split(members, cuts)):
            site_of_row[part] = site
    return site_of_row


def _to_series(values: Sequence[object] | pd.Series) -> pd.Series:
    import pandas as pd  # reading what a study asks for does not wait for it

    return pd.Series(values)


def _factorize(series: pd.Series) -> tuple[npt.NDArray[np.int64], list[object]]:
    """Return a code for each row and the distinct values in an order rows have no say in."""
    import pandas as pd

    raw, uniques = pd.factorize(series, use_na_sentinel=False)
    levels = list(uniques)
    numeric = pd.api.types.is_numeric_dtype(series) and not series.isna().any()
    order = sorted(range(len(levels)), key=lambda i: levels[i] if numeric else str(levels[i]))
    rank = np.empty(len(levels), dtype=np.int64)
    rank[order] = np.arange(len(levels))
    return rank[raw], [levels[i] for i in order]


def _numbered(parts: list[npt.NDArray[np.int64]]) -> Partition:
    width = len(str(len(parts)))
    names = tuple(f"site-{number:0{width}d}" for number in range(1, len(parts) + 1))
    return Partition(names=names, rows=tuple(parts))


def _column_of(table: pd.DataFrame, column: str) -> pd.Series:
    check_column(column, [str(name) for name in table.columns])
    return table[column]


def _check_shared(values: pd.Series, num_sites: int) -> None:
    """Raise InputError if most values have too few rows to be dealt in shares."""
    distinct = values.nunique(dropna=False)
    if distinct * num_sites > len(values):
        raise InputError(
            f"partition column {values.name!r} must have values that each have a row for every "
            f"site on average, got {distinct} values in {len(values)} rows for {num_sites} sites; "
            "choose a column with fewer values, such as one of categories.",
            argument="partition",
        )


def _check_num_sites(num_sites: int, num_rows: int) -> None:
    if num_sites < 2:
        raise InputError(
            f"sites must be at least 2, got {num_sites}; a federation needs two or more sites.",
            argument="sites",
        )
    if num_sites > num_rows:
        raise InputError(
            f"sites must be at most the number of rows, got {num_sites} sites for {num_rows} rows; "
            "ask for fewer sites or bring more rows.",
            argument="sites",
        )
