"""Our method and its two halves, each with the whole budget."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import partial
from time import process_time

import torch
from torch import Tensor

from client.training import choose_generator_steps
from privacy import PrivateTrainer, SampledGaussianEvent, SeededRandomness, make_plan
from server.study import Study
from simulations.benchmarks.tabular.federate import federate
from simulations.benchmarks.tabular.setting import Made, Setting
from strategies.aggregation import weighted_average
from synthesis.adversarial import improve_generator
from synthesis.architecture import GeneratorSettings
from synthesis.discriminator import Discriminator, make_discriminator_optimizer
from synthesis.generator import Generator
from synthesis.kinds import VAE
from synthesis.rows import to_one_hot
from synthesis.sampling import sample_table
from synthesis.units import Units

USUAL_SHARE = Study.model_fields["adversarial_share"].default

__all__ = ["BY_STRATEGY", "OURS", "gan_alone", "joint", "one_group", "sketch_alone"]


def joint(setting: Setting) -> Made:
    """Return the rows of a study with the settings that a user gets without asking."""
    return federate(setting)


def sketch_alone(setting: Setting) -> Made:
    """Return the rows of a study without adversarial rounds."""
    return federate(setting, rounds=0, adversarial_share=0)


def one_group(setting: Setting) -> Made:
    """Return the rows of a study that describes all sites together, without rounds."""
    return federate(setting, rounds=0, adversarial_share=0, max_site_groups=1)


def gan_alone(setting: Setting) -> Made:
    """Return the rows of a generator that only saw discriminators, by the study's usual settings.

    Without a sketch there is nothing to start from and nothing that holds low-order statistics.
    """
    began = process_time()
    study = setting.make_study(adversarial_share=USUAL_SHARE)
    schema, randomness = setting.sites.schema, SeededRandomness(setting.seed)
    generator = Generator(GeneratorSettings.for_schema(schema), rng=randomness.torch("gan"))
    trained = [
        _TrainingSite(setting, study, name, units, randomness)
        for name, units in zip(setting.sites.names, setting.read_units(), strict=True)
    ]
    sent = 0
    for server_round in range(1, study.rounds + 1):
        replies = [site.improve(copy.deepcopy(generator), server_round) for site in trained]
        models = [[p.detach().numpy() for p in reply.parameters()] for reply in replies]
        average = weighted_average(models, [len(table) for table in setting.sites.tables])
        with torch.no_grad():
            for parameter, values in zip(generator.parameters(), average, strict=True):
                parameter.copy_(torch.from_numpy(values))
        sent += 2 * len(models) * sum(array.nbytes for array in models[0])
    table = sample_table(generator, schema, len(setting.sites.train), seed=setting.seed)
    return Made(table=table, processor_s=process_time() - began, sent_bytes=sent)


class _TrainingSite:
    """One site of the GAN without a sketch; the private step is the one of every study."""

    def __init__(
        self,
        setting: Setting,
        study: Study,
        name: str,
        units: Units,
        randomness: SeededRandomness,
    ) -> None:
        self._study, self._randomness = study, randomness
        self._name, self._units = name, units
        self._sizes = setting.sites.schema.sizes
        self._picks = randomness.stream(name, "gan", "rows")
        self._discriminator = Discriminator(
            sum(self._sizes), rng=randomness.torch(self._name, "discriminator")
        )
        self._plan = make_plan(
            study.budget,
            sample_rate=study.sample_rate,
            steps=study.rounds * study.discriminator_steps,
            adversarial_share=1,
        )
        (event,) = self._plan.events()
        assert isinstance(event, SampledGaussianEvent)
        self._trainer = PrivateTrainer(
            event,
            self._discriminator,
            make_discriminator_optimizer,
            width=sum(self._sizes),
            max_grad_norm=study.max_grad_norm,
            expected_batch_size=study.expected_batch_size,
            fake_batch_size=study.expected_batch_size,
            randomness=randomness,
            path=(self._name, "gan"),
            simulation=True,
        )

    def improve(self, generator: Generator, server_round: int) -> Generator:
        rng = partial(self._randomness.torch, self._name, server_round)
        self._trainer.train(
            self._units.n_units,
            self._rows,
            partial(generator.draw_hard_rows, rng=rng("fakes")),
            steps=self._study.discriminator_steps,
        )
        settings = choose_generator_steps(
            self._plan,
            self._discriminator,
            generator_steps=self._study.generator_steps,
            expected_batch_size=self._study.expected_batch_size,
        )
        return improve_generator(
            generator, [(self._discriminator, 1.0)], None, settings, rng=rng("generator")
        )

    def _rows(self, chosen: Tensor) -> Tensor:
        draws = self._picks.uniform((len(chosen),))
        rows = self._units.choose_rows(chosen.numpy(), draws)
        return to_one_hot(self._units.codes[rows], self._sizes)


OURS: dict[str, Callable[[Setting], Made]] = {
    "sketch alone": sketch_alone,
    "one group": one_group,
    "GAN alone": gan_alone,
    "fedsynth": joint,
}
BY_STRATEGY: dict[str, Callable[[Setting], Made]] = {
    "fedavg, one group": partial(federate, max_site_groups=1),
    "similarity": partial(federate, strategy="similarity"),
    "similarity, one group": partial(federate, strategy="similarity", max_site_groups=1),
    "vae": partial(federate, model=VAE),
    "mdgan": partial(federate, strategy="mdgan"),
    "mdgan, one group": partial(federate, strategy="mdgan", max_site_groups=1),
}
"""Studies with other strategies, with one group of sites where these differ most, and with the
other generator family; run only when they are named, for ``fedsynth`` is what a user gets."""
