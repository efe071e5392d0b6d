"""Distances between collections of images."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import scipy.linalg
from digit_images import DIGITS, bright_halves, read_digit_codes
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import uniform_filter

from synthesis.images.quality import (
    extract_features,
    extractor_digest,
    find_nearest,
    frechet_distance,
    kernel_distance,
    measure_coverage,
    measure_likeness,
)
from synthesis.images.quality import make_extractor as making
from synthesis.images.quality.coverage import squared_distances
from synthesis.images.quality.extractor import Features


def draw(rows: int, *, width: int = 6, seed: int = 0, shift: float = 0.0) -> Features:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(rows, width)) @ rng.normal(size=(width, width)) + shift


def naive_frechet(a: Features, b: Features) -> float:
    cov_a, cov_b = (np.atleast_2d(np.cov(x, rowvar=False)) for x in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b).real
    apart = np.square(a.mean(0) - b.mean(0)).sum()
    return float(apart + np.trace(cov_a + cov_b) - 2 * np.trace(root))


@given(seed=st.integers(0, 999), width=st.integers(1, 8), shift=st.floats(0, 3))
@settings(max_examples=30, deadline=None)
def test_frechet_agrees_with_the_plain_formula(seed: int, width: int, shift: float) -> None:
    a = draw(40, width=width, seed=seed)
    b = draw(50, width=width, seed=seed + 1000, shift=shift)
    assert frechet_distance(a, b) == pytest.approx(naive_frechet(a, b), rel=1e-6)


@pytest.mark.parametrize("rows", [2, 5, 200])  # fewer rows than features have singular fits
def test_frechet_of_a_collection_with_itself_is_zero_and_symmetric(rows: int) -> None:
    a, b = draw(rows), draw(rows, seed=1, shift=1)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(a, b) == pytest.approx(frechet_distance(b, a), rel=1e-9)
    assert frechet_distance(a, a + 2) == pytest.approx(4 * 6)


def test_kernel_distance_is_nothing_for_halves_and_much_for_others() -> None:
    a = draw(4000)
    halves = kernel_distance(a[:2000], a[2000:], seed=0)
    assert halves.subsets == 10
    assert halves.subset_size == 200
    assert abs(halves.value) < 4 * halves.standard_error
    assert halves.estimate.low < halves.value < halves.estimate.high
    other = kernel_distance(a[:2000], a[2000:] + 1, seed=0)
    assert other.estimate.low > halves.estimate.high
    assert kernel_distance(a[:2000], a[2000:], seed=0) == halves


def test_kernel_distance_agrees_with_sums_over_pairs() -> None:
    a, b = draw(4, seed=1), draw(4, seed=2)

    def kernel(x: Features, y: Features) -> float:
        return float((x @ y / 6 + 1) ** 3)

    rng = np.random.default_rng(0)
    deal_a, deal_b = rng.permutation(4), rng.permutation(4)
    values = []
    for part in (slice(0, 2), slice(2, 4)):
        (p, q), (r, s) = a[deal_a[part]], b[deal_b[part]]
        across = [kernel(x, y) for x in (p, q) for y in (r, s)]
        values.append(kernel(p, q) + kernel(r, s) - 2 * np.mean(across))
    found = kernel_distance(a, b, seed=0)
    assert found.value == pytest.approx(np.mean(values))
    assert found.standard_error == pytest.approx(abs(values[0] - values[1]) / 2)


def test_coverage_tells_unreal_images_from_missing_kinds() -> None:
    near, far = draw(300), draw(300, seed=1, shift=50)
    both, half = np.concatenate([near, far]), np.concatenate([draw(300)[:150], draw(300)[150:]])
    same = measure_coverage(both, both, seed=0)
    assert same.precision.value == same.recall.value == 1
    missing = measure_coverage(both, np.concatenate([half, half + 1e-3]), seed=0)
    assert missing.precision.value > 0.9
    assert missing.recall.value == pytest.approx(0.5, abs=0.05)
    unreal = measure_coverage(near, both, seed=0)
    assert unreal.precision.value == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_images_are_refused(rows: int) -> None:
    for measure in (
        lambda: frechet_distance(draw(9), draw(9)[:rows]),
        lambda: kernel_distance(draw(9), draw(9)[:rows], seed=0),
        lambda: measure_coverage(draw(9), draw(9)[:rows], seed=0),
    ):
        with pytest.raises(ValueError, match="give more images"):
            measure()


@pytest.mark.parametrize(("side", "channels"), [(4, 1), (8, 3), (28, 1), (33, 3), (64, 3)])
def test_images_of_every_size_have_64_features(side: int, channels: Literal[1, 3]) -> None:
    codes, schema = bright_halves(5, side=side, channels=channels)
    features = extract_features(codes, schema)
    assert features.shape == (5, 64)
    assert np.isfinite(features).all()
    np.testing.assert_allclose(extract_features(codes[2:], schema), features[2:], rtol=1e-4)


def test_the_extractor_is_what_was_shipped() -> None:
    shipped = (files("synthesis.images.quality") / "extractor.safetensors").read_bytes()
    assert extractor_digest() == hashlib.sha256(shipped).hexdigest()
    assert len(shipped) < 300_000


def test_the_extractor_can_be_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    made = making.make_extractor
    monkeypatch.setattr(making, "make_extractor", lambda: made(epochs=1))
    weights = []
    for name in ("one", "two"):
        making.main(["--out", str(tmp_path / name)])
        weights.append((tmp_path / name).read_bytes())
    assert weights[0] == weights[1]
    assert capsys.readouterr().out.count("\n") == 2


def test_blurred_and_averaged_images_score_worse_than_real_ones() -> None:
    codes = np.random.default_rng(0).permutation(read_digit_codes())
    train, test = codes[:800], codes[800:1600]
    pixels = train[:, :-1].reshape(-1, 8, 8)
    means = np.stack([train[train[:, -1] == each, :-1].mean(0) for each in range(10)])
    blurred, averaged = train.copy(), train.copy()
    blurred[:, :-1] = uniform_filter(pixels, (0, 3, 3)).reshape(800, -1)
    averaged[:, :-1] = np.rint(means[train[:, -1]])
    for worse in (blurred, averaged):
        found = measure_likeness(worse, train, test, DIGITS, seed=0)
        assert found.synthetic.frechet > 5 * found.floor.frechet
        assert found.synthetic.kernel.estimate.low > found.floor.kernel.estimate.high
        assert found.synthetic.coverage.recall.value < found.floor.coverage.recall.value
        assert found.synthetic.num_images == 800
    assert found.extractor == extractor_digest()


def test_copies_are_found_and_other_images_are_not() -> None:
    codes, schema = bright_halves(900, side=8)
    train, hold_out, other = codes[:300], codes[300:500], codes[500:]
    copied = find_nearest(train, train[:200], hold_out, schema, seed=0)
    assert (copied.train_copies, copied.hold_out_copies, copied.compared) == (200, 0, 200)
    assert copied.closer_to_train.low > 0.6
    assert copied.train_median == 0 < copied.hold_out_median
    fresh = find_nearest(other, train, hold_out, schema, seed=0)
    assert fresh.closer_to_train.low < 0.5 < fresh.closer_to_train.high
    assert fresh.train_copies == 0


def test_ties_are_left_out() -> None:
    codes, schema = bright_halves(50, side=8)
    found = find_nearest(codes, codes, codes, schema, seed=0)
    assert (found.closer_to_train.low, found.closer_to_train.high) == (0, 1)


def test_distances_between_pixels_are_exact() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (7, 4000)), rng.integers(0, 256, (9, 4000))
    exact = [[int(np.square(x - y).sum()) for y in b] for x in a]
    assert squared_distances(a.astype(float), b.astype(float)).tolist() == exact
