"""What comes from the coordinator as numbers: weights, whose shapes tell a public architecture."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from flwr.app import ArrayRecord
from torch import Tensor

from client.refusals import MalformedRequest
from synthesis.evaluation import EvaluationLayout, ScoreNetwork
from synthesis.generator import Generator, GeneratorSettings
from synthesis.schema import Schema

_LARGEST_SIZE = 100_000
_GENERATOR = {"anchors", "network.0.bias"}
_SCORE_BIAS = "layers.0.bias"


def read_weights(arrays: ArrayRecord) -> dict[str, Tensor]:
    """Return the arrays of a message as tensors of their own.

    Raises:
        MalformedRequest: if a value is not finite or an array cannot be read.
    """
    try:
        weights = {name: torch.from_numpy(np.array(a.numpy())) for name, a in arrays.items()}
    except (ValueError, TypeError, EOFError) as error:
        raise MalformedRequest(f"weights from the coordinator cannot be read: {error}") from None
    if not all(bool(torch.isfinite(weight).all()) for weight in weights.values()):
        raise MalformedRequest("weights from the coordinator must be finite.")
    if any(size > _LARGEST_SIZE for weight in weights.values() for size in weight.shape):
        raise MalformedRequest(f"weights must have at most {_LARGEST_SIZE} in each direction.")
    return weights


def build_generator(weights: Mapping[str, Tensor], schema: Schema) -> Generator:
    """Build the generator that the weights are of.

    Raises:
        MalformedRequest: if a weight is missing, or the shapes fit no generator for this schema.
    """
    if not weights.keys() >= _GENERATOR or weights["anchors"].ndim != 2:
        raise MalformedRequest("weights from the coordinator must be those of a generator.")
    num_anchors, latent_dim = weights["anchors"].shape
    settings = GeneratorSettings(
        sizes=schema.sizes,
        num_anchors=num_anchors,
        latent_dim=latent_dim,
        hidden=len(weights["network.0.bias"]),
    )
    generator = Generator(settings, rng=torch.Generator().manual_seed(0))
    _load(generator, weights)
    return generator


def build_score_network(weights: Mapping[str, Tensor], layout: EvaluationLayout) -> ScoreNetwork:
    """Build the score network that the weights are of.

    Raises:
        MalformedRequest: if a weight is missing, or the shapes fit no network for this schema.
    """
    bias = weights.get(_SCORE_BIAS)
    if bias is None or bias.ndim != 1 or len(bias) < 1:
        raise MalformedRequest("weights from the coordinator must be those of a score network.")
    network = ScoreNetwork(layout, hidden=len(bias), rng=torch.Generator().manual_seed(0))
    _load(network, weights)
    return network


def _load(network: torch.nn.Module, weights: Mapping[str, Tensor]) -> None:
    try:
        network.load_state_dict(dict(weights))
    except RuntimeError as error:
        raise MalformedRequest(f"weights must fit the schema: {error}") from None
