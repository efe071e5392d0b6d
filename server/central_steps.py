"""Generator steps at the coordinator, against what the sites' discriminators learned.

Discriminators were trained under DP-SGD and the sketch is private: post-processing, any number of
steps.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from privacy import SeededRandomness
from server.outcome import AnyGenerator
from server.study import Study
from server.weights import load_weights, weights_of
from strategies.aggregation import FloatArray, PooledSketch
from strategies.rules import Judge
from strategies.rules.rule import Model
from synthesis.adversarial import GeneratorStepSettings, improve_generator
from synthesis.architecture import GeneratorSettings
from synthesis.discriminator import Discriminator
from synthesis.fitting import SketchLoss
from synthesis.generator import Generator
from synthesis.images.sketch import ImageLayout
from synthesis.layout import SketchLayout
from synthesis.targets import make_targets


def make_central_steps(
    study: Study,
    layout: SketchLayout | ImageLayout,
    fitted: AnyGenerator,
    pooled: PooledSketch,
    epsilons: Mapping[int, float],
) -> CentralSteps:
    """Return the steps for a generator as it is before the rounds; there are none for images."""
    assert isinstance(layout, SketchLayout) and isinstance(fitted, Generator)
    return CentralSteps(study, layout, fitted.settings.of_each_group(), pooled, epsilons)


class CentralSteps:
    """Trains the generator in every round, as sites would, against all their discriminators.

    Args:
        study: the public settings.
        layout: where the counts of a sketch lie.
        settings: of the generator that rounds improve.
        pooled: sum of all sketches.
        epsilons: that each site spends, by node; one that spends less has a noisier discriminator.
    """

    def __init__(
        self,
        study: Study,
        layout: SketchLayout,
        settings: GeneratorSettings,
        pooled: PooledSketch,
        epsilons: Mapping[int, float],
    ) -> None:
        self._study = study
        self._settings = settings
        self._width = sum(form.size for form in settings.forms)
        plans = {epsilon: study.make_plan(epsilon) for epsilon in {*epsilons.values()}}
        self._noise = {n: plans[e].training_noise_multiplier or 0.0 for n, e in epsilons.items()}
        noise_std = pooled.noise_variance**0.5 * layout.sensitivity
        self._penalty = SketchLoss(make_targets(layout, pooled.values, noise_std))

    def form(self) -> dict[str, NDArray[Any]]:
        """Return weights in the form of a site's discriminator."""
        return {k: v.numpy() for k, v in self._make_discriminator().state_dict().items()}

    def improve(self, start: Model, judges: Sequence[Judge], rounds: int) -> list[FloatArray]:
        """Return the weights of the generator after one round's steps.

        Args:
            start: its weights, in the order of its ``state_dict``.
            judges: discriminators, in any order.
            rounds: how many rounds counted before, for the draws.
        """
        generator = Generator(self._settings, rng=torch.Generator().manual_seed(0))
        load_weights(generator, dict(zip(generator.state_dict(), start, strict=True)))
        total = math.fsum(judge.weight for judge in judges)
        # Sums of floats depend on their order, and what a site is called must not matter.
        ordered = sorted(judges, key=lambda each: (each.weight, _to_bytes(each.model)))
        found = improve_generator(
            generator,
            [(self._load(judge.model), judge.weight / total) for judge in ordered],
            self._penalty,
            self._choose_steps({j.node: j.weight / total for j in ordered}),
            rng=SeededRandomness(self._study.seed).torch("central", str(rounds), "0"),
        )
        return [np.asarray(values) for values in weights_of(found).values()]

    def _choose_steps(self, shares: Mapping[int, float]) -> GeneratorStepSettings:
        """Choose smaller steps where discriminators must be mostly noise.

        As a site does for its own; noise of several sites, which is independent, partly cancels.
        """
        study = self._study
        steps = study.rounds * study.discriminator_steps
        size = sum(values.size for values in self.form().values())
        spread = math.hypot(*(share * self._noise[node] for node, share in shares.items()))
        usual = GeneratorStepSettings(steps=study.generator_steps, proximal=study.proximal)
        return usual.slowed(
            signal=steps * study.expected_batch_size, noise=spread * (steps * size) ** 0.5
        )

    def _load(self, model: Model) -> Discriminator:
        discriminator = self._make_discriminator()
        pairs = zip(discriminator.state_dict(), model, strict=True)
        discriminator.load_state_dict({name: torch.from_numpy(np.array(w)) for name, w in pairs})
        return discriminator

    def _make_discriminator(self) -> Discriminator:
        return Discriminator(self._width, rng=torch.Generator().manual_seed(0))


def _to_bytes(model: Model) -> bytes:
    return b"".join(values.tobytes() for values in model)
