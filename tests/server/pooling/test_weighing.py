"""Sites alike keep their declared weights, unlike ones lose some; by a rule that discounts them."""

from __future__ import annotations

import pytest
from site_sketches import fold, sketch_of

from server.pooling import SiteWeight, weigh_sites
from server.pooling.weighing import FAR
from strategies import protocol
from strategies.aggregation import PooledSketch
from strategies.rules import RULES, RuleSettings, make_rule, usual_settings
from strategies.validation import Reply

Sketches = dict[int, PooledSketch]


def weigh(
    sketches: Sketches,
    name: str = "similarity",
    *,
    most: int = 1,
    public: dict[int, int] | None = None,
) -> dict[int, SiteWeight]:
    given = dict(usual_settings(name))
    if "bad_sites" in given:
        given["bad_sites"] = 1
    counts = {n: {protocol.UNIT_COUNT: count} for n, count in (public or {}).items()}
    hello = {n: Reply(arrays={}, config=counts.get(n, {})) for n in sketches}
    rule = make_rule(name, RuleSettings(**given))  # type: ignore[arg-type]
    return weigh_sites(hello, fold(sketches, most), rule)


def alike(number: int = 4) -> Sketches:
    return {n: sketch_of(400 * (n + 1), n) for n in range(number)}


def one_unlike() -> Sketches:
    return alike() | {2: sketch_of(1200, 2, mirrored=True)}


@pytest.mark.parametrize("seed", range(20))
def test_sites_alike_within_noise_keep_their_declared_weights(seed: int) -> None:
    sketches = {n: sketch_of(300 * (n + 1), 100 * seed + n) for n in range(4)}
    for weight in weigh(sketches).values():
        assert weight.used == weight.declared
        assert weight.distance is not None and weight.distance < 1.5


def test_a_site_unlike_the_others_counts_less_the_farther_it_is() -> None:
    found = weigh(one_unlike())
    assert found[2].distance is not None and found[2].distance > FAR
    assert found[2].used == pytest.approx(found[2].declared * FAR / found[2].distance)
    parts = {n: each.used / each.declared for n, each in found.items()}
    assert min(parts, key=parts.__getitem__) == 2
    farther = weigh(alike() | {2: sketch_of(4800, 2, mirrored=True)})
    assert farther[2].used / farther[2].declared < parts[2]


def test_a_number_of_rows_that_is_public_is_declared() -> None:
    found = weigh(one_unlike(), public={0: 70, 2: 5000})
    assert (found[0].declared, found[2].declared) == (70, 5000)
    assert found[2].used < 5000


@pytest.mark.parametrize("name", [name for name in RULES if name != "similarity"])
def test_no_other_rule_discounts_anyone(name: str) -> None:
    found = weigh(one_unlike(), name)
    assert all(each.used == each.declared and each.distance is None for each in found.values())


def test_groups_change_no_weight_for_all_sites_improve_the_same_members() -> None:
    assert weigh(one_unlike(), most=4) == weigh(one_unlike())


def test_more_sites_than_can_be_compared_keep_their_declared_weights() -> None:
    found = weigh({n: sketch_of(50, n, mirrored=n == 3) for n in range(17)})
    assert all(each.used == each.declared and each.distance is None for each in found.values())


def test_the_numbers_of_nodes_change_nothing() -> None:
    sketches = one_unlike()
    other = weigh({77 - node: sketch for node, sketch in sketches.items()})
    for node, weight in weigh(sketches).items():
        assert other[77 - node].used == pytest.approx(weight.used)
