"""Whether a classifier can tell two tables apart."""

import numpy as np
import pandas as pd
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from synthesis.quality.features import boosted_trees, tree_features
from synthesis.quality.marginals import check_comparable
from synthesis.schema import Schema

_FOLDS = 5


def two_sample_auc(schema: Schema, a: pd.DataFrame, b: pd.DataFrame, seed: int = 0) -> float | None:
    """Return the out-of-fold AUC of boosted trees telling `a` from `b`; 0.5 is best.

    Args:
        schema: public description of both tables; all its columns are used.
        a: the table to detect.
        b: the table to compare with.
        seed: of the folds and of the trees.

    Returns:
        The area under the curve, or None when a table has fewer than two rows.

    Raises:
        InputError: a table cannot be compared.
    """
    check_comparable(schema, a)
    check_comparable(schema, b)
    folds = min(_FOLDS, len(a), len(b))
    if folds < 2:
        return None
    inputs = np.vstack([tree_features(schema.columns, b), tree_features(schema.columns, a)])
    truth = np.r_[np.zeros(len(b), dtype=int), np.ones(len(a), dtype=int)]
    classifier = boosted_trees(schema.columns, seed=seed, rarest=folds - 1)
    splitter = StratifiedKFold(folds, shuffle=True, random_state=seed)
    guess = cross_val_predict(classifier, inputs, truth, cv=splitter, method="predict_proba")
    return float(roc_auc_score(truth, guess[:, 1]))
