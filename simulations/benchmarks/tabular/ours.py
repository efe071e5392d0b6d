"""Our method and its two halves, each with the whole budget."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from time import process_time
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from client.training import choose_generator_steps, make_discriminator_optimizer
from privacy import PrivateTrainer, SampledGaussianEvent, SeededRandomness, make_plan
from server.study import Study
from simulations.benchmarks.tabular.setting import Made, Setting
from simulations.events import Events
from simulations.reporting import name_nodes
from simulations.settings import Backend
from simulations.simulate import run_study
from simulations.sites import SimulatedSites, write_sites
from strategies.aggregation import weighted_average
from synthesis.adversarial import improve_generator
from synthesis.architecture import GeneratorSettings
from synthesis.discriminator import Discriminator
from synthesis.generator import Generator
from synthesis.kinds import VAE
from synthesis.mixing.site_shares import weigh_sites
from synthesis.rows import to_one_hot
from synthesis.sampling import sample_table
from synthesis.units import Units

USUAL_SHARE = Study.model_fields["adversarial_share"].default

__all__ = ["BY_STRATEGY", "OURS", "gan_alone", "joint", "one_group", "sketch_alone"]


def joint(setting: Setting) -> Made:
    """Return the rows of a study with the settings that a user gets without asking."""
    return _federate(setting)


def sketch_alone(setting: Setting) -> Made:
    """Return the rows of a study without adversarial rounds."""
    return _federate(setting, rounds=0, adversarial_share=0)


def one_group(setting: Setting) -> Made:
    """Return the rows of a study that describes all sites together, without rounds."""
    return _federate(setting, rounds=0, adversarial_share=0, max_site_groups=1)


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


def _federate(setting: Setting, **content: Any) -> Made:
    """Run a study as ``fedsynth simulate`` does, and draw as many rows as were trained on."""
    study, sites = setting.make_study(**content), setting.sites
    with tempfile.TemporaryDirectory(prefix="fedsynth-") as folder:
        home = Path(folder)
        write_sites(sites, study, home, holdout=0.0, seed=setting.seed)
        events = Events(None, study=study, names=sites.names, home=home)
        began = process_time()
        outcome, run = run_study(study, sites, Backend.LOCAL, home, events)
        generator, num_rows = outcome.table_generator, len(sites.train)
        table = sample_table(generator, sites.schema, num_rows, seed=setting.seed)
        seconds = process_time() - began
    named = outcome.with_names(name_nodes(sites, run.partitions))
    sent = sum(delivery.bytes_down + delivery.bytes_up for delivery in run.deliveries)
    return Made(
        table=table,
        of_sites=_sample_sites(named.table_generator, sites, setting.seed),
        processor_s=seconds,
        sent_bytes=sent,
    )


def _sample_sites(
    generator: Generator, sites: SimulatedSites, seed: int
) -> dict[str, pd.DataFrame]:
    """Return rows that describe each site where the generator tells groups of sites apart."""
    groups = generator.settings.groups
    if len(groups) == 1:
        return {}
    sizes = {name: len(table) for name, table in zip(sites.names, sites.tables, strict=True)}
    return {
        site: sample_table(
            weigh_sites(generator, {site: 1.0}), sites.schema, sizes[site], seed=seed
        )
        for group in groups
        for site in group.sites
    }


OURS: dict[str, Callable[[Setting], Made]] = {
    "sketch alone": sketch_alone,
    "one group": one_group,
    "GAN alone": gan_alone,
    "fedsynth": joint,
}
BY_STRATEGY: dict[str, Callable[[Setting], Made]] = {
    "fedavg, one group": partial(_federate, max_site_groups=1),
    "similarity": partial(_federate, strategy="similarity"),
    "similarity, one group": partial(_federate, strategy="similarity", max_site_groups=1),
    "vae": partial(_federate, model=VAE),
    "mdgan": partial(_federate, strategy="mdgan"),
    "mdgan, one group": partial(_federate, strategy="mdgan", max_site_groups=1),
}
"""Studies with other strategies, with one group of sites where these differ most, and with the
other generator family; run only when they are named, for ``fedsynth`` is what a user gets."""
