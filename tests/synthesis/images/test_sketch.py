"""The sketch of images: exact sums, and no image moves them by more than is charged for."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.mechanisms import GRID
from synthesis.images.schema import ImageSchema
from synthesis.images.sketch import (
    CONSTANT,
    DETAIL,
    DIAGONAL,
    OFF_DIAGONAL,
    ImageLayout,
    compute_details,
    compute_features,
    compute_image_sketch,
)
from synthesis.units import Codes

SHAPES = [(1, 8, 8), (1, 28, 28), (1, 5, 4), (3, 8, 8), (1, 64, 64), (3, 5, 7)]
SCHEMAS = [
    ImageSchema(name="any", channels=channels, height=height, width=width, classes=("a", "b", "c"))
    for channels, height, width in SHAPES
]
LOOKS = ["random", "coins", "black", "white", "hot", "checks"]

schemas = st.sampled_from(SCHEMAS)
seeds = st.integers(0, 2**32 - 1)


def draw_images(schema: ImageSchema, looks: list[str], seed: int) -> Codes:
    """Return one image for each look, of any class."""
    rng = np.random.default_rng(seed)
    codes = np.zeros((len(looks), schema.num_pixels + 1), dtype=np.int16)
    for code, look in zip(codes, looks, strict=True):
        pixels = code[:-1].reshape(schema.shape)
        if look == "random":
            pixels[:] = rng.integers(0, 256, schema.shape)
        elif look == "coins":
            pixels[:] = 255 * rng.integers(0, 2, schema.shape)
        elif look == "white":
            pixels[:] = 255
        elif look == "hot":
            pixels.flat[rng.integers(schema.num_pixels)] = 255
        elif look == "checks":
            pixels[:] = 255 * (np.indices(schema.shape).sum(0) % 2)
        code[-1] = rng.integers(schema.num_classes)
    return codes


def sketch_of(schema: ImageSchema, codes: Codes) -> np.ndarray:
    return compute_image_sketch(ImageLayout.from_schema(schema), codes, schema.num_pixels)


def move_of(schema: ImageSchema, codes: Codes, place: int) -> float:
    """How far the image at a place moves the sketch, as a part of what is charged."""
    less = np.delete(codes, place, axis=0)
    moved = np.linalg.norm(sketch_of(schema, codes) - sketch_of(schema, less))
    return float(moved / ImageLayout.from_schema(schema).sensitivity)


@settings(deadline=None)  # other tests run beside it
@given(schemas, st.lists(st.sampled_from(LOOKS), min_size=1, max_size=9), seeds, st.data())
def test_one_image_moves_the_sketch_by_at_most_its_sensitivity(schema, looks, seed, data) -> None:
    place = data.draw(st.integers(0, len(looks) - 1))
    assert move_of(schema, draw_images(schema, looks, seed), place) <= 1.0


@pytest.mark.parametrize("schema", SCHEMAS, ids=map(str, SHAPES))
def test_a_white_image_comes_close_to_the_sensitivity(schema: ImageSchema) -> None:
    codes = draw_images(schema, ["white", "random", "hot"], 0)
    assert 0.99 < move_of(schema, codes, 0) <= 1.0


@pytest.mark.parametrize("schema", SCHEMAS, ids=map(str, SHAPES))
def test_an_image_is_described_to_the_bit_alike_whatever_is_beside_it(schema: ImageSchema) -> None:
    """Were sums rounded by the number of images, one more could move the rows of all others."""
    layout = ImageLayout.from_schema(schema)
    number = 2000 if schema.num_pixels < 100 else 120
    pixels = draw_images(schema, ["random"] * number, 1)[:, :-1]
    for describe in (compute_features, compute_details):
        together = describe(layout, pixels)
        alone = np.concatenate([describe(layout, each[None]) for each in pixels])
        np.testing.assert_array_equal(alone, together)
        for start, stop in pairwise((0, 2, 5, 12, 29, 62, number)):
            part = describe(layout, np.ascontiguousarray(pixels[start:stop]))
            np.testing.assert_array_equal(part, together[start:stop])


@settings(deadline=None)  # other tests run beside it
@given(schemas, st.lists(st.sampled_from(LOOKS), min_size=1, max_size=6), seeds)
def test_no_norm_is_above_the_one_that_the_sensitivity_is_of(schema, looks, seed) -> None:
    layout, pixels = ImageLayout.from_schema(schema), draw_images(schema, looks, seed)[:, :-1]
    phi, details = compute_features(layout, pixels), compute_details(layout, pixels)
    # Of multiples of 2^-12: exact.
    assert max(math.fsum(row**2) for row in phi) <= CONSTANT**2 + 1
    assert max(math.fsum(row**2) for row in details) <= 1
    assert OFF_DIAGONAL**2 <= 2 * DIAGONAL**2
    assert layout.sensitivity**2 >= (DIAGONAL * (CONSTANT**2 + 1)) ** 2 + DETAIL**2
    assert (phi[:, 0] == CONSTANT).all()


@pytest.mark.parametrize("schema", SCHEMAS[:4], ids=map(str, SHAPES[:4]))
@pytest.mark.parametrize("number", [0, 1, 1000])
def test_all_numbers_lie_on_the_grid_of_the_noise(schema: ImageSchema, number: int) -> None:
    flat = sketch_of(
        schema, draw_images(schema, ["random", "coins"] * (number // 2 + 1), 2)[:number]
    )
    steps = flat * GRID
    np.testing.assert_array_equal(steps, np.rint(steps))
    assert flat.shape == (ImageLayout.from_schema(schema).dimension,)


@settings(deadline=None)  # other tests run beside it
@given(schemas, st.lists(st.sampled_from(LOOKS), max_size=8), st.integers(0, 8), seeds)
def test_order_changes_nothing_and_parts_add_up(schema, looks, cut, seed) -> None:
    codes = draw_images(schema, looks, seed)
    whole = sketch_of(schema, codes)
    mixed = codes[np.random.default_rng(seed).permutation(len(codes))]
    np.testing.assert_array_equal(sketch_of(schema, mixed), whole)
    parts = sketch_of(schema, codes[:cut]) + sketch_of(schema, codes[cut:])
    np.testing.assert_array_equal(parts, whole)


def test_more_images_than_are_summed_at_once_add_up_too() -> None:
    schema = SCHEMAS[2]
    codes = draw_images(schema, ["random"] * 2500, 3)
    parts = sum(sketch_of(schema, codes[start : start + 500]) for start in range(0, 2500, 500))
    np.testing.assert_array_equal(sketch_of(schema, codes), parts)


@settings(deadline=None)  # other tests run beside it
@given(st.sampled_from([SCHEMAS[0], SCHEMAS[2], SCHEMAS[5]]), seeds)
def test_a_flat_sketch_and_its_matrices_are_the_same(schema: ImageSchema, seed: int) -> None:
    layout = ImageLayout.from_schema(schema)
    flat = np.random.default_rng(seed).normal(size=layout.dimension)
    matrices, details = layout.to_matrices(flat), layout.to_details(flat)
    np.testing.assert_allclose(layout.to_flat(matrices, details), flat, rtol=1e-14)
    np.testing.assert_array_equal(matrices, matrices.transpose(0, 2, 1))
    for read in (layout.to_matrices, layout.to_details):
        with pytest.raises(ValueError, match=r"sketch must have shape \(\d+,\), got \(\d+,\)"):
            read(flat[:-1])


def test_matrices_are_the_second_moments_of_each_class() -> None:
    schema = SCHEMAS[0]
    layout, codes = ImageLayout.from_schema(schema), draw_images(schema, ["random"] * 30, 4)
    phi = compute_features(layout, codes[:, :-1])
    matrices = layout.to_matrices(sketch_of(schema, codes))
    for number in range(schema.num_classes):
        own = phi[codes[:, -1] == number]
        np.testing.assert_allclose(matrices[number], own.T @ own, rtol=1e-13, atol=1e-13)


def test_details_are_summed_by_class() -> None:
    schema = SCHEMAS[5]
    layout, codes = ImageLayout.from_schema(schema), draw_images(schema, LOOKS * 3, 4)
    seen = compute_details(layout, codes[:, :-1])
    found = layout.to_details(sketch_of(schema, codes))
    for number in range(schema.num_classes):
        np.testing.assert_array_equal(found[number], seen[codes[:, -1] == number].sum(axis=0))


@settings(deadline=None)  # other tests run beside it
@given(schemas, st.lists(st.sampled_from(LOOKS), max_size=8), seeds)
def test_without_noise_the_number_of_images_is_known(schema, looks, seed) -> None:
    flat = sketch_of(schema, draw_images(schema, looks, seed))
    assert ImageLayout.from_schema(schema).estimate_rows(flat) == max(1, len(looks))


def test_noise_alone_suggests_at_least_one_image() -> None:
    layout = ImageLayout.from_schema(SCHEMAS[0])
    assert layout.estimate_rows(np.full(layout.dimension, -1e9)) == 1.0
