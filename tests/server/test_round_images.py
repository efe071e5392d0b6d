"""Which rounds a report on images shows: all of a few, eight of many, and none of a table."""

from __future__ import annotations

import pytest
from image_generators import SCHEMA as IMAGES
from image_generators import make_generator
from tiny_sites import SCHEMA as TABLE

from server.round_images import MOST_SHOWN, RoundImages
from server.study import parse_study
from synthesis.images.pictures import PER_ROUND


def images_of(rounds: int, schema=IMAGES) -> RoundImages:
    study = parse_study({"model": "images", "rounds": rounds, "discriminator_steps": 1})
    return RoundImages(study, schema, make_generator()[0])


@pytest.mark.parametrize("rounds", [1, 4, 8, 9, 100, 10_000])
def test_few_rounds_are_shown_and_the_last_in_any_case(rounds: int) -> None:
    images = images_of(rounds)
    shown = [number for number in range(1, rounds + 1) if images.shows(number)]
    assert len(shown) == min(rounds, MOST_SHOWN)
    assert shown[-1] == rounds


def test_of_a_table_nothing_is_drawn() -> None:
    assert not any(images_of(4, TABLE).shows(number) for number in range(1, 5))


def test_what_is_drawn_is_known_by_its_round_and_comes_from_the_same_latent_numbers() -> None:
    images, generator = images_of(2), make_generator()[0]
    for number in (2, 1):
        images.draw(number, generator)
    assert list(images.drawn) == [2, 1]
    assert images.drawn[1].tobytes() == images.drawn[2].tobytes()
    assert len(images.drawn[1]) <= PER_ROUND * IMAGES.num_classes
