"""A network's weights as arrays, as they are kept and sent, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from numpy.typing import NDArray
from torch import nn


def weights_of(generator: nn.Module) -> dict[str, NDArray[Any]]:
    """Return the weights of a generator as arrays, by name."""
    return {name: weight.numpy() for name, weight in generator.state_dict().items()}


def load_weights(generator: nn.Module, weights: Mapping[str, NDArray[Any]]) -> None:
    """Give a generator weights that ``weights_of`` returned."""
    generator.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in weights.items()})
