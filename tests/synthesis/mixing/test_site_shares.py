"""Shares of sites: the rows have them, under conditions and margins too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_world import SCHEMA, make_generator

from synthesis.architecture import SiteGroup
from synthesis.errors import InputError
from synthesis.generator import Generator
from synthesis.mixing import Mixing
from synthesis.mixing.figures import measure
from synthesis.mixing.mixed_sample import Mixed

GROUPS = (
    SiteGroup(share=0.5, sites=("north",)),
    SiteGroup(share=0.3, sites=("south", "east")),
    SiteGroup(share=0.2, sites=("west",)),
)
COLOURS = ("red", "green", "blue")  # what tells the groups apart: each has a colour of its own


def make_telling() -> Generator:
    generator = make_generator(num_members=3, groups=GROUPS)
    sizes = generator.settings.base_sizes
    start = sizes[0]
    with torch.no_grad():
        bases = generator.base.view(len(GROUPS), -1)
        bases[:, start : start + sizes[1]] = -80.0
        for number in range(len(GROUPS)):
            bases[number, start + number] = 80.0
    return generator


def draw(rows: int = 4000, **wishes: Any) -> pd.DataFrame:
    where = wishes.pop("where", ())
    mixed = Mixed.of(make_telling(), SCHEMA, rows, mixing=Mixing(**wishes), where=where)
    return mixed.sample.frame(0)


def shares_of(table: pd.DataFrame) -> list[float]:
    return [float((table["colour"] == colour).mean()) for colour in COLOURS]


def random_targets() -> list[dict[str, float]]:
    rng = np.random.default_rng(7)
    return [
        dict(zip(("north", "south", "west"), rng.dirichlet([1, 1, 1]).tolist(), strict=True))
        for _ in range(20)
    ]


@pytest.mark.parametrize("target", random_targets())
@pytest.mark.parametrize("where", [(), ("age<12", "smokes=yes")])
def test_rows_have_the_shares_that_were_asked_for(
    target: dict[str, float], where: tuple[str, ...]
) -> None:
    found = shares_of(draw(mix=target, where=where))
    for share, asked in zip(found, target.values(), strict=True):
        assert abs(share - asked) < 4 * (asked * (1 - asked) / 4000) ** 0.5 + 1e-3


def test_shares_hold_beside_margins() -> None:
    table = draw(
        mix="north=0.2,west=0.8",
        match={"margins": [{"column": "outcome", "shares": {"ill": 0.9, "well": 0.1}}]},
    )
    assert shares_of(table) == pytest.approx([0.2, 0.0, 0.8], abs=0.005)
    assert (table["outcome"] == "ill").mean() == pytest.approx(0.9, abs=0.005)


def test_margins_alone_may_move_the_shares() -> None:
    table = draw(match={"margins": [{"column": "colour", "shares": {"red": 0.9, "green": 0.1}}]})
    assert shares_of(table) == pytest.approx([0.9, 0.1, 0.0], abs=0.005)


def test_sites_that_are_described_together_share() -> None:
    one, other = (draw(mix=mix) for mix in ("south=1", "south=0.4,east=0.6"))
    pd.testing.assert_frame_equal(one, other)


def test_figures_say_what_each_group_has() -> None:
    mixed = Mixed.of(make_telling(), SCHEMA, 500, mixing=Mixing(mix="north=0.3,east=0.7"))
    part = mixed.parts[""]
    found = measure(part)["sites"]
    assert [group["sites"] for group in found] == [["north"], ["south", "east"], ["west"]]
    assert [group["asked"] for group in found] == pytest.approx([0.3, 0.7, 0.0])
    assert [group["share"] for group in found] == pytest.approx([0.3, 0.7, 0.0], abs=1e-4)
    assert part.asked["mix"] == {"north": 0.3, "east": 0.7}


def refuse(said: str, generator: Generator | None = None, **wishes: Any) -> None:
    where = wishes.pop("where", ())
    generator = generator or make_telling()
    with pytest.raises(InputError) as caught:
        Mixed.of(generator, SCHEMA, 10, mixing=Mixing(**wishes), where=where)
    assert said in str(caught.value)


def test_what_cannot_be_had_is_one_sentence() -> None:
    refuse("knows no site 'nowhere'; it has north, south, east, west", mix="nowhere=1")
    refuse(
        "no row of west has what else is asked for", mix="west=0.5,north=0.5", where=("colour=red",)
    )
    refuse("no row of north has", mix="north=0.5,south=0.5", where=("colour=green",))
    contradicting = {"margins": [{"column": "colour", "shares": {"red": 0.9, "blue": 0.1}}]}
    refuse("the shares of sites contradict", mix="north=0.5,west=0.5", match=contradicting)


def test_releases_that_tell_no_sites_apart() -> None:
    together = [SiteGroup(share=1.0, sites=("north", "south"))]
    refuse("one generator describes all sites", make_generator(groups=together), mix="north=1")
    refuse("does not say which sites", make_generator(), mix="north=1")


def distances_of(wishes: dict[str, Any], where: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    mixed = Mixed.of(make_telling(), SCHEMA, 8000, mixing=Mixing(**wishes), where=where)
    found: list[dict[str, Any]] = measure(mixed.parts[""])["two_way_distance_to_sites"]
    return found


def test_figures_say_how_far_rows_are_from_each_group_before_and_after() -> None:
    """Colour has the group's share in its own rows: it is what two-way distances are made of."""
    found = distances_of({"mix": {"north": 0.9, "west": 0.1}})
    assert [each["sites"] for each in found] == [["north"], ["south", "east"], ["west"]]
    north, south, west = found
    for each in found:
        assert 0 < each["distance_by_chance"] < 0.02
    assert north["distance"] < 0.5 * north["distance_before"]
    assert south["distance"] > south["distance_before"] > 10 * south["distance_by_chance"]
    assert west["distance"] > west["distance_before"]


def test_rows_of_one_group_are_no_farther_from_it_than_chance_has_them() -> None:
    """They are stratified, so they stray less than independent rows do."""
    north, south, _ = distances_of({"mix": {"north": 1.0}})
    assert 0 < north["distance"] < north["distance_by_chance"]
    # All pairs with colour are as far apart as can be; the others are nearly the same.
    pairs = len(SCHEMA.columns) * (len(SCHEMA.columns) - 1) / 2
    assert south["distance"] >= (len(SCHEMA.columns) - 1) / pairs


def test_a_group_that_never_meets_a_condition_has_no_distance() -> None:
    found = distances_of({"mix": {"north": 1.0}}, where=("colour=red",))
    assert [each["sites"] for each in found] == [["north"]]


def test_a_generator_that_tells_no_sites_apart_has_no_such_distance() -> None:
    generator = make_generator(num_members=3, groups=(SiteGroup(share=1.0, sites=("a", "b")),))
    mixed = Mixed.of(generator, SCHEMA, 500, mixing=Mixing(balance="outcome"))
    assert measure(mixed.parts[""])["two_way_distance_to_sites"] == []
