"""Ledgers signed with a fixed key, and what somebody with an editor might do to them."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path
from typing import Any

from privacy import GaussianEvent, Ledger, Policy, SigningKey

__all__ = [
    "KEY",
    "OTHER_KEY",
    "SMALL",
    "alter",
    "create_ledger",
    "drop_triggers",
    "make_policy",
    "open_ledger",
]

KEY = SigningKey.from_seed(bytes(range(32)))
OTHER_KEY = SigningKey.from_seed(bytes(range(1, 33)))
SMALL = GaussianEvent(noise_multiplier=100.0, purpose="sketch")


def make_policy(epsilon: float = 1.0, delta: float = 1e-5, **settings: Any) -> Policy:
    return Policy(epsilon=epsilon, delta=delta, **settings)


def create_ledger(path: Path, policy: Policy | None = None) -> Ledger:
    return Ledger.create(
        path, site="north", dataset="visits", policy=policy or make_policy(), key=KEY
    )


def open_ledger(path: Path) -> Ledger:
    return Ledger.open(path, key=KEY)


def alter(path: Path, *statements: str) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


def drop_triggers(path: Path) -> None:
    alter(path, *(f"DROP TRIGGER {name}" for name in ("no_update", "no_delete", "only_append")))
