"""A classifier trained on synthetic rows, and how its scores on the hold-out are counted.

The network never sees a real row before its weights are fixed, and a unit changes one count for
each of its rows, weighed: so the histogram of its scores has sensitivity one, however it was made.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from synthesis.evaluation.layout import EvaluationLayout
from synthesis.layout import Counts
from synthesis.rows import to_one_hot

SCORE_BINS = 20
SCORES_SENSITIVITY = 1.0
HIDDEN = 64
BATCH_SIZE = 512
EPOCHS = 8
LEARNING_RATE = 2e-3


class ScoreNetwork(nn.Module):
    """One hidden layer over one-hot rows without the label; the score says how positive a row is.

    A score is the share of synthetic rows that the network finds less positive, so it lies in
    [0, 1] and its bins of equal width are all used. ``edges`` holds the inner borders of the bins.

    Args:
        layout: the columns, and which of them is the label, which the network does not see.
        hidden: width of the hidden layer.
        rng: draws the initial weights; public randomness.
    """

    edges: Tensor

    def __init__(
        self, layout: EvaluationLayout, *, hidden: int = HIDDEN, rng: torch.Generator
    ) -> None:
        super().__init__()
        self.features = tuple(i for i in range(len(layout.sizes)) if i != layout.label_index)
        self.sizes = tuple(layout.sizes[i] for i in self.features)
        self.layers = nn.Sequential(
            nn.Linear(sum(self.sizes), hidden), nn.ReLU(), nn.Linear(hidden, 1)
        )
        self.register_buffer("edges", torch.linspace(-1, 1, SCORE_BINS - 1))
        for layer in self.layers:
            if isinstance(layer, nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, generator=rng)
                nn.init.zeros_(layer.bias)

    def forward(self, rows: Tensor) -> Tensor:
        """Return logits ``(batch,)`` for encoded features ``(batch, sum(sizes))``."""
        logits: Tensor = self.layers(rows).squeeze(1)
        return logits

    def encode(self, codes: NDArray[np.integer]) -> Tensor:
        """Return the one-hot features of rows ``(n_rows, n_columns)``, the label left out."""
        return to_one_hot(codes[:, list(self.features)].astype(np.int16), self.sizes)

    @torch.no_grad()
    def logits(self, codes: NDArray[np.integer]) -> NDArray[np.float64]:
        """Return the logits of rows ``(n_rows, n_columns)``, ``n_rows`` may be 0.

        Bit for bit, a row's logit depends on that row alone: sums are taken one term after the
        other, which a matrix product does not promise, and a row that others could push over the
        border of a bin would move two counts.
        """
        weights, bias, last_weights, last_bias = (p.double().numpy() for p in self.parameters())
        table = weights.T  # (sum(sizes), hidden)
        hidden = np.tile(bias, (len(codes), 1))
        starts = np.concatenate([[0], np.cumsum(self.sizes)[:-1]])
        for feature, start in zip(self.features, starts, strict=True):
            hidden += table[codes[:, feature].astype(np.int64) + start]
        np.maximum(hidden, 0.0, out=hidden)
        logits = np.full(len(codes), float(last_bias[0]))
        for column, weight in zip(hidden.T, last_weights[0], strict=True):
            logits += column * weight
        return logits


def train_score_network(
    layout: EvaluationLayout, codes: NDArray[np.integer], *, rng: torch.Generator
) -> ScoreNetwork:
    """Train the network on synthetic rows only, which costs no privacy.

    The positive class is the last level of the label, so that one row has one score.

    Args:
        layout: says which column is the label.
        codes: synthetic rows, ``(n_rows, n_columns)``, at least one.
        rng: public randomness.
    """
    network = ScoreNetwork(layout, rng=rng)
    is_positive = torch.from_numpy(_find_positive(layout, codes)).float()
    optimizer = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, weight_decay=1e-5)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(codes), generator=rng).split(BATCH_SIZE):
            logits = network(network.encode(codes[batch.numpy()]))
            loss = functional.binary_cross_entropy_with_logits(logits, is_positive[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    shares = np.arange(1, SCORE_BINS) / SCORE_BINS
    edges = np.quantile(network.logits(codes), shares)
    network.edges.copy_(torch.from_numpy(edges.astype(np.float32)))
    return network


def compute_scores(
    network: ScoreNetwork,
    layout: EvaluationLayout,
    codes: NDArray[np.integer],
    weights: Counts | None = None,
) -> Counts:
    """Count the scores of both classes in bins; exact, and private until noise is added.

    Args:
        network: what gives the scores; a row whose logit is not finite takes part all the same.
        layout: says which column is the label, and which level is its last.
        codes: encoded rows, ``(n_rows, n_columns)``; ``n_rows`` may be 0.
        weights: of the rows, those of a unit adding up to at most one; 1 each when left out.

    Returns:
        Shape ``(2 * SCORE_BINS,)``: all other classes together, then the positive one. One unit
        moves it by at most ``SCORES_SENSITIVITY``.
    """
    found = np.searchsorted(network.edges.double().numpy(), network.logits(codes), side="right")
    bins = np.clip(found, 0, SCORE_BINS - 1)
    cells = np.where(_find_positive(layout, codes), SCORE_BINS + bins, bins)
    counts = np.bincount(cells, weights=weights, minlength=2 * SCORE_BINS)
    return counts.astype(np.float64)


def _find_positive(layout: EvaluationLayout, codes: NDArray[np.integer]) -> NDArray[np.bool_]:
    positive: NDArray[np.bool_] = (
        codes[:, layout.label_index] == layout.sizes[layout.label_index] - 1
    )
    return positive
