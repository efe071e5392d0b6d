"""The evaluation: noised counts of the hold-out, the one thing that is said of it, once per study.

Nothing is trained on hold-out units, and training units are not counted here, so a unit pays for
one of the two only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from numpy.typing import NDArray
from torch import Tensor

from client.settings import StudyRequest
from client.site import Site
from client.sketching import reserve_study
from privacy import Part, SitePlan, gaussian_mechanism
from strategies.protocol import ARRAYS, CONFIG, EVALUATION, NOISE_OF
from synthesis.evaluation import (
    SCORES_SENSITIVITY,
    EvaluationLayout,
    ScoreNetwork,
    compute_one_way,
    compute_scores,
    compute_two_way,
)
from synthesis.layout import Counts

PART = "evaluation"
_BIAS = "layers.0.bias"


@dataclass(frozen=True, kw_only=True, eq=False)
class EvaluationRelease:
    """What the site gives away, by purpose: noisy counts, and the noise, which is public."""

    counts: Mapping[str, NDArray[np.float64]]
    noise_multipliers: Mapping[str, float]


def evaluate(site: Site, message: Message) -> RecordDict:
    """Release the noised counts of the hold-out, once per study."""
    request = StudyRequest.from_config(message.content.config_records[CONFIG])
    arrays = message.content.array_records[ARRAYS]
    weights = {name: torch.from_numpy(np.array(a.numpy())) for name, a in arrays.items()}
    release = release_evaluation(site, request, weights)
    counts = {purpose: Array(c.astype(np.float32)) for purpose, c in release.counts.items()}
    noise = {NOISE_OF[purpose]: float(n) for purpose, n in release.noise_multipliers.items()}
    return RecordDict({EVALUATION: ArrayRecord(counts), CONFIG: ConfigRecord(dict(noise))})


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
        RuntimeError: if the evaluation of this study has been asked for before.
        ValueError: if the study has no evaluation or the weights fit no network; nothing is read.
    """
    if not request.evaluation:
        raise ValueError("evaluation was not reserved; the study's settings must ask for it.")
    layout = EvaluationLayout.from_schema(site.schema)
    network = build_score_network(layout, weights)
    plan, reservation = reserve_study(site, request)
    site.ledger.mark(reservation, "running", PART)
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
    site.ledger.mark(reservation, "done")
    return EvaluationRelease(counts=counts, noise_multipliers=noise)


def noise_multipliers_of(plan: SitePlan) -> dict[str, float]:
    """Return the noise of every release from the hold-out, by purpose."""
    return {e.purpose: e.noise_multiplier for e in plan.events() if e.part is Part.HOLD_OUT}


def build_score_network(layout: EvaluationLayout, weights: Mapping[str, Tensor]) -> ScoreNetwork:
    """Build the network whose public architecture the shapes of the weights tell.

    Raises:
        ValueError: if a weight is missing or not finite, or the shapes fit no network for this
            schema.
    """
    if not all(bool(torch.isfinite(weight).all()) for weight in weights.values()):
        raise ValueError("weights from the coordinator must be finite.")
    if _BIAS not in weights or weights[_BIAS].ndim != 1 or len(weights[_BIAS]) < 1:
        raise ValueError("weights from the coordinator must be those of a score network.")
    rng = torch.Generator().manual_seed(0)
    network = ScoreNetwork(layout, hidden=len(weights[_BIAS]), rng=rng)
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:  # not to be taken for an evaluation that has been run before
        raise ValueError(f"weights from the coordinator must fit the schema: {error}") from None
    return network


def _count_hold_out(
    site: Site, layout: EvaluationLayout, network: ScoreNetwork
) -> dict[str, tuple[Counts, float]]:
    """Return exact counts and their sensitivity by purpose."""
    units = site.read_units(Part.HOLD_OUT)
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
