"""What a hostile coordinator asks for, and the one word that a site has for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

POLICY: dict[str, Any] = {
    "epsilon": 1.0,
    "holdout": 0.3,
    "max_epsilon_per_study": 0.6,
    "max_rounds": 4,
    "smallest_noise_multiplier": 3.0,
}
HONEST: dict[str, Any] = {"epsilon": 0.5, "evaluation": True}


# What is asked, and the one word that is the answer, to hello and to everything else.
SETTINGS: list[tuple[dict[str, Any], str]] = [
    ({"epsilon": 0.61}, "policy-max-epsilon-per-study"),
    ({"epsilon": 5.0}, "policy-max-epsilon-per-study"),
    ({"epsilon": 1000.0}, "policy-max-epsilon-per-study"),
    ({"epsilon": 1000.1}, "malformed"),
    ({"epsilon": 0.5, "delta": 1e-3}, "policy-max-epsilon-per-study"),
    ({"rounds": 5}, "policy-max-rounds"),
    ({"rounds": 1000, "sample_rate": 1.0}, "policy-max-rounds"),
    (
        {"adversarial_share": 0.98, "sample_rate": 0.01, "discriminator_steps": 1},
        "policy-smallest-noise-multiplier",
    ),
    ({"model": "memoriser"}, "policy-models"),
    ({"epsilon": -1.0}, "malformed"),
    ({"epsilon": 0.0}, "malformed"),
    ({"epsilon": float("nan")}, "malformed"),
    ({"epsilon": float("inf")}, "malformed"),
    ({"epsilon": 1e-9}, "malformed"),
    ({"epsilon": True}, "malformed"),
    ({"epsilon": "1"}, "malformed"),
    ({"delta": 0.0}, "malformed"),
    ({"delta": 1e-11}, "malformed"),
    ({"adversarial_share": 1.0}, "malformed"),
    ({"adversarial_share": 0.001}, "malformed"),
    ({"rounds": -1}, "malformed"),
    ({"rounds": 2.0}, "malformed"),
    ({"discriminator_steps": -3}, "malformed"),
    ({"discriminator_steps": 500_000}, "malformed"),
    ({"generator_steps": 10**9}, "malformed"),
    ({"generator_steps": 400_000, "expected_batch_size": 900_000}, "malformed"),
    ({"expected_batch_size": 0}, "malformed"),
    ({"expected_batch_size": 10**9}, "malformed"),
    ({"sample_rate": 0.0}, "malformed"),
    ({"sample_rate": 1.5}, "malformed"),
    ({"max_grad_norm": 0.0}, "malformed"),
    ({"max_grad_norm": float("nan")}, "malformed"),
    ({"study_id": "../../keys/site"}, "malformed"),
    ({"study_id": "/etc/passwd"}, "malformed"),
    ({"study_id": "a\x00b"}, "malformed"),
    ({"study_id": ""}, "malformed"),
    ({"study_id": "x" * 129}, "malformed"),
    ({"config_hash": "not a hash"}, "malformed"),
    ({"noise_multiplier": 0.1}, "malformed"),  # a key that no table lists
    ({"simulation_seed": 3}, "malformed"),
    ({"sites_dir": "/tmp"}, "malformed"),
]


def first(value: float) -> Callable[[dict[str, np.ndarray]], None]:
    def change(weights: dict[str, np.ndarray]) -> None:
        name = next(iter(weights))
        weights[name] = weights[name].copy()
        weights[name].reshape(-1)[0] = value

    return change


def in_eight_bits(scale: np.float16) -> Callable[[dict[str, np.ndarray]], None]:
    """Every weight as large as it can be, times a scale."""

    def change(weights: dict[str, np.ndarray]) -> None:
        for name, values in dict(weights).items():
            weights[name] = np.full(values.shape, 127, np.int8)
            weights[f"{name}:scale"] = np.full(-(-values.size // 64), scale)

    return change


def grow(name: str, shape: tuple[int, ...]) -> Callable[[dict[str, np.ndarray]], None]:
    return lambda weights: weights.update({name: np.zeros(shape, np.float32)})


BAD_WEIGHTS: list[Callable[[dict[str, np.ndarray]], None]] = [
    first(np.nan),
    first(np.inf),
    first(-np.inf),
    first(1e7),
    first(-3e38),
    lambda weights: weights.clear(),
    lambda weights: weights.pop(next(iter(weights))),
    lambda weights: weights.update(extra=np.zeros(3, np.float32)),
    lambda weights: weights.update({n: w[None] for n, w in weights.items()}),
    lambda weights: weights.update({n: w.astype(np.float64) for n, w in weights.items()}),
    lambda weights: weights.update({n: w[:0] for n, w in weights.items()}),
    lambda weights: weights.update({n: w.astype(np.int8) for n, w in weights.items()}),
    lambda weights: weights.update(
        {n: (w + np.inf).astype(np.float16) for n, w in weights.items()}
    ),
    lambda weights: weights.update({n: w.astype(np.float16) for n, w in [*weights.items()][:1]}),
    in_eight_bits(np.float16(6e4)),
    in_eight_bits(np.float16(np.nan)),
    # A small message that would have the site build a network of 40 gigabytes.
    grow("network.0.bias", (100_000,)),
    grow("layers.0.bias", (100_000,)),
    grow("anchors", (100_000, 1)),
]
