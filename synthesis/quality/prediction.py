"""What a classifier learns from one table and proves on another, such as real test rows."""

import warnings
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from synthesis.errors import InputError
from synthesis.quality.features import boosted_trees, linear_features, tree_features
from synthesis.quality.marginals import check_comparable
from synthesis.quality.values import Column, LevelColumn, read_codes
from synthesis.schema import Schema


@dataclass(frozen=True, kw_only=True)
class Scores:
    """Quality of predictions of the label, each in [0, 1].

    With two classes F1 and AUC are those of the second level; with more they are the mean over
    classes, one against the rest. `auc` is None when the test rows hold one class only.
    """

    accuracy: float
    auc: float | None
    f1: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Predictions:
    """What a model says of test rows.

    Attributes:
        truth: code of the label of every row, shape (n_rows,).
        probabilities: of every level of the label, shape (n_rows, n_levels).
    """

    truth: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]

    def score(self, rows: npt.NDArray[np.bool_] | None = None) -> Scores:
        """Return how right they are on all rows, or on at least one that `rows` marks."""
        if rows is None:
            return _scores(self.truth, self.probabilities)
        return _scores(self.truth[rows], self.probabilities[rows])


def train_and_test(
    schema: Schema,
    train: pd.DataFrame,
    test: pd.DataFrame,
    model: Literal["boosting", "logistic"],
) -> Scores:
    """Return how well a model fitted on `train` predicts the label of `test`.

    Raises:
        InputError: a table cannot be compared or the model is unknown.
    """
    return predict(schema, train, test, model).score()


def predict(
    schema: Schema,
    train: pd.DataFrame,
    test: pd.DataFrame,
    model: Literal["boosting", "logistic"],
) -> Predictions:
    """Return what a model fitted on `train` says of the label of `test`.

    A table with one class yields the constant prediction; a class that `train` lacks is never
    predicted and has probability zero.

    Raises:
        InputError: a table cannot be compared or the model is unknown.
    """
    if model not in ("boosting", "logistic"):
        raise InputError(f"model must be 'boosting' or 'logistic', got {model!r}", argument="model")
    check_comparable(schema, train)
    check_comparable(schema, test)
    label = schema.column(schema.label)
    assert isinstance(label, LevelColumn)  # held by the schema
    features = [column for column in schema.columns if column.name != schema.label]
    target, truth = read_codes(label, train[label.name]), read_codes(label, test[label.name])
    classes = np.unique(target)
    probabilities = np.zeros((len(test), len(label.levels)))
    if len(classes) == 1:
        probabilities[:, classes] = 1.0
    elif model == "boosting":
        probabilities[:, classes] = _boosting(features, train, target, test)
    else:
        probabilities[:, classes] = _logistic(features, train, target, test)
    return Predictions(truth=truth, probabilities=probabilities)


def _boosting(
    features: list[Column],
    train: pd.DataFrame,
    target: npt.NDArray[np.int64],
    test: pd.DataFrame,
) -> npt.NDArray[np.float64]:
    rarest = int(np.unique(target, return_counts=True)[1].min())
    classifier = boosted_trees(features, seed=0, rarest=rarest)
    classifier.fit(tree_features(features, train), target)
    return np.asarray(classifier.predict_proba(tree_features(features, test)))


def _logistic(
    features: list[Column],
    train: pd.DataFrame,
    target: npt.NDArray[np.int64],
    test: pd.DataFrame,
) -> npt.NDArray[np.float64]:
    inputs, test_inputs = linear_features(features, train, test)
    classifier = LogisticRegression(max_iter=1000, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        classifier.fit(inputs, target)
    return np.asarray(classifier.predict_proba(test_inputs))


def _scores(truth: npt.NDArray[np.int64], probabilities: npt.NDArray[np.float64]) -> Scores:
    guess = probabilities.argmax(axis=1)
    num_classes = probabilities.shape[1]
    average = "binary" if num_classes == 2 else "macro"
    scored = [1] if num_classes == 2 else range(num_classes)
    areas = [
        roc_auc_score(truth == level, probabilities[:, level])
        for level in scored
        if 0 < (truth == level).sum() < len(truth)
    ]
    return Scores(
        accuracy=float(accuracy_score(truth, guess)),
        auc=float(np.mean(areas)) if areas else None,
        f1=float(f1_score(truth, guess, average=average, zero_division=0)),
    )
