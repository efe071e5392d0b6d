"""Pinned on a slice of Adult by an independent implementation of the same measures."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import simulations
from synthesis.quality import marginal_distance, score
from synthesis.schema import Schema, load_schema

DATA = Path(simulations.__file__).parent / "data"


@pytest.fixture(scope="module")
def adult() -> Schema:
    return load_schema(DATA / "adult.toml")


@pytest.fixture(scope="module")
def slices() -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Stand-in for a synthetic table, training rows, test rows: strides, some columns shifted."""
    rows = pd.read_parquet(DATA / "adult.parquet")
    synthetic = rows.iloc[2::37].reset_index(drop=True)
    shifted = ["age", "workclass", "capital-gain", "hours-per-week", "race"]
    for position, name in enumerate(shifted):
        synthetic[name] = np.roll(synthetic[name].to_numpy(dtype=object), 5 * position + 1)
    return synthetic, rows.iloc[0::31], rows.iloc[1::61]


def test_scores_on_adult_are_those_of_the_independent_protocol(
    adult: Schema, slices: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
) -> None:
    quality = score(adult, *slices)
    assert quality.one_way == pytest.approx(0.02637552802527421, abs=1e-12)
    assert quality.two_way == pytest.approx(0.08729717124387175, abs=1e-12)
    assert quality.boosting.auc == pytest.approx(0.8783201722900216, abs=1e-3)
    assert quality.boosting.accuracy == pytest.approx(0.8264669163545568, abs=3e-3)
    assert quality.boosting.f1 == pytest.approx(0.6106442577030813, abs=3e-3)
    assert quality.logistic.auc == pytest.approx(0.8764169685637491, abs=1e-3)
    assert quality.logistic.accuracy == pytest.approx(0.8401997503121099, abs=3e-3)
    assert quality.logistic.f1 == pytest.approx(0.6363636363636364, abs=3e-3)
    assert quality.two_sample == pytest.approx(0.7680224676972773, abs=2e-3)


def test_three_way_distance_on_adult_is_that_of_the_independent_protocol(
    adult: Schema, slices: tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]
) -> None:
    synthetic, train, _ = slices
    distance = marginal_distance(adult, synthetic, train, 3)
    assert distance == pytest.approx(0.17517045521775562, abs=1e-12)
