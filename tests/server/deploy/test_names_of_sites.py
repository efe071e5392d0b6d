"""A sentence for people calls a site by its name, not by a number of Flower's."""

from __future__ import annotations

import doctest

from server.deploy import studying
from server.deploy.studying import name_sites

NORTH, SOUTH = 9650460792233812667, 12603083559184560343


def test_sites_are_named_and_what_is_unknown_stays() -> None:
    said = f"1 sites gave a sketch, 2 are needed (site {NORTH}: no-reply; site 7 with key ab-12)."
    named = name_sites(said, {NORTH: "North Hospital", SOUTH: "South"})
    assert "(site North Hospital: no-reply; site 7 with key ab-12)" in named
    assert named.startswith("1 sites gave a sketch, 2 are needed")


def test_the_example_holds() -> None:
    assert doctest.testmod(studying).failed == 0
