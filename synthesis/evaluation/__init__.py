"""Figures of a deployed study: what noised histograms of a hold-out say about synthetic rows.

A site computes three exact histograms of units that nothing was trained on; noise is added before
they leave, elsewhere. The coordinator pools them and tells from the sum how far the synthetic rows
are from the population, with intervals that hold the noise and the draw of the units.
"""

from synthesis.evaluation.distances import NoisyBlocks, compute_distance
from synthesis.evaluation.estimate import Estimate
from synthesis.evaluation.figures import HoldOutFigures, NoisyCounts, estimate_figures
from synthesis.evaluation.layout import EvaluationLayout, compute_one_way, compute_two_way
from synthesis.evaluation.ranking import compute_auc, estimate_auc
from synthesis.evaluation.scores import (
    SCORE_BINS,
    SCORES_SENSITIVITY,
    ScoreNetwork,
    compute_scores,
    train_score_network,
)

__all__ = [
    "SCORES_SENSITIVITY",
    "SCORE_BINS",
    "Estimate",
    "EvaluationLayout",
    "HoldOutFigures",
    "NoisyBlocks",
    "NoisyCounts",
    "ScoreNetwork",
    "compute_auc",
    "compute_distance",
    "compute_one_way",
    "compute_scores",
    "compute_two_way",
    "estimate_auc",
    "estimate_figures",
    "train_score_network",
]
