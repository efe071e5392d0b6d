"""Autoencoders as the models of a kind of data: which rows they read, and how they begin."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synthesis.generator import Generator
from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema, kind_of
from synthesis.schema import Schema
from synthesis.vae.images import VAE_HIDDEN, ImageBound, ImageVae
from synthesis.vae.tables import CODES, LATENT, TableBound, TableVae
from synthesis.vae.training import PretrainSettings, fit_on_public_rows

__all__ = ["AnyVae", "VaeKind"]

AnyVae: TypeAlias = ImageVae | TableVae


class VaeKind:
    """What a study on autoencoders asks of the kind of its data.

    Args:
        schema: of a table or of images.
    """

    def __init__(self, schema: AnySchema) -> None:
        self._schema = schema
        self._kind = kind_of(schema)
        self._latent = LATENT
        if isinstance(schema, ImageSchema):
            self._latent = ImageGeneratorSettings.for_schema(schema).directions

    @property
    def width(self) -> int:
        """Length of the rows: those of a discriminator, and the noise of each row behind them."""
        return self._kind.width + self._latent

    def make(self, rng: torch.Generator, *, hidden: int = VAE_HIDDEN) -> AnyVae:
        """Return a fresh autoencoder.

        Args:
            rng: draws its weights; public randomness.
            hidden: channels of the second stage of images; of no meaning for tables.
        """
        if isinstance(self._schema, Schema):
            return TableVae(self._schema, rng=rng)
        return ImageVae(ImageGeneratorSettings.for_schema(self._schema, hidden=hidden), rng=rng)

    def bound(self, vae: nn.Module) -> ImageBound | TableBound:
        """Return the loss of each row, which shares the autoencoder's weights."""
        if isinstance(vae, ImageVae):
            return ImageBound(vae)
        assert isinstance(vae, TableVae)
        return TableBound(vae)

    def to_rows(self, codes: NDArray[np.integer], rng: torch.Generator) -> Tensor:
        """Return one row for each record, ``(n, width)``, each by itself.

        Args:
            codes: of the records.
            rng: the noise of a row follows its place in the batch, so it must stay at the site.
        """
        return self._with_noise(self._kind.to_rows(codes, rng), rng)

    def start(
        self, fitted: Generator | ImageGenerator, settings: PretrainSettings, *, seed: int
    ) -> AnyVae:
        """Return an autoencoder of what a generator draws: post-processing, free.

        Args:
            fitted: to a private sketch, or to public data.
            settings: how long it is trained on rows that ``fitted`` draws.
            seed: of the public randomness.
        """
        rng = torch.Generator().manual_seed(seed)
        vae = self.make(rng)
        if isinstance(vae, ImageVae):
            assert isinstance(fitted, ImageGenerator)
            vae.start_at_generator(fitted)
        else:
            assert isinstance(fitted, Generator)
            vae.start_at(fitted)

        def draw(number: int) -> Tensor:
            return self._with_noise(fitted.draw_hard_rows(number, rng), rng)

        fit_on_public_rows(self.bound(vae), draw, settings)
        return vae

    def finish(
        self, vae: AnyVae, fitted: Generator | ImageGenerator, *, seed: int
    ) -> Generator | ImageGenerator:
        """Return the decoder as a generator of its kind; post-processing.

        Args:
            vae: after the rounds.
            fitted: the generator that it began with, whose rows give a table's decoder its codes.
            seed: of the public randomness.
        """
        if isinstance(vae, ImageVae):
            return vae.decoder()
        assert isinstance(fitted, Generator)
        rows = self._kind.to_rows(
            fitted.sample_codes(CODES, np.random.default_rng(seed)), torch.Generator()
        )
        return vae.to_generator(rows, torch.Generator().manual_seed(seed))

    def _with_noise(self, rows: Tensor, rng: torch.Generator) -> Tensor:
        return torch.cat([rows, torch.randn(len(rows), self._latent, generator=rng)], dim=1)
