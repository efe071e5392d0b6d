"""All quality figures of one synthetic table."""

from dataclasses import dataclass

import pandas as pd

from synthesis.quality.detection import two_sample_auc
from synthesis.quality.marginals import marginal_distance
from synthesis.quality.prediction import Predictions, Scores, predict, train_and_test
from synthesis.schema import Schema


@dataclass(frozen=True, kw_only=True)
class Quality:
    """How a table compares with real rows.

    Attributes:
        boosting: gradient boosting trained on the table, tested on real test rows.
        logistic: the same with logistic regression.
        one_way: mean total variation distance of the columns, against the training rows.
        two_way: the same over pairs of columns.
        two_sample: how well trees tell the table from training rows; 0.5 is best, None if
            a table is too small to ask.
    """

    boosting: Scores
    logistic: Scores
    one_way: float
    two_way: float
    two_sample: float | None


def score(
    schema: Schema,
    synthetic: pd.DataFrame,
    train: pd.DataFrame,
    test: pd.DataFrame,
    *,
    boosting: Predictions | None = None,
) -> Quality:
    """Return every quality figure of `synthetic`, measured on real rows without noise.

    Args:
        schema: public description of all three tables.
        synthetic: the table to judge.
        train: real rows it should resemble.
        test: real rows that nothing was trained on.
        boosting: what boosting trained on `synthetic` says of `test`, if it is known already.

    Raises:
        InputError: a table is empty, lacks a column or holds undeclared categories.
    """
    boosting = boosting or predict(schema, synthetic, test, "boosting")
    return Quality(
        boosting=boosting.score(),
        logistic=train_and_test(schema, synthetic, test, "logistic"),
        one_way=marginal_distance(schema, synthetic, train, 1),
        two_way=marginal_distance(schema, synthetic, train, 2),
        two_sample=two_sample_auc(schema, synthetic, train),
    )
