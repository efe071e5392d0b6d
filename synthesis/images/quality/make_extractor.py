"""``python -m synthesis.images.quality.make_extractor``: train the extractor of features anew.

It learns the ten classes of the 1,797 public digits that come with scikit-learn (test part of
Alpaydin and Kaynak 1998, "Optical Recognition of Handwritten Digits", UCI, CC BY 4.0). The same
versions on the same machine give the same weights; elsewhere the last digits differ, which is why
the weights are shipped.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import save
from sklearn.datasets import load_digits
from torch import Tensor, nn

from synthesis.images.quality.extractor import NUM_FEATURES, WEIGHTS_FILE, Extractor, resize
from synthesis.images.quality.training import train

_SEED = 0
_EPOCHS = 12
_REACH = 3


def read_digits() -> tuple[Tensor, Tensor]:
    """Return the public digits, ``(1797, 1, 8, 8)`` in 0..255, and their classes ``(1797,)``."""
    digits = load_digits()
    images = torch.from_numpy(digits.images).mul(255 / 16).round().to(torch.uint8)
    return images[:, None], torch.from_numpy(digits.target).long()


def make_extractor(*, epochs: int = _EPOCHS, seed: int = _SEED) -> Extractor:
    """Train an extractor of features on public digits."""
    images, classes = read_digits()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        extractor = Extractor()
        train(
            nn.Sequential(extractor, nn.Linear(NUM_FEATURES, 10)),
            resize(images),
            classes,
            epochs=epochs,
            reach=(_REACH, _REACH),
            may_flip=False,
            rng=torch.Generator().manual_seed(seed),
        )
    return extractor


def main(words: Sequence[str] | None = None) -> None:
    """Write the weights where they are shipped from, or to another file."""
    parser = argparse.ArgumentParser(
        prog="python -m synthesis.images.quality.make_extractor", description=main.__doc__
    )
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name(WEIGHTS_FILE))
    out: Path = parser.parse_args(words).out
    weights = {name: value.contiguous() for name, value in make_extractor().state_dict().items()}
    out.write_bytes(save(weights))
    sys.stdout.write(f"{out}\n")


if __name__ == "__main__":
    main()
