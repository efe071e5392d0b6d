"""Hypothesis strategies for schemas of any kind of column, and codes that fit them."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
from hypothesis import strategies as st

from synthesis.schema import (
    Boolean,
    Categorical,
    Continuous,
    Datetime,
    Integer,
    Ordinal,
    Schema,
)
from synthesis.schema.columns import to_number

WORDS = st.text(
    st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=8
).filter(lambda word: bool(word.strip()))


def _bins(draw, count: int, masses: int, *, always: bool = False) -> int | None:
    free = count - masses
    if not always and count <= 128 and draw(st.booleans()):
        return None
    return draw(st.integers(2, min(free, 40)))


def _same_level(word: str) -> str | float:
    """Levels that write the same number are one level to a schema."""
    number = to_number(word)
    return word if number is None else number


@st.composite
def categorical_columns(draw, name: str, kind: type = Categorical, *, label: bool = False):
    words = draw(st.lists(WORDS, min_size=2, max_size=6, unique_by=_same_level))
    return kind(name=name, categories=tuple(words), missing=not label and draw(st.booleans()))


@st.composite
def boolean_columns(draw, name: str):
    no, yes = draw(st.lists(WORDS, min_size=2, max_size=2, unique_by=_same_level))
    return Boolean(name=name, false=no, true=yes, missing=draw(st.booleans()))


@st.composite
def _number_shape(draw, count: int):
    """Draw positions of point masses, bins and transform for a grid of `count` values from 1."""
    masses = draw(
        st.lists(st.integers(0, count - 1), max_size=min(3, count - 2), unique=True)
        if count > 2
        else st.just([])
    )
    log = draw(st.booleans())
    bins = _bins(draw, count, len(masses), always=log)
    return masses, bins, "log" if log else "none"


@st.composite
def integer_columns(draw, name: str):
    resolution = draw(st.sampled_from([1, 1, 5, 25]))
    count = draw(st.integers(2, 128) | st.integers(129, 100_000))
    masses, bins, transform = draw(_number_shape(count))
    if bins is None and count > 128:
        bins = 16
    minimum = draw(st.integers(1, 50) if transform == "log" else st.integers(-1000, 1000))
    return Integer(
        name=name,
        minimum=minimum,
        maximum=minimum + (count - 1) * resolution,
        resolution=resolution,
        bins=bins,
        transform=transform,
        point_masses=tuple(minimum + mass * resolution for mass in masses),
        missing=draw(st.booleans()),
    )


@st.composite
def continuous_columns(draw, name: str):
    decimals = draw(st.integers(0, 6))
    count = draw(st.integers(2, 10_000))
    masses, bins, transform = draw(_number_shape(count))
    if bins is None and count > 128:
        bins = 16
    scale = 10**decimals
    low = draw(st.integers(1, 500) if transform == "log" else st.integers(-10_000, 10_000))
    return Continuous(
        name=name,
        minimum=low / scale,
        maximum=(low + count - 1) / scale,
        decimals=decimals,
        bins=bins,
        transform=transform,
        point_masses=tuple((low + mass) / scale for mass in masses),
        missing=draw(st.booleans()),
    )


@st.composite
def datetime_columns(draw, name: str):
    resolution = draw(st.sampled_from(["day", "hour", "minute", "second"]))
    count = draw(st.integers(2, 5000))
    minimum = datetime(1960, 1, 1) + timedelta(days=draw(st.integers(0, 30_000)))
    return Datetime(
        name=name,
        minimum=minimum,
        maximum=minimum + (count - 1) * timedelta(**{f"{resolution}s": 1}),
        resolution=resolution,
        bins=_bins(draw, count, 0) if count <= 128 else draw(st.integers(2, 40)),
        missing=draw(st.booleans()),
    )


def any_column(name: str):
    return st.one_of(
        categorical_columns(name),
        categorical_columns(name, Ordinal),
        boolean_columns(name),
        integer_columns(name),
        continuous_columns(name),
        datetime_columns(name),
    )


@st.composite
def schemas(draw, max_columns: int = 4):
    columns = [draw(any_column(f"column {i}")) for i in range(draw(st.integers(1, max_columns)))]
    label = draw(categorical_columns("the label", label=True))
    place = draw(st.integers(0, len(columns)))
    columns.insert(place, label)
    return Schema(name="drawn", columns=tuple(columns), label="the label")


def every_code(schema: Schema, rng: np.random.Generator, rows: int = 300) -> np.ndarray:
    """Codes in which every code of every column occurs, in random combinations."""
    rows = max(rows, *schema.sizes)
    columns = [rng.permutation(np.arange(rows) % size) for size in schema.sizes]
    return np.stack(columns, axis=1).astype(np.int16)
