"""Rows between generated rows: on the way, of one class, within the schema, never of tables."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pytest
import torch
from tiny_world import SCHEMA, make_generator

from synthesis.conditions import Restriction, parse_condition, restrict
from synthesis.encoding import Placed, to_frame
from synthesis.mixing import interpolation
from synthesis.mixing.composing import Composition
from synthesis.mixing.interpolation import RowsBetween
from synthesis.mixing.latent import interpolate_latent
from synthesis.schema import Categorical, Continuous, Datetime, Integer, Schema, check_table

KINDS = Schema(
    name="kinds",
    columns=(
        Integer(name="age", minimum=0, maximum=99, bins=12, missing=True),
        Integer(name="gain", minimum=0, maximum=999, bins=9, transform="log", point_masses=(0, 40)),
        Continuous(name="price", minimum=-1, maximum=2.5, decimals=2, bins=4),
        Datetime(name="day", minimum="2020-02-27", maximum="2020-03-20", missing=True),
        Integer(name="even", minimum=0, maximum=40, resolution=2),
        Categorical(name="colour", categories=("red", "green", "blue"), missing=True),
        Categorical(name="outcome", categories=("well", "ill", "dead")),
    ),
    label="outcome",
)


class Fixed:
    """Draws the rows it was given, in turn."""

    def __init__(self, *tables: list[Placed]) -> None:
        self.tables = list(tables)

    def draw(self, num_rows: int, rng: np.random.Generator) -> list[Placed]:
        return self.tables.pop(0)


def rows_of(schema: Schema = KINDS, where: tuple[str, ...] = ()) -> interpolation.Rows:
    return Composition.of(make_generator(schema, num_members=2), schema, where=where).rows


def between(
    rows: interpolation.Rows,
    method: str = "mixup",
    strength: float = 1.0,
    schema: Schema = KINDS,
    left: Mapping[int, Restriction] | None = None,
) -> RowsBetween:
    return RowsBetween(schema=schema, rows=rows, left=left or {}, method=method, strength=strength)


def as_places(*columns: list[int]) -> list[Placed]:
    """Cells by their places; -1 is missing."""
    return [
        Placed(places=np.maximum(places, 0).astype(np.int64), missing=np.array(places) < 0)
        for places in map(np.array, columns)
    ]


@pytest.mark.parametrize("method", ["mixup", "smote"])
@pytest.mark.parametrize("strength", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("rows", [0, 1, 3000])
def test_rows_obey_the_schema(method: str, strength: float, rows: int) -> None:
    drawn = between(rows_of(), method, strength).draw(rows, np.random.default_rng(0))
    table = to_frame(KINDS, drawn)
    assert len(table) == rows
    if rows > 1:
        assert check_table(KINDS, table) == []
        assert (
            table["outcome"].value_counts(normalize=True).round(2).to_dict()
            == to_frame(KINDS, rows_of().draw(rows, np.random.default_rng(0)))["outcome"]
            .value_counts(normalize=True)
            .round(2)
            .to_dict()
        )


@pytest.mark.parametrize("method", ["mixup", "smote"])
def test_numbers_lie_between_the_two_rows_and_the_rest_is_of_one(method: str) -> None:
    rows = rows_of()
    first = rows.draw(2000, np.random.default_rng(0))
    second = rows.draw(4096, np.random.default_rng(1))
    mixed = between(Fixed(first, second), method)
    found = mixed._find_partners(first, second, np.random.default_rng(2))
    drawn = between(Fixed(first, second), method).draw(2000, np.random.default_rng(2))
    label = KINDS.label_index
    assert (second[label].places[found] == first[label].places).all()
    taken = None
    for index, column in enumerate(KINDS.columns):
        a, b = (
            first[index],
            Placed(places=second[index].places[found], missing=second[index].missing[found]),
        )
        masses = [] if isinstance(column, Categorical) else list(column.grid.masses)
        is_number = ~(a.missing | b.missing) & (not isinstance(column, Categorical))
        is_number &= ~np.isin(a.places, masses) & ~np.isin(b.places, masses)
        low, high = np.minimum(a.places, b.places), np.maximum(a.places, b.places)
        inside = (low <= drawn[index].places) & (drawn[index].places <= high)
        assert inside[is_number].all()
        assert not np.isin(drawn[index].places, masses)[is_number].any()
        one = (drawn[index].places == a.places) & (drawn[index].missing == a.missing)
        two = (drawn[index].places == b.places) & (drawn[index].missing == b.missing)
        assert (one | two)[~is_number].all()
        if column.name == "colour":
            taken = two & ~one
    assert taken is not None and (method == "smote" or 0.2 < taken.mean() < 0.6)


def test_all_words_of_a_row_come_from_one_row() -> None:
    schema = Schema(
        name="words",
        columns=(
            Categorical(name="a", categories=("0", "1")),
            Categorical(name="b", categories=("0", "1")),
            Categorical(name="outcome", categories=("well", "ill")),
        ),
        label="outcome",
    )
    zeros, ones = as_places([0] * 400, [0] * 400, [1] * 400), as_places([1] * 9, [1] * 9, [1] * 9)
    drawn = between(Fixed(zeros, ones), schema=schema).draw(400, np.random.default_rng(0))
    assert (drawn[0].places == drawn[1].places).all()
    assert 0.4 < drawn[0].places.mean() < 0.6


def test_a_strength_is_the_longest_way() -> None:
    schema = Schema(
        name="line",
        columns=(
            Integer(name="a", minimum=0, maximum=1000, bins=4),
            Categorical(name="outcome", categories=("well", "ill")),
        ),
        label="outcome",
    )
    tables = as_places([0] * 500, [0] * 500), as_places([1000] * 9, [0] * 9)
    for strength in (0.2, 1.0):
        mixed = between(Fixed(*tables), strength=strength, schema=schema)
        places = mixed.draw(500, np.random.default_rng(0))[0].places
        assert places.max() == pytest.approx(1000 * strength, rel=0.02)
        assert places.mean() == pytest.approx(500 * strength, rel=0.1)


def test_a_class_without_a_partner_keeps_its_rows() -> None:
    schema = SCHEMA
    first = as_places([3, 20], [0, 1], [0, 1], [0, 1])
    second = as_places([9], [2], [0], [1])
    for method in ("mixup", "smote"):
        drawn = between(Fixed(first, second), method, schema=schema).draw(
            2, np.random.default_rng(0)
        )
        assert [each.places[1] for each in drawn] == [20, 1, 1, 1]


def test_smote_takes_near_rows_and_mixup_any() -> None:
    first, second = (rows_of().draw(n, np.random.default_rng(n)) for n in (600, 4096))
    far = {}
    for method in ("mixup", "smote"):
        mixed = between(Fixed(), method)
        found = mixed._find_partners(first, second, np.random.default_rng(0))
        pairs = [mixed._measure(first, np.array([i]), second, found[[i]])[0, 0] for i in range(600)]
        far[method] = np.mean(pairs)
    assert far["smote"] < 0.6 * far["mixup"]


def test_nearest_rows_are_those_of_a_search_by_hand() -> None:
    first, second = (rows_of().draw(n, np.random.default_rng(n)) for n in (40, 300))
    mixed = between(Fixed(), "smote")
    away = mixed._measure(first, np.arange(40), second, np.arange(300))
    frames = [to_frame(KINDS, each) for each in (first, second)]
    for i, j in [(0, 0), (3, 250), (39, 7)]:
        words = sum(
            str(frames[0][name][i]) != str(frames[1][name][j]) for name in ("colour", "outcome")
        )
        assert away[i, j] >= words - 1e-9
        assert away[i, j] <= words + 5
    chosen = interpolation._choose_near(away, np.random.default_rng(0))
    ranks = (away < away[np.arange(40), chosen][:, None]).sum(axis=1)
    assert (ranks < interpolation.NEIGHBOURS).all()


def test_conditions_hold_between_rows_too() -> None:
    where = ("age>=20", "age!=50", "age<80", "colour!=red")
    rows = rows_of(where=where)
    left = restrict(KINDS, [parse_condition(text) for text in where])
    drawn = between(rows, left=left).draw(20_000, np.random.default_rng(0))
    table = to_frame(KINDS, drawn)
    assert table["age"].between(20, 79).all()
    assert not (table["age"] == 50).any()
    assert not (table["colour"] == "red").any()


def test_latent_codes_move_and_the_generator_does_not() -> None:
    generator = make_generator(KINDS, num_members=2)
    before = generator.anchors.detach().clone()
    moved = interpolate_latent(generator, strength=0.5, seed=1)
    assert torch.equal(generator.anchors, before)
    assert torch.equal(moved.anchors, interpolate_latent(generator, strength=0.5, seed=1).anchors)
    assert not torch.equal(moved.anchors, before)
    ways = [
        (each.anchors - before).norm().item()
        for strength in (0.01, 0.2, 1.0)
        for each in [interpolate_latent(generator, strength=strength, seed=1)]
    ]
    assert all(short < long for short, long in pairwise(ways))
    low, high = before.amin(dim=1), before.amax(dim=1)
    assert (moved.anchors >= low[:, None] - 1e-6).all()
    assert (moved.anchors <= high[:, None] + 1e-6).all()
    table = to_frame(KINDS, Composition.of(moved, KINDS).rows.draw(2000, np.random.default_rng(0)))
    assert check_table(KINDS, table) == []


def test_nothing_here_takes_a_table() -> None:
    takes = [*inspect.signature(RowsBetween).parameters.values()]
    takes += inspect.signature(interpolate_latent).parameters.values()
    assert not any("DataFrame" in str(each.annotation) for each in takes)
    assert "pandas" not in inspect.getsource(interpolation)
