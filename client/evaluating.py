"""The evaluation: noised counts of the hold-out, the one thing that is said of it, once per study.

Nothing is trained on hold-out units, and training units are not counted here, so a unit pays for
one of the two only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from client.incoming import build_score_network
from client.phases import EVALUATION_PHASE, begin_phase
from client.refusals import MalformedRequest
from client.reserving import reserve_study
from client.settings import StudyRequest
from client.site import Site
from privacy import Part, SitePlan, gaussian_mechanism
from synthesis.evaluation import (
    SCORES_SENSITIVITY,
    EvaluationLayout,
    ScoreNetwork,
    compute_one_way,
    compute_scores,
    compute_two_way,
)
from synthesis.layout import Counts
from synthesis.schema import Schema
from synthesis.units import Units


@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluationRelease:
    """What the site gives away, by purpose: noisy counts, and the noise, which is public."""

    counts: Mapping[str, NDArray[np.float64]]
    noise_multipliers: Mapping[str, float]


def release_evaluation(
    site: Site, request: StudyRequest, weights: Mapping[str, Tensor]
) -> EvaluationRelease:
    """Count the hold-out in three ways and add the noise of the plan.

    Args:
        site: the data site.
        request: the study's settings; the same as in the sketch.
        weights: of a score network, from the coordinator.

    Raises:
        BudgetExceeded: if the site's budget does not allow the study.
        AlreadyReleased: if the evaluation of this study was made before.
        ValueError: if the study has no evaluation or the weights fit no network; nothing is read.
    """
    if not request.evaluation:
        raise MalformedRequest("evaluation was not reserved; the study's settings must ask for it.")
    if not isinstance(site.schema, Schema):
        raise MalformedRequest("evaluation under noise is for tables; images have none.")
    if site.missing:
        raise MalformedRequest("evaluation asks for all columns, and this site lacks some.")
    layout = EvaluationLayout.from_schema(site.schema)
    network = build_score_network(weights, layout)
    plan, reservation = reserve_study(site, request)
    begin_phase(site, reservation, EVALUATION_PHASE)
    exact = _count_hold_out(site, layout, network)
    noise = noise_multipliers_of(plan)
    counts = {
        purpose: gaussian_mechanism(
            values,
            sensitivity=sensitivity,
            noise_multiplier=noise[purpose],
            stream=site.randomness.stream(site.config.name, request.study, purpose),
        )
        for purpose, (values, sensitivity) in exact.items()
    }
    return EvaluationRelease(counts=counts, noise_multipliers=noise)


def noise_multipliers_of(plan: SitePlan) -> dict[str, float]:
    """Return the noise of every release from the hold-out, by purpose."""
    return {e.purpose: e.noise_multiplier for e in plan.events() if e.part is Part.HOLD_OUT}


def _count_hold_out(
    site: Site, layout: EvaluationLayout, network: ScoreNetwork
) -> dict[str, tuple[Counts, float]]:
    return count_for_evaluation(layout, network, site.read_units(Part.HOLD_OUT))


def count_for_evaluation(
    layout: EvaluationLayout, network: ScoreNetwork, units: Units
) -> dict[str, tuple[Counts, float]]:
    """Return by purpose the exact counts, and how far one unit moves them."""
    codes, weights = units.codes, units.weights()
    return {
        "evaluation-one-way": (
            compute_one_way(layout, codes, weights),
            layout.one_way_sensitivity,
        ),
        "evaluation-two-way": (
            compute_two_way(layout, codes, weights),
            layout.two_way_sensitivity,
        ),
        "evaluation-scores": (
            compute_scores(network, layout, codes, weights),
            SCORES_SENSITIVITY,
        ),
    }
