"""The figures of an evaluation without noise: only a simulation can compute them."""

from __future__ import annotations

import numpy as np

from server.outcome import Evaluation
from server.report import ExactFigures
from simulations.sites import SimulatedSites
from synthesis.encoding import read_units
from synthesis.evaluation import (
    EvaluationLayout,
    compute_auc,
    compute_distance,
    compute_one_way,
    compute_scores,
    compute_two_way,
)


def measure_exactly(evaluation: Evaluation, sites: SimulatedSites) -> ExactFigures:
    """Return the figures that the intervals are about, from all real rows of all sites.

    The intervals are about the population behind the hold-outs. All rows of the sites stand for it:
    they are many more than the hold-outs, so chance moves their figures less.
    """
    layout, synthetic = EvaluationLayout.from_schema(sites.schema), evaluation.synthetic
    units = [read_units(sites.schema, table) for table in sites.tables]
    real = np.concatenate([each.codes for each in units])
    weights = np.concatenate([each.weights() for each in units])
    one_way, two_way = (
        compute_distance(
            compute(layout, real, weights) / weights.sum(),
            compute(layout, synthetic) / len(synthetic),
            sizes,
        )
        for compute, sizes in (
            (compute_one_way, layout.sizes),
            (compute_two_way, layout.pair_sizes),
        )
    )
    auc = compute_auc(compute_scores(evaluation.network, layout, real, weights))
    return ExactFigures(one_way=one_way, two_way=two_way, auc=auc)
