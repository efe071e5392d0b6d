"""How good a synthetic table is: distances, predictive worth, detectability.

Everything here compares one table with another under a public schema and returns plain frozen
values. The measures read real rows without noise, so in a deployment they stay at the site; only
simulations, which own all rows anyway, may print them.
"""

from synthesis.quality.comparison import (
    ColumnComparison,
    Comparison,
    compare_tables,
    one_way,
)
from synthesis.quality.detection import two_sample_auc
from synthesis.quality.groups import GroupQuality, choose_group_columns, score_groups
from synthesis.quality.marginals import marginal_distance, pairwise_distances
from synthesis.quality.prediction import Predictions, Scores, predict, train_and_test
from synthesis.quality.score import Quality, score

__all__ = [
    "ColumnComparison",
    "Comparison",
    "GroupQuality",
    "Predictions",
    "Quality",
    "Scores",
    "choose_group_columns",
    "compare_tables",
    "marginal_distance",
    "one_way",
    "pairwise_distances",
    "predict",
    "score",
    "score_groups",
    "train_and_test",
    "two_sample_auc",
]
