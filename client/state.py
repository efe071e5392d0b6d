"""What a site remembers between rounds, on its own disk: safetensors, never pickle.

Everything kept here is public or already private: the discriminator saw records through noise only.
"""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from client.study_folder import study_folder
from synthesis.durable_file import replace_file

_POOLED = "pooled-sketch"
_TRAINING = "training-"


class StudyState:
    """The site's folder for one study.

    Args:
        folder: the site's folder.
        study: identifier of the study.
    """

    def __init__(self, folder: Path, study: str) -> None:
        self.folder = study_folder(folder, study)

    def save_pooled_sketch(self, pooled: Tensor) -> None:
        """Keep the pooled sketch, which is not sent again once a round succeeded."""
        self._save(_POOLED, {_POOLED: pooled})

    def load_pooled_sketch(self) -> Tensor:
        """Return the pooled sketch.

        Raises:
            FileNotFoundError: if it never came.
        """
        return self._load(_POOLED)[_POOLED]

    def save_training(
        self, server_round: int, discriminator: nn.Module, optimizer: torch.optim.Optimizer
    ) -> None:
        """Keep the discriminator and the moments of its optimiser as a round left them."""
        tensors = {f"weights.{k}": v for k, v in discriminator.state_dict().items()}
        for index, moments in optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer.{index}.{name}": value for name, value in moments.items()}
        self._save(f"{_TRAINING}{server_round}", tensors)
        for earlier in self._trained_rounds()[:-2]:
            (self.folder / f"{_TRAINING}{earlier}.safetensors").unlink(missing_ok=True)

    def restore_training(
        self, server_round: int, discriminator: nn.Module, optimizer: torch.optim.Optimizer
    ) -> bool:
        """Put back what the last round before this one left; False if there was none.

        A round that was interrupted and begins again starts where it started before, so that its
        steps are not taken twice.
        """
        before = [number for number in self._trained_rounds() if number < server_round]
        if not before:
            return False
        tensors = self._load(f"{_TRAINING}{before[-1]}")
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

    def _trained_rounds(self) -> list[int]:
        """Return the rounds whose discriminator is kept, in order."""
        return sorted(
            int(path.stem.removeprefix(_TRAINING))
            for path in self.folder.glob(f"{_TRAINING}*.safetensors")
        )

    def _save(self, name: str, tensors: dict[str, Tensor]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        whole = {key: value.contiguous() for key, value in tensors.items()}
        replace_file(self.folder / f"{name}.safetensors", save(whole))

    def _load(self, name: str) -> dict[str, Tensor]:
        tensors: dict[str, Tensor] = load_file(self.folder / f"{name}.safetensors")
        return tensors
