"""A study on autoencoders at the coordinator: how the rounds begin, and what they leave.

Both are post-processing of private results, and free.
"""

from __future__ import annotations

from torch import nn

from privacy import SeededRandomness
from server.outcome import AnyGenerator
from server.study import Study
from synthesis.images.schema import ImageSchema
from synthesis.kinds import VAE, AnySchema
from synthesis.kinds.vae import VaeKind
from synthesis.vae.images import ImageVae
from synthesis.vae.tables import TableVae
from synthesis.vae.training import PretrainSettings

__all__ = ["finish_rounds", "start_rounds"]


def start_rounds(study: Study, schema: AnySchema, fitted: AnyGenerator) -> nn.Module:
    """Return what the first round begins with: the fitted generator, or an autoencoder of it.

    The encoder of images is known from the sketch in closed form; that of tables, and its decoder,
    are trained on rows that the fitted generator draws.

    Args:
        study: the public settings.
        schema: the public schema.
        fitted: to the pooled sketch.
    """
    if study.model != VAE:
        return fitted
    steps = 0 if isinstance(schema, ImageSchema) else study.fit_steps
    return VaeKind(schema).start(fitted, PretrainSettings(steps=steps), seed=_seed(study, "start"))


def finish_rounds(
    study: Study, schema: AnySchema, trained: nn.Module, fitted: AnyGenerator
) -> AnyGenerator:
    """Return the generator that the rounds leave: of an autoencoder, its decoder.

    Args:
        study: the public settings.
        schema: the public schema.
        trained: as the rounds left it.
        fitted: to the pooled sketch.
    """
    if study.model != VAE:
        assert isinstance(trained, type(fitted))
        return trained
    assert isinstance(trained, ImageVae | TableVae)
    return VaeKind(schema).finish(trained, fitted, seed=_seed(study, "finish"))


def _seed(study: Study, purpose: str) -> int:
    return int(SeededRandomness(study.seed).numpy("vae", purpose).integers(2**31))
