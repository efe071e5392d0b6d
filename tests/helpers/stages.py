"""Which values of a test the default suite tries, and which wait for the slow stage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest


def but_for(every: Iterable[Any], *quick: Any) -> list[Any]:
    """All of them, values or tuples of values; those that are not named are slow."""
    return [
        each
        if each in quick
        else pytest.param(*(each if isinstance(each, tuple) else (each,)), marks=pytest.mark.slow)
        for each in every
    ]
