"""What a site remembers between rounds, on its own disk: safetensors, never pickle.

Everything kept here is public or already private: the discriminator saw records through noise only.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

_POOLED = "pooled-sketch"


class StudyState:
    """The site's folder for one study.

    Args:
        folder: the site's folder.
        study: identifier of the study.
    """

    def __init__(self, folder: Path, study: str) -> None:
        # An identifier from outside never becomes a path.
        self._folder = folder / "state" / hashlib.sha256(study.encode()).hexdigest()[:16]

    def save_pooled_sketch(self, pooled: Tensor) -> None:
        """Keep the pooled sketch, which is not sent again once a round succeeded."""
        self._save(_POOLED, {_POOLED: pooled})

    def load_pooled_sketch(self) -> Tensor:
        """Return the pooled sketch.

        Raises:
            FileNotFoundError: if it never came.
        """
        return self._load(_POOLED)[_POOLED]

    def save_training(self, discriminator: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Keep the discriminator and the moments of its optimiser."""
        tensors = {f"weights.{k}": v for k, v in discriminator.state_dict().items()}
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        self._save("training", tensors)

    def restore_training(self, discriminator: nn.Module, optimizer: torch.optim.Optimizer) -> bool:
        """Put back what ``save_training`` kept; False, and nothing changed, if there is nothing."""
        if not (self._folder / "training.safetensors").exists():
            return False
        tensors = self._load("training")
        weights: dict[str, Tensor] = {}
        moments: dict[int, dict[str, Tensor]] = {}
        for key, value in tensors.items():
            kind, name = key.split(".", 1)
            if kind == "weights":
                weights[name] = value
            else:
                index, moment = name.split(".", 1)
                moments.setdefault(int(index), {})[moment] = value
        discriminator.load_state_dict(weights)
        groups = optimizer.state_dict()["param_groups"]
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
        return True

    def _save(self, name: str, tensors: dict[str, Tensor]) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        target = self._folder / f"{name}.safetensors"
        draft = target.with_suffix(".tmp")
        save_file({key: value.contiguous() for key, value in tensors.items()}, draft)
        os.replace(draft, target)

    def _load(self, name: str) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = load_file(self._folder / f"{name}.safetensors")
        return tensors
