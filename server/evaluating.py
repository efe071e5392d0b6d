"""The evaluation at the coordinator: what to ask the sites, and what their answers say.

The question is a network trained on synthetic rows alone. The answers are noised counts of
hold-outs, and all that comes after is post-processing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property

import numpy as np
from flwr.app import ArrayRecord

from privacy import SeededRandomness
from server.acceptance import LEAST_NOISE_SHARE
from server.outcome import Evaluation
from server.study import Study
from strategies.aggregation import pool_by_noise
from strategies.arrays import ArraySpec, ProblemCode
from strategies.collect import Answers
from strategies.protocol import NOISE_OF
from strategies.validation import Reply
from synthesis.evaluation import (
    SCORE_BINS,
    SCORES_SENSITIVITY,
    EvaluationLayout,
    NoisyCounts,
    ScoreNetwork,
    estimate_figures,
    train_score_network,
)
from synthesis.generator import Generator
from synthesis.schema import Schema
from synthesis.units import Codes

FEWEST_ROWS, MOST_ROWS = 10_000, 50_000
"""Synthetic rows to compare with: enough that their own chance is small beside the hold-out's."""
LARGEST_NOISE = 1e6


class Evaluator:
    """Trains the question for the sites and tells figures from their answers.

    Args:
        study: the public settings.
        schema: the public schema.
        generator: the global generator, finished.
        estimated_rows: records of all sites, as the sketch suggests.
    """

    def __init__(
        self, study: Study, schema: Schema, generator: Generator, *, estimated_rows: float
    ) -> None:
        self._study = study
        self._layout = EvaluationLayout.from_schema(schema)
        self._randomness = SeededRandomness(study.seed)
        rows = int(np.clip(estimated_rows, FEWEST_ROWS, MOST_ROWS))
        rng = self._randomness.numpy("evaluation-rows")
        self.synthetic: Codes = generator.sample_codes(rows, rng)

    @cached_property
    def network(self) -> ScoreNetwork:
        """The network that sites score their hold-out with."""
        rng = self._randomness.torch("score-network")
        return train_score_network(self._layout, self.synthetic, rng=rng)

    @property
    def weights(self) -> ArrayRecord:
        """The network as it travels."""
        return ArrayRecord(self.network.state_dict())

    @property
    def expected(self) -> Mapping[str, ArraySpec]:
        """What an answer must hold."""
        lengths = {
            "evaluation-one-way": sum(self._layout.sizes),
            "evaluation-two-way": sum(self._layout.pair_sizes),
            "evaluation-scores": 2 * SCORE_BINS,
        }
        return {name: ArraySpec(shape=(length,)) for name, length in lengths.items()}

    def conclude(self, answers: Answers) -> Evaluation:
        """Return the figures; none, and no error, where too few sites answered."""
        answers = self._reject_odd_noise(answers)
        found = Evaluation(
            nodes=tuple(answers.valid),
            rejected=dict(answers.rejected),
            synthetic=self.synthetic,
            network=self.network,
        )
        if len(answers.valid) < self._study.minimum_sites:
            return found
        pooled = {purpose: self._pool(answers.valid, purpose) for purpose in NOISE_OF}
        figures = estimate_figures(
            self._layout,
            self.synthetic,
            one_way=pooled["evaluation-one-way"],
            two_way=pooled["evaluation-two-way"],
            scores=pooled["evaluation-scores"],
            rng=self._randomness.numpy("evaluation"),
        )
        noise = {purpose: counts.noise_std for purpose, counts in pooled.items()}
        return replace(found, figures=figures, noise_stds=noise)

    def _pool(self, replies: Mapping[int, Reply], purpose: str) -> NoisyCounts:
        sensitivity = {
            "evaluation-one-way": self._layout.one_way_sensitivity,
            "evaluation-two-way": self._layout.two_way_sensitivity,
            "evaluation-scores": SCORES_SENSITIVITY,
        }[purpose]
        vectors = [reply.arrays[purpose] for reply in replies.values()]
        stds = [sensitivity * _stated_noise(reply, purpose) for reply in replies.values()]
        values, noise_std = pool_by_noise(vectors, stds)
        return NoisyCounts(values=values, noise_std=noise_std)

    def _reject_odd_noise(self, answers: Answers) -> Answers:
        """Leave out sites that state less noise than the plan has, or no noise multiplier."""
        planned = {
            event.purpose: event.noise_multiplier for event in self._study.make_plan().events()
        }
        odd = [
            node
            for node, reply in answers.valid.items()
            if not all(
                LEAST_NOISE_SHARE * planned[p] <= _stated_noise(reply, p) <= LARGEST_NOISE
                for p in NOISE_OF
            )
        ]
        code = ProblemCode.VALUE_NOT_ALLOWED.value
        return replace(
            answers,
            valid={node: reply for node, reply in answers.valid.items() if node not in odd},
            rejected=dict(answers.rejected) | dict.fromkeys(odd, code),
        )


def _stated_noise(reply: Reply, purpose: str) -> float:
    return float(str(reply.config[NOISE_OF[purpose]]))
