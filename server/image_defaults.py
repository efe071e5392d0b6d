"""What a study on images means where it says nothing, from public numbers alone."""

from __future__ import annotations

import math
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

LARGE_SITE: Final = 3000
"""Images that a site is declared to hold for rounds to be worth their share of the budget."""
EXPECTED_BATCH: Final = 600
_STEPS_AT_1: Final = 50
"""Private steps of a round at epsilon 1; a larger budget bears more of them."""
_MOST_STEPS: Final = 200
NO_ROUNDS: Final = MappingProxyType({"rounds": 0, "adversarial_share": 0.0})
"""The sketch alone."""
_ROUNDS: Final = MappingProxyType({"rounds": 4, "adversarial_share": 0.3})
_USUAL: Final = MappingProxyType(
    {
        "fit_steps": 300,
        "generator_steps": 0,
        "max_grad_norm": 0.5,
    }
)


def image_defaults(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that a study on images does not name.

    Where nothing is said of rounds there are four if ``nominal_rows`` declares large sites, else
    none: few images do not teach a network under noise what the sketch does not tell.

    Args:
        content: what the study does name, as plain values.
    """
    usual: dict[str, Any] = dict(_USUAL) | {"discriminator_steps": _choose_steps(content)}
    nominal = content.get("nominal_rows", 0)
    is_large = isinstance(nominal, int) and nominal >= LARGE_SITE
    if is_large:
        usual["sample_rate"] = min(1.0, EXPECTED_BATCH / nominal)
    if not content.keys() & NO_ROUNDS.keys():
        usual |= _ROUNDS if is_large else NO_ROUNDS
    return {name: value for name, value in usual.items() if name not in content}


def _choose_steps(content: Mapping[str, Any]) -> int:
    """Return private steps of a round: noise grows with their root, and falls with epsilon."""
    epsilon = content.get("epsilon", 1.0)
    if not isinstance(epsilon, int | float) or not 0 < epsilon < math.inf:
        return _STEPS_AT_1  # the study says what is wrong with it
    return max(1, min(_MOST_STEPS, round(_STEPS_AT_1 * math.sqrt(epsilon))))
