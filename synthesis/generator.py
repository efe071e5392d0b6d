"""The generator: a network from latent codes to one distribution per column.

A row is drawn in two steps: one of ``num_anchors`` latent codes, uniformly, then every column
independently from the softmax that the network gives for that code. So the generator is a mixture
of products whose parts share a network; its moments are exact matrix products without any
sampling, and conditions on columns can be sampled exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Codes = NDArray[np.int16]


@dataclass(frozen=True, kw_only=True)
class GeneratorSettings:
    """Public architecture of the generator; sites and coordinator must agree on it.

    Attributes:
        sizes: codes of every column; their sum is the width of an encoded row.
        num_anchors: latent codes of the mixture.
        latent_dim: length of a latent code.
        hidden: width of the two hidden layers.
    """

    sizes: tuple[int, ...]
    num_anchors: int = 512
    latent_dim: int = 64
    hidden: int = 128

    def __post_init__(self) -> None:
        for name in ("num_anchors", "latent_dim", "hidden"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}.")
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise ValueError(f"sizes must name at least two columns, got {self.sizes}.")

    def to_dict(self) -> dict[str, object]:
        """Return the settings as plain values for ``generator.json``."""
        return asdict(self) | {"sizes": list(self.sizes)}


class Generator(nn.Module):
    """A mixture of products of categorical columns, with a network behind the parts.

    Args:
        settings: the architecture.
        rng: draws the initial weights and latent codes; public randomness.
    """

    def __init__(self, settings: GeneratorSettings, *, rng: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        width = sum(settings.sizes)
        self.anchors = nn.Parameter(
            torch.randn(settings.num_anchors, settings.latent_dim, generator=rng)
        )
        self.network = nn.Sequential(
            nn.Linear(settings.latent_dim, settings.hidden),
            nn.ReLU(),
            nn.Linear(settings.hidden, settings.hidden),
            nn.ReLU(),
            nn.Linear(settings.hidden, width),
        )
        for layer in self.network:
            if isinstance(layer, nn.Linear):
                bound = layer.in_features**-0.5
                for parameter in layer.parameters():
                    nn.init.uniform_(parameter, -bound, bound, generator=rng)

    def forward(self, anchors: Tensor | None = None) -> Tensor:
        """Return the logits of all columns.

        Args:
            anchors: which latent codes, ``(batch,)``; all of them when left out.

        Returns:
            Logits, ``(batch, sum(sizes))``.
        """
        latent = self.anchors if anchors is None else self.anchors[anchors]
        logits: Tensor = self.network(latent)
        return logits

    def probabilities(self, anchors: Tensor | None = None) -> Tensor:
        """Return the probabilities of all codes, softmax per column, ``(batch, sum(sizes))``."""
        columns = self(anchors).split(self.settings.sizes, dim=1)
        return torch.cat([functional.softmax(column, dim=1) for column in columns], dim=1)

    def start_at(self, one_way: tuple[NDArray[np.float64], ...]) -> None:
        """Set the last bias to the logarithm of one distribution per column, in column order."""
        last = self.network[-1]
        assert isinstance(last, nn.Linear)
        logits = [np.log(np.maximum(shares, 1e-5)) for shares in one_way]
        with torch.no_grad():
            last.bias.copy_(torch.from_numpy(np.concatenate(logits)))

    def draw_hard_rows(self, num_rows: int, rng: torch.Generator) -> Tensor:
        """Return one-hot rows with straight-through gradients, ``(num_rows, sum(sizes))``.

        Gumbel-softmax (Jang et al. 2017) with the hard value forward and the soft gradient back:
        a discriminator that sees soft rows learns to tell softness from data.
        """
        picked = torch.randint(self.settings.num_anchors, (num_rows,), generator=rng)
        rows = []
        for logits in self(picked).split(self.settings.sizes, dim=1):
            uniform = torch.rand(logits.shape, generator=rng).clamp(1e-20, 1.0)
            soft = functional.softmax(logits - torch.log(-torch.log(uniform) + 1e-20), dim=1)
            hard = functional.one_hot(soft.argmax(1), logits.shape[1]).to(soft.dtype)
            rows.append(hard + soft - soft.detach())
        return torch.cat(rows, dim=1)

    @torch.no_grad()
    def sample_codes(
        self,
        num_rows: int,
        rng: np.random.Generator,
        *,
        allowed: Mapping[int, NDArray[np.bool_]] | None = None,
    ) -> Codes:
        """Draw rows as codes, exactly under the condition that columns stay in ``allowed``.

        Draws are stratified: a latent code appears as often as its weight asks, up to one row, and
        its columns are spread evenly, so the table strays less from the generator than independent
        rows would.

        Args:
            num_rows: rows to draw, >= 0.
            rng: where the draws come from.
            allowed: per column position, which codes may occur.

        Returns:
            Shape ``(num_rows, n_columns)``.

        Raises:
            ValueError: if the condition has (almost) no probability under the generator.
        """
        columns = [p.double().numpy() for p in self.probabilities().split(self.settings.sizes, 1)]
        weights = np.full(self.settings.num_anchors, 1.0 / self.settings.num_anchors)
        for position, mask in (allowed or {}).items():
            columns[position] = columns[position] * mask
            weights = weights * columns[position].sum(1)
        cumulative = np.cumsum(weights)
        if not cumulative[-1] >= 1e-9:
            raise ValueError(
                "the condition has almost no probability under the generator "
                f"({cumulative[-1]:.1e}); ask for something less rare."
            )
        points = (np.arange(num_rows) + rng.random()) / max(num_rows, 1) * cumulative[-1]
        anchors = np.searchsorted(cumulative, points, side="right")  # ascending
        anchors = np.minimum(anchors, np.flatnonzero(weights)[-1])
        codes = np.empty((num_rows, len(columns)), dtype=np.int16)
        for position, table in enumerate(columns):
            codes[:, position] = _draw(table, anchors, _stratified(anchors, rng))
        return codes[rng.permutation(num_rows)]


def _stratified(anchors: NDArray[np.int64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Return one number in [0, 1) per row; those of one latent code are spread evenly.

    The order within a latent code is random, so columns stay independent given the code.
    """
    starts = np.flatnonzero(np.diff(anchors, prepend=-1))
    counts = np.diff(np.append(starts, len(anchors)))
    ranks = np.arange(len(anchors)) - np.repeat(starts, counts)
    spread = (ranks + rng.random(len(anchors))) / np.repeat(counts, counts)
    shuffled = np.empty(len(anchors))
    shuffled[np.lexsort((rng.random(len(anchors)), anchors))] = spread
    return shuffled


def _draw(
    table: NDArray[np.float64], anchors: NDArray[np.int64], uniform: NDArray[np.float64]
) -> Codes:
    """Draw one code per row from the rows of ``table`` that ``anchors`` names, by inversion."""
    cumulative = np.cumsum(table, axis=1)
    totals = cumulative[:, -1:]
    # One search for all rows: shift every distribution into its own unit interval.
    shifted = (cumulative / np.maximum(totals, 1e-300) + np.arange(len(table))[:, None]).ravel()
    found = np.searchsorted(shifted, anchors + uniform, side="right")
    codes = found - anchors * table.shape[1]
    last_possible = table.shape[1] - 1 - np.argmax(table[:, ::-1] > 0, axis=1)
    drawn: Codes = np.minimum(codes, last_possible[anchors]).astype(np.int16)
    return drawn
