"""Tables as feature matrices for the scoring classifiers."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from synthesis.quality.values import Column, LevelColumn, numbers, read_codes
from synthesis.schema.columns import Boolean, Categorical, Continuous, Datetime, Integer, Ordinal

_MAX_TREE_CATEGORIES = 255
_EARLY_STOPPING_ROWS = 10_000  # above it, trees are fitted to nine tenths of the rows


def tree_features(columns: Sequence[Column], table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Return shape (n_rows, n_columns): raw numbers, positions of categories, NaN for missing."""
    features = np.empty((len(table), len(columns)))
    for position, column in enumerate(columns):
        values = table[column.name]
        if isinstance(column, LevelColumn):
            codes = read_codes(column, values)
            features[:, position] = np.where(codes == len(column.levels), np.nan, codes)
        else:
            features[:, position] = numbers(column, values)
    return features


def tree_categories(columns: Sequence[Column]) -> list[bool]:
    """Return which columns a histogram tree treats as unordered categories."""
    return [
        isinstance(column, LevelColumn) and len(column.levels) <= _MAX_TREE_CATEGORIES
        for column in columns
    ]


def boosted_trees(columns: Sequence[Column], *, seed: int, rarest: int) -> Pipeline:
    """Return unfitted boosted trees for `tree_features` of these columns.

    Args:
        columns: what the features are made of.
        seed: of the rows held out for early stopping.
        rarest: rows of the rarest class; early stopping holds out a stratified tenth of a large
            table, which takes two rows of every class.
    """
    trees = HistGradientBoostingClassifier(
        random_state=seed,
        categorical_features=tree_categories(columns),
        early_stopping="auto" if rarest > 1 else False,
    )
    return make_pipeline(FunctionTransformer(_fill_unknown_columns), trees)


def _fill_unknown_columns(features: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Make columns that are all but empty constant: trees cannot bin a column without values."""
    needed = 1 if len(features) <= _EARLY_STOPPING_ROWS else 20
    unknown = (~np.isnan(features)).sum(axis=0) < needed
    return np.where(unknown, 0.0, features)


def linear_features(
    columns: Sequence[Column], train: pd.DataFrame, test: pd.DataFrame
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return train and test as one-hot categories and numbers standardised by `train`.

    A missing number becomes the training mean with an indicator beside it, a missing category
    a level of its own, both only where the schema allows missing values.
    """
    pairs = [
        _one_hot(column, train, test)
        if isinstance(column, LevelColumn)
        else _standardised(column, train, test)
        for column in columns
    ]
    return np.hstack([left for left, _ in pairs]), np.hstack([right for _, right in pairs])


def _one_hot(
    column: Categorical | Ordinal | Boolean, train: pd.DataFrame, test: pd.DataFrame
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    size = len(column.levels) + (1 if column.missing else 0)
    unit = np.eye(len(column.levels) + 1)[:, :size]
    left, right = (read_codes(column, table[column.name]) for table in (train, test))
    return unit[left], unit[right]


def _standardised(
    column: Integer | Continuous | Datetime, train: pd.DataFrame, test: pd.DataFrame
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    left, right = (numbers(column, table[column.name]) for table in (train, test))
    known = left[~np.isnan(left)]
    center = known.mean() if known.size else 0.0
    spread = known.std(ddof=1) if known.size > 1 else 0.0
    left, right = ((values - center) / (spread or 1.0) for values in (left, right))
    return _with_indicator(left, column.missing), _with_indicator(right, column.missing)


def _with_indicator(
    values: npt.NDArray[np.float64], missing_allowed: bool
) -> npt.NDArray[np.float64]:
    unknown = np.isnan(values)
    filled = np.where(unknown, 0.0, values)[:, None]
    return np.hstack([filled, unknown[:, None]]) if missing_allowed else filled
