"""Epsilon as a fold over events.

Three accountants answer, all as upper bounds:

* `pld` (dp-accounting's privacy loss distributions) gives the reported value;
* `rdp` (dp-accounting's Rényi bounds) is looser, quick, and a valid stop rule when later events are
  chosen after seeing earlier results (Feldman and Zrnic 2021);
* `prv` (Opacus' privacy random variables) is a third opinion from another code base.

Opacus' `gdp` is refused: it is an approximation that reports too little.

Both libraries are imported at the first computation that needs them: dp-accounting takes most of a
second to load, Opacus several.
"""

from __future__ import annotations

import logging
import math
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from privacy.budget import Adjacency
from privacy.checks import check_accounting_delta
from privacy.events import Event, GaussianEvent
from privacy.schedules import Schedule, make_schedule, split_by_part

if TYPE_CHECKING:
    from dp_accounting.rdp import RdpAccountant

__all__ = [
    "DISCRETE_NOISE_SLACK",
    "MIN_NOISE_MULTIPLIER",
    "RDP_ORDERS",
    "AccountantName",
    "compute_epsilon",
    "compute_pld_epsilon",
    "compute_rdp",
    "compute_rdp_epsilon",
]

AccountantName: TypeAlias = Literal["pld", "rdp", "prv"]

MIN_NOISE_MULTIPLIER = 0.3
"""Below this PLD takes minutes and the epsilon of even one release is above 19."""

RDP_ORDERS: tuple[float, ...] = (
    *(1 + tenths / 10 for tenths in range(1, 100)),
    *range(11, 64),
    *(128, 256, 512, 1024),
)
"""Those of dp-accounting."""

DISCRETE_NOISE_SLACK = 4e-6
"""Charged with each release of counts: their noise is a discrete Gaussian, and its PLD epsilon may
be larger than the continuous one's by this (`privacy.discrete_gaussian.bound_discretisation`)."""

_INTERVAL = 1e-4
_EPSILON_AT_FINEST_INTERVAL = 2.0
_EVENTS_AT_FINEST_INTERVAL = 100
_ORDERS_OF_ESTIMATE = (1.25, 2, 4, 8, 16, 64)
_NOT_FINITE = "the events are too many or too little noised for a finite epsilon"
_GDP_REFUSED = (
    "accountant 'gdp' is never used: it is an approximation that underestimates epsilon "
    "(0.65 where 2.51 is right); use 'pld'"
)


def compute_epsilon(
    events: Iterable[Event],
    delta: float,
    accountant: AccountantName = "pld",
    *,
    adjacency: Adjacency = Adjacency.ADD_OR_REMOVE_ONE,
) -> float:
    """Return an upper bound on the epsilon that all events together cost one unit.

    Events on different parts of the data set do not add up: the dearer part counts.

    Args:
        events: what was or will be released, in any order; none cost 0.
        delta: failure probability, in (1e-10, 1).
        accountant: `"pld"` (reported), `"rdp"` (stop rule) or `"prv"` (cross-check).
        adjacency: neighbouring relation; only `"pld"` is right for `REPLACE_ONE`.

    Raises:
        ValueError: for an unknown accountant, a delta out of range, noise too small for `"pld"`, or
            an adjacency that the accountant cannot handle.

    >>> compute_epsilon([], 1e-5)
    0.0
    """
    check_accounting_delta(delta)
    _check_accountant(accountant, adjacency)

    def cost(part: list[Event]) -> float:
        schedule = make_schedule(part)
        if accountant == "pld":
            counts = sum(isinstance(event, GaussianEvent) for event in part)
            epsilon = compute_pld_epsilon(schedule, delta, adjacency=adjacency)
            return epsilon + DISCRETE_NOISE_SLACK * counts
        compute = compute_rdp_epsilon if accountant == "rdp" else _prv_epsilon
        return max(0.0, compute(schedule, delta))

    return max(map(cost, split_by_part(events).values()), default=0.0)


@lru_cache(maxsize=1024)
def compute_pld_epsilon(
    schedule: Schedule,
    delta: float,
    *,
    interval: float | None = None,
    adjacency: Adjacency = Adjacency.ADD_OR_REMOVE_ONE,
) -> float:
    """Return epsilon by PLD.

    Args:
        schedule: the result of `make_schedule`.
        delta: failure probability, in (1e-10, 1).
        interval: width of the cells that privacy losses are rounded to. Wider is faster and still
            an upper bound. The default is 1e-4, wider above an epsilon of 2 or beyond
            100 different mechanisms.
        adjacency: neighbouring relation.

    Raises:
        ValueError: if a noise multiplier is below `MIN_NOISE_MULTIPLIER`.
    """
    smallest = min(noise for noise, _, _ in schedule)
    if smallest < MIN_NOISE_MULTIPLIER:
        raise ValueError(
            f"noise_multiplier must be >= {MIN_NOISE_MULTIPLIER} for accountant 'pld', "
            f"got {smallest!r}; add noise, or use 'rdp' if a loose bound is enough"
        )
    from privacy.losses import compose_losses

    with _quiet():
        try:
            width = interval or choose_interval(schedule, delta)
            losses = compose_losses(schedule, width, adjacency)
            return max(0.0, float(losses.get_epsilon_for_delta(delta)))
        except OverflowError:
            raise ValueError(_NOT_FINITE) from None


def choose_interval(schedule: Schedule, delta: float) -> float:
    """Return a cell width that keeps the work small when the loss is large or the ledger long."""
    largest = min(
        sum(steps * compute_rdp(noise, rate, order) for noise, rate, steps in schedule)
        - math.log(delta) / (order - 1)
        for order in _ORDERS_OF_ESTIMATE
    )
    if not math.isfinite(largest):
        raise ValueError(_NOT_FINITE)
    many = len(schedule) / _EVENTS_AT_FINEST_INTERVAL
    return _INTERVAL * max(1.0, largest / _EPSILON_AT_FINEST_INTERVAL, many)


@lru_cache(maxsize=1024)
def compute_rdp_epsilon(
    schedule: Schedule, delta: float, orders: tuple[float, ...] = RDP_ORDERS
) -> float:
    """Return epsilon by the best of the given Rényi orders.

    Args:
        schedule: the result of `make_schedule`; an empty one costs nothing at any order.
        delta: failure probability, in (1e-10, 1).
        orders: Rényi orders, each > 1. A single one, fixed beforehand, makes a privacy filter.
    """
    with _quiet():
        return float(_compose_rdp(schedule, orders).get_epsilon(delta))


@lru_cache(maxsize=100_000)
def compute_rdp(noise_multiplier: float, sample_rate: float, order: float) -> float:
    """Return the Rényi divergence of one release at one order > 1; releases add up.

    Reference: Mironov 2017 (Gaussian); Mironov, Talwar and Zhang 2019 (Poisson-sampled).
    """
    if sample_rate == 1:
        return order / (2 * noise_multiplier**2)
    with _quiet():
        return float(_compose_rdp(((noise_multiplier, sample_rate, 1),), (order,)).rdp[0])


@lru_cache(maxsize=64)
def _prv_epsilon(schedule: Schedule, delta: float) -> float:
    from opacus.accountants import PRVAccountant

    accountant = PRVAccountant()
    accountant.history = list(schedule)
    with _quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return float(accountant.get_epsilon(delta))


def _compose_rdp(schedule: Schedule, orders: tuple[float, ...]) -> RdpAccountant:
    from dp_accounting import GaussianDpEvent, NeighboringRelation, PoissonSampledDpEvent
    from dp_accounting.rdp import RdpAccountant

    accountant = RdpAccountant(orders, NeighboringRelation.ADD_OR_REMOVE_ONE)
    for noise, rate, steps in schedule:
        gaussian = GaussianDpEvent(noise)
        accountant.compose(gaussian if rate == 1 else PoissonSampledDpEvent(rate, gaussian), steps)
    return accountant


def _check_accountant(accountant: str, adjacency: Adjacency) -> None:
    if accountant == "gdp":
        raise ValueError(_GDP_REFUSED)
    if accountant not in ("pld", "rdp", "prv"):
        raise ValueError(f"accountant must be 'pld', 'rdp' or 'prv', got {accountant!r}")
    if accountant != "pld" and adjacency is not Adjacency.ADD_OR_REMOVE_ONE:
        raise ValueError(
            f"adjacency must be 'add_or_remove_one' for accountant {accountant!r}, "
            f"got {adjacency.value!r}: it would report too little; use 'pld'"
        )


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep the accountants' own remarks on numerics away from users' screens and logs.

    What they remark on cannot lower a bound: excluded orders, harmless overflow in tails.
    """
    logger = logging.getLogger("absl")

    def drop(record: logging.LogRecord) -> bool:
        return "dp_accounting" not in record.pathname

    logger.addFilter(drop)
    try:
        with np.errstate(all="ignore"):
            yield
    finally:
        logger.removeFilter(drop)
