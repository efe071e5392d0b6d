"""Settings that people give to private training and that would break its promise, with the reason.

Each has been seen in public code. None is a setting here; asking for one is an error that says why.
"""

from __future__ import annotations

from collections.abc import Mapping

from opacus.data_loader import DPDataLoader
from opacus.utils.uniform_sampler import UniformWithReplacementSampler
from torch.utils.data import DataLoader, Sampler

__all__ = ["KNOWN_MISTAKES", "refuse_loader", "refuse_mistakes"]

_PENALTY = (
    "a gradient penalty on real rows puts them into the loss beside the clipped gradients, where "
    "nothing bounds one record; use no penalty, or one on fakes alone in the generator's step"
)
_PACKING = (
    "packing several records into one sample lets one record move more than one clipped gradient; "
    "give the discriminator one row at a time"
)
_SELECTION = (
    "choosing a model by a metric on real rows is a release of its own, and without noise it costs "
    "an unbounded epsilon; keep the last model, or choose by what was released already"
)
_DERIVED = (
    "it derives the sample rate or the number of steps from the row count, which is private; "
    "declare sample_rate and steps in the event that was reserved"
)
_RESERVED = (
    "it stands in the reserved event and comes from nowhere else, or training would not be what "
    "was paid for; reserve another event"
)
_SEED = (
    "seeded noise can be subtracted by whoever knows the seed; give a randomness, and a seeded one "
    "in a simulation only"
)
_NON_POISSON = (
    "a loader that shuffles or cuts rows into batches is non-Poisson, while the accountant assumes "
    "an independent coin for every row and step; give take_rows, and batches are drawn here"
)
_LOADER_RATE = (
    "Opacus' DPDataLoader has a rate derived from the row count, so that one record moves it; "
    "declare sample_rate in the event that was reserved and give take_rows"
)
_OTHER_COINS = (
    "its coins come from a generator that is not cryptographic, at a rate nobody has compared with "
    "the reserved one; give take_rows, and batches are drawn here"
)

KNOWN_MISTAKES: Mapping[str, str] = {
    **dict.fromkeys(("gradient_penalty", "gradient_penalty_weight", "lambda_gp"), _PENALTY),
    **dict.fromkeys(("pac", "packing"), _PACKING),
    **dict.fromkeys(("early_stopping", "patience", "best_checkpoint", "select_by"), _SELECTION),
    **dict.fromkeys(("epochs", "batch_size", "num_examples"), _DERIVED),
    **dict.fromkeys(("noise_multiplier", "sample_rate", "steps"), _RESERVED),
    **dict.fromkeys(("poisson_sampling", "shuffle"), _NON_POISSON),
    **dict.fromkeys(("loader", "data_loader", "train_loader"), _NON_POISSON),
    **dict.fromkeys(("sampler", "batch_sampler"), _NON_POISSON),
    "seed": _SEED,
}
"""Name of a setting that is a known mistake, and why it is refused."""


def refuse_mistakes(settings: Mapping[str, object], *, owner: str) -> None:
    """Raise for every setting there is; call it with those that `owner` does not know.

    Raises:
        ValueError: if a setting is a known mistake, with the reason.
        TypeError: if it is unknown, as Python does.
    """
    for name, value in settings.items():
        refuse_loader(value, name=name)
        if name in KNOWN_MISTAKES:
            raise ValueError(f"{name} must not be given here: {KNOWN_MISTAKES[name]}.")
        raise TypeError(f"{owner} got an unexpected keyword argument {name!r}")


def refuse_loader(value: object, *, name: str) -> None:
    """Raise if `value` draws batches by itself.

    Raises:
        ValueError: if it is a loader or a sampler, with the reason.
    """
    if isinstance(value, DPDataLoader):
        raise ValueError(f"{name} must not be a loader: {_LOADER_RATE}.")
    if isinstance(value, UniformWithReplacementSampler):
        raise ValueError(f"{name} must not be a sampler: {_OTHER_COINS}.")
    if isinstance(value, DataLoader | Sampler):
        raise ValueError(f"{name} must not be a loader: {_NON_POISSON}.")
