"""Canaries of a real study: public rows, secret fair coins, and a digest that binds them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy import SeededRandomness, SystemRandomness
from privacy.canaries import (
    FEWEST,
    MOST,
    Opening,
    check_number,
    count_guesses,
    draw_canaries,
    flip_coins,
)

SIZES = (2, 7, 300)
PINNED = [[1, 4, 283], [0, 3, 153], [1, 5, 267]]
NAMES = {"study": "a" * 64, "schema": "b" * 64, "public_key": "c" * 64}


def flip(number: int = 77, seed: int = 0) -> Opening:
    return flip_coins(number, SeededRandomness(seed).stream("coins"))


@given(number=st.integers(FEWEST, MOST), seed=st.integers(0, 2**31))
def test_an_opening_comes_back_from_its_texts(number: int, seed: int) -> None:
    opening = flip(number, seed)
    found = Opening.from_texts(**opening.to_texts(), number=number)
    assert (found.coins == opening.coins).all()
    assert found.fits(opening.commit())


@given(place=st.integers(0, 76))
def test_any_other_coin_breaks_the_commitment(place: int) -> None:
    opening, changed = flip(), flip().coins.copy()
    changed[place] = not changed[place]
    assert not Opening(salt=opening.salt, coins=changed).fits(opening.commit())


def test_another_salt_or_number_breaks_the_commitment() -> None:
    opening = flip(80)
    assert not Opening(salt=bytes(32), coins=opening.coins).fits(opening.commit())
    fewer = Opening(salt=opening.salt, coins=np.zeros(79, dtype=bool))
    none = Opening(salt=opening.salt, coins=np.zeros(80, dtype=bool))
    assert fewer.packed == none.packed
    assert not fewer.fits(none.commit())


def test_a_commitment_hides_the_coins_even_from_who_tries_them_all() -> None:
    """The same coins twice: without the salt the digests would be the same."""
    coins = np.ones(FEWEST, dtype=bool)
    salts = [flip_coins(FEWEST, SystemRandomness().stream("x")).salt for _ in range(2)]
    assert len({Opening(salt=salt, coins=coins).commit() for salt in salts}) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"coins": "00" * 11},
        {"coins": "00" * 9},
        {"coins": "00" * 9 + "07"},  # a bit beyond the last coin
        {"coins": "0g" * 10},
        {"salt": "00" * 31},
        {"salt": "zz" * 32},
    ],
)
def test_texts_that_are_no_opening_are_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        Opening.from_texts(**flip().to_texts() | change, number=77)


def test_coins_are_fair_and_independent() -> None:
    coins = flip_coins(MOST, SystemRandomness().stream("coins")).coins
    assert abs(coins.mean() - 0.5) < 6 * 0.5 / MOST**0.5
    assert abs(np.corrcoef(coins[1:], coins[:-1])[0, 1]) < 6 / MOST**0.5


def test_an_opening_shows_nothing_of_itself() -> None:
    assert repr(flip()) == "Opening()"


def test_rows_are_the_same_for_everybody_forever() -> None:
    """A site and a coordinator of other versions must make the same ones."""
    assert draw_canaries(SIZES, 3, **NAMES).tolist() == PINNED


@pytest.mark.parametrize("name", NAMES)
def test_another_study_schema_or_key_has_other_rows(name: str) -> None:
    changed: dict[str, Any] = NAMES | {name: "d" * 64}
    assert (draw_canaries(SIZES, 50, **NAMES) != draw_canaries(SIZES, 50, **changed)).any()


def test_every_code_of_every_column_is_equally_likely() -> None:
    rows = draw_canaries(SIZES, 60_000, **NAMES)
    for column, size in zip(rows.T, SIZES, strict=True):
        counts = np.bincount(column, minlength=size)
        assert len(counts) == size
        assert np.abs(counts - 60_000 / size).max() < 6 * (60_000 / size) ** 0.5


def test_numbers_of_canaries_are_bounded() -> None:
    for number in (0, FEWEST, 200, MOST):
        assert check_number(number) == number
        assert count_guesses(number) % 2 == 0
    for number in (-1, 1, FEWEST - 1, MOST + 1):
        with pytest.raises(ValueError, match=f"0 or between 50 and 2,000, got {number}"):
            check_number(number)
    assert count_guesses(FEWEST) == 12
