"""What a simulation on images fills in where its study says nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from server.image_defaults import EXPECTED_BATCH
from server.study import Study, parse_study
from synthesis.kinds import IMAGES, VAE

OF_VAE = {"rounds": 4, "adversarial_share": 0.3, "max_grad_norm": 1000.0}
"""Settings where an autoencoder is asked for; its losses are sums over pixels, hence the clip."""


def make_image_study(content: Mapping[str, Any], *, images_per_site: int, seed: int) -> Study:
    """Build the study of a simulation on images.

    ``nominal_rows``, when it is not given, is the average number of images of a site rounded to one
    digit: a simulation may look at its own images, and the number is declared in the report.

    Args:
        content: the study's settings as plain values.
        images_per_site: average over the sites.
        seed: of the simulation.

    Raises:
        InputError: naming the setting, its value and the rule.
    """
    digits = 10 ** (len(str(max(1, images_per_site))) - 1)
    nominal = max(1, round(images_per_site / digits) * digits)
    declared = {
        "model": IMAGES,
        "name": f"simulation-{seed}",
        "nominal_rows": nominal,
        "sample_rate": min(1.0, EXPECTED_BATCH / nominal),
        "seed": seed,
    }
    usual = OF_VAE if content.get("model") == VAE else {}
    return parse_study(declared | usual | dict(content))
