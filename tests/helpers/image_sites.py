"""Sites with a few images, and questions to them as a coordinator could put them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from asking import send
from flwr.app import Array, ArrayRecord, Message
from tiny_sites import make_config

from client.founding import found_site
from client.site import Site, load_site
from privacy import Policy, Unit
from server.study import Study
from strategies import protocol
from strategies.protocol import ARRAYS
from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.saving import save_images
from synthesis.images.schema import ImageSchema
from synthesis.units import Codes

IMAGES = ImageSchema(name="patches", height=8, width=8, classes=("dark", "bright"))
NUMBERS = (137, 211, 173)
STUDY: dict[str, Any] = {"model": "images", "evaluation": False}


def draw_patches(number: int, seed: int = 0) -> Codes:
    rng = np.random.default_rng(seed)
    labels = rng.integers(2, size=(number, 1))
    pixels = rng.integers(0, 120, (number, IMAGES.num_pixels)) + 120 * labels
    return np.concatenate([pixels, labels], axis=1).astype(np.int16)


def write_image_site(
    folder: Path, *, number: int = NUMBERS[0], seed: int = 0, epsilon: float = 1.0, **policy: Any
) -> Site:
    """Found a site with images; ``policy`` holds further settings of its policy."""
    allowed = {"models": ("images",)} | policy
    found_site(
        folder,
        name=folder.name,
        data="images.npz",
        schema=IMAGES,
        policy=Policy(epsilon=epsilon, delta=1e-5, unit=Unit.RECORD, **allowed),
        simulation_seed=seed,
    )
    save_images(folder / "images.npz", draw_patches(number, seed), IMAGES)
    return load_site(folder, is_simulated=True)


def write_image_sites(home: Path, **more: Any) -> list[Site]:
    return [
        write_image_site(home / f"site-{place + 1}", number=number, seed=place, **more)
        for place, number in enumerate(NUMBERS)
    ]


def make_image_study(**changes: Any) -> Study:
    from tiny_sites import make_study

    return make_study(**STUDY | changes)


def image_weights(schema: ImageSchema = IMAGES, hidden: int = 8) -> dict[str, np.ndarray]:
    settings = ImageGeneratorSettings.for_schema(schema, hidden=hidden)
    generator = ImageGenerator(settings, rng=torch.Generator().manual_seed(0))
    return {name: value.numpy().copy() for name, value in generator.state_dict().items()}


def ask_images(
    home: Path, kind: str, records: dict[str, ArrayRecord] | None = None, **changes: Any
) -> Message:
    """Ask for a sketch or, with weights, for a round; changes as in ``tiny_sites``."""
    return send(home, kind, make_config(**STUDY | changes), **(records or {}))


def ask_image_round(
    home: Path, weights: dict[str, Any] | None = None, pooled: np.ndarray | None = None, **more: Any
) -> Message:
    given = image_weights() if weights is None else weights
    records = {ARRAYS: ArrayRecord({name: Array(value) for name, value in given.items()})}
    if pooled is not None:
        records[protocol.POOLED_SKETCH] = ArrayRecord({protocol.STATISTICS: Array(pooled)})
    settings = {"server_round": 1, "pooled_noise_std": 3.0} | more
    return ask_images(home, protocol.TRAIN, records, **settings)
