"""What the rounds begin with and what they leave, at the coordinator.

A generator improves as it is, and an autoencoder takes its place in a study on these. Where a
generator has members for groups of sites, the rounds improve the others, which describe all sites:
a group of few sites has too little signal for rounds of its own, and would be pulled away from its
sketch. All this is post-processing of private results, and free.
"""

from __future__ import annotations

from torch import nn

from privacy import SeededRandomness
from server.outcome import AnyGenerator
from server.study import Study
from synthesis.generator import Generator
from synthesis.images.schema import ImageSchema
from synthesis.kinds import VAE, AnySchema
from synthesis.kinds.vae import VaeKind
from synthesis.vae.images import ImageVae
from synthesis.vae.tables import TableVae
from synthesis.vae.training import PretrainSettings

__all__ = ["finish_rounds", "start_rounds"]


def start_rounds(study: Study, schema: AnySchema, fitted: AnyGenerator) -> nn.Module:
    """Return what the first round begins with: a part of the generator, or an autoencoder of it.

    The encoder of images is known from the sketch in closed form; that of tables, and its decoder,
    are trained on rows that the fitted generator draws.

    Args:
        study: the public settings.
        schema: the public schema.
        fitted: to the pooled sketch.
    """
    if study.model != VAE:
        return fitted.split()[-1] if isinstance(fitted, Generator) else fitted
    steps = 0 if isinstance(schema, ImageSchema) else study.fit_steps
    return VaeKind(schema).start(fitted, PretrainSettings(steps=steps), seed=_seed(study, "start"))


def finish_rounds(
    study: Study, schema: AnySchema, trained: nn.Module, fitted: AnyGenerator
) -> AnyGenerator:
    """Return the generator that the rounds leave; of an autoencoder, its decoder.

    Args:
        study: the public settings.
        schema: the public schema.
        trained: as the rounds left it.
        fitted: to the pooled sketch.
    """
    if study.model != VAE:
        assert isinstance(trained, type(fitted))
        if isinstance(trained, Generator) and isinstance(fitted, Generator):
            return Generator.join([*fitted.split()[:-1], trained], fitted.settings.groups)
        return trained
    assert isinstance(trained, ImageVae | TableVae)
    return VaeKind(schema).finish(trained, fitted, seed=_seed(study, "finish"))


def _seed(study: Study, purpose: str) -> int:
    return int(SeededRandomness(study.seed).numpy("vae", purpose).integers(2**31))
