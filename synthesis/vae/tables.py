"""An autoencoder of tables: latent numbers and the label to one distribution per column.

Given latent numbers and a label, the columns are independent, so with many latent codes the decoder
is a mixture of products, which is what the generator of tables is: conditions are met exactly, and
nothing that draws, checks or publishes has to know that it was trained otherwise.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from synthesis.architecture import GeneratorSettings
from synthesis.generator import Generator
from synthesis.schema import Schema
from synthesis.vae.bound import MOST_LOG_VARIANCE, compute_divergence, draw_latent

__all__ = ["LATENT", "TableBound", "TableVae"]

LATENT = 16
"""Latent numbers of a row."""
HIDDEN = 64
"""Width of the hidden layers of encoder and decoder."""
CODES = 2048
"""Latent codes that the published generator has."""


class TableVae(nn.Module):
    """Encoder and decoder of a table: what sites and coordinator send each other.

    Args:
        schema: the public description.
        rng: draws the initial weights; public randomness.
    """

    base: Tensor
    """What the logits of all columns start from, as in the generator of the sketch; not trained."""

    def __init__(self, schema: Schema, *, rng: torch.Generator) -> None:
        super().__init__()
        classes = schema.sizes[schema.label_index]
        self.settings = GeneratorSettings.for_schema(
            schema,
            num_members=1,
            num_anchors=CODES,
            latent_dim=LATENT + classes,
            hidden=HIDDEN,
        )
        self.encoder = nn.Sequential(
            nn.Linear(sum(schema.sizes), HIDDEN), nn.ReLU(), nn.Linear(HIDDEN, 2 * LATENT)
        )
        self.decoder = nn.Sequential(
            nn.Linear(LATENT + classes, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, self.settings.num_outputs),
        )
        for layer in self.modules():
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, a=1.0, generator=rng)
                nn.init.zeros_(layer.bias)
        self.register_buffer("base", torch.zeros(sum(self.settings.base_sizes)))

    @torch.no_grad()
    def start_at(self, generator: Generator) -> None:
        """Take over the base of a generator that was fitted to a sketch; the mean of its groups."""
        shares = torch.tensor([group.share for group in generator.settings.groups])
        self.base.copy_(shares.to(self.base) @ generator.base.view(len(shares), -1))

    @torch.no_grad()
    def to_generator(self, rows: Tensor, rng: torch.Generator) -> Generator:
        """Return the decoder as a generator, with the codes of public rows.

        The posterior of rows that were drawn from a private generator is a prior that fits the
        decoder better than the standard normal does (Tomczak and Welling 2018), and is free.

        Args:
            rows: one-hot rows that are public, ``(CODES, sum(sizes))``.
            rng: draws one code from the posterior of each.

        Raises:
            ValueError: if there are more or fewer rows.
        """
        settings, bound = self.settings, TableBound(self)
        if len(rows) != settings.num_anchors:
            raise ValueError(f"rows must be {settings.num_anchors}, got {len(rows)}.")
        noise = torch.randn(len(rows), LATENT, generator=rng)
        generator = Generator(settings, rng=torch.Generator().manual_seed(0))
        generator.anchors.copy_(bound.find_codes(rows, noise)[0])
        for mine, theirs in zip(self.decoder, generator.network, strict=True):
            if isinstance(mine, nn.Linear):
                theirs.get_parameter("weight").copy_(mine.weight.T)
                theirs.get_parameter("bias").copy_(mine.bias)
        generator.base.copy_(self.base)
        return generator


class TableBound(nn.Module):
    """The negative evidence lower bound of each row: what is made smaller, privately or not.

    It shares the weights that are trained with the autoencoder and holds the rest as numbers, for
    the private step lets a network have no buffers.

    Args:
        vae: trained in place.
    """

    def __init__(self, vae: TableVae) -> None:
        super().__init__()
        self.encoder, self.decoder = vae.encoder, vae.decoder
        self._sizes, self._label = vae.settings.sizes, vae.settings.label_index
        self._outputs = [form.num_outputs for form in vae.settings.forms]
        spreads = [form.make_spread() for form in vae.settings.forms]
        self._spreads = [None if each is None else torch.from_numpy(each) for each in spreads]
        bases = vae.base.clone().split(vae.settings.base_sizes)
        self._bases = [
            base.view(-1, form.size) for base, form in zip(bases, vae.settings.forms, strict=True)
        ]

    def forward(self, rows: Tensor) -> Tensor:
        """Return the loss of each row ``(n,)``.

        Args:
            rows: one-hot columns, and standard normal numbers for the latent draw,
                ``(n, sum(sizes) + LATENT)``.
        """
        told, noise = rows.split([rows.shape[1] - LATENT, LATENT], dim=1)
        codes, divergence = self.find_codes(told, noise)
        columns = told.split(list(self._sizes), dim=1)
        label = columns[self._label]
        loss = divergence
        outputs = self.decoder(codes).split(self._outputs, dim=1)
        for column, output, spread, base in zip(
            columns, outputs, self._spreads, self._bases, strict=True
        ):
            logits = output if spread is None else output @ spread
            logits = logits + (base if len(base) == 1 else label @ base)
            loss = loss - (column * functional.log_softmax(logits, dim=1)).sum(1)
        return loss

    def find_codes(self, told: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the decoder reads of each row, and what it says beyond the prior.

        Args:
            told: one-hot rows, ``(n, sum(sizes))``.
            noise: standard normal numbers, ``(n, LATENT)``.

        Returns:
            Latent numbers with the label behind them, ``(n, LATENT + classes)``, and the divergence
            of each posterior from the standard normal, ``(n,)``.
        """
        mean, log_variance = self.encoder(told).chunk(2, dim=1)
        log_variance = log_variance.clamp(-MOST_LOG_VARIANCE, MOST_LOG_VARIANCE)
        latent = draw_latent(mean, log_variance, noise)
        label = told.split(list(self._sizes), dim=1)[self._label]
        return torch.cat([latent, label], dim=1), compute_divergence(mean, log_variance)
