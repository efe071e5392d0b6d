"""Mechanisms as data: what a site did, or is about to do, that costs privacy.

An event holds public facts only and is all an accountant needs. Epsilon is always computed from a
list of events, never added up as a number.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from privacy.budget import Part
from privacy.checks import (
    check_in_unit_interval,
    check_one_line,
    check_positive,
    check_positive_int,
)

__all__ = [
    "Event",
    "GaussianEvent",
    "JsonValue",
    "SampledGaussianEvent",
    "event_from_dict",
]

JsonValue: TypeAlias = str | int | float

MOST_STEPS = 1_000_000
"""More steps in one event keep an accountant busy for hours, which nobody may ask of a site."""

_NOISE_HINT = "use calibrate_gaussian(...) or make_plan(...) to derive it"


@dataclass(frozen=True, kw_only=True)
class GaussianEvent:
    """One release with Gaussian noise.

    Args:
        noise_multiplier: noise standard deviation divided by the L2 sensitivity, > 0.
        purpose: what the release is for, one line, shown in ledgers and reports.
        part: the units it may touch.
    """

    noise_multiplier: float
    purpose: str
    part: Part = Part.TRAINING

    def __post_init__(self) -> None:
        _check_common(self)

    def to_dict(self) -> dict[str, JsonValue]:
        """Return a JSON-ready mapping that `event_from_dict` reads back without loss."""
        return {
            "mechanism": "gaussian",
            "noise_multiplier": self.noise_multiplier,
            "purpose": self.purpose,
            "part": self.part.value,
        }


@dataclass(frozen=True, kw_only=True)
class SampledGaussianEvent:
    """`steps` releases with Gaussian noise, each on a fresh Poisson sample of the units.

    Args:
        noise_multiplier: noise standard deviation divided by the L2 sensitivity, > 0.
        sample_rate: probability that a unit enters a step, declared in public, in (0, 1].
        steps: number of releases, empty samples included, in [1, 1000000].
        purpose: what the releases are for, one line.
        part: the units they may touch.

    Reference: Abadi et al. 2016, Algorithm 1.
    """

    noise_multiplier: float
    sample_rate: float
    steps: int
    purpose: str
    part: Part = Part.TRAINING

    def __post_init__(self) -> None:
        _check_common(self)
        rate = check_in_unit_interval(self.sample_rate, name="sample_rate")
        object.__setattr__(self, "sample_rate", rate)
        steps = check_positive_int(self.steps, name="steps")
        if steps > MOST_STEPS:
            raise ValueError(
                f"steps must be at most {MOST_STEPS}, got more; use larger samples instead"
            )
        object.__setattr__(self, "steps", steps)

    def to_dict(self) -> dict[str, JsonValue]:
        """Return a JSON-ready mapping that `event_from_dict` reads back without loss."""
        return {
            "mechanism": "poisson-sampled-gaussian",
            "noise_multiplier": self.noise_multiplier,
            "sample_rate": self.sample_rate,
            "steps": self.steps,
            "purpose": self.purpose,
            "part": self.part.value,
        }


Event: TypeAlias = GaussianEvent | SampledGaussianEvent


def event_from_dict(fields: Mapping[str, object]) -> Event:
    """Return the event that `to_dict` described.

    Raises:
        ValueError: if the mechanism is unknown, or a field is missing, extra or out of range.
    """
    rest = dict(fields)
    mechanism = rest.pop("mechanism", None)
    kinds: dict[str, type[GaussianEvent] | type[SampledGaussianEvent]] = {
        "gaussian": GaussianEvent,
        "poisson-sampled-gaussian": SampledGaussianEvent,
    }
    if not isinstance(mechanism, str) or mechanism not in kinds:
        raise ValueError(f"mechanism must be one of {sorted(kinds)}, got {mechanism!r}")
    try:
        return kinds[mechanism](**rest)  # type: ignore[arg-type]  # __post_init__ checks values
    except TypeError as error:
        raise ValueError(f"fields of a {mechanism} event are wrong: {error}") from error


def _check_common(event: Event) -> None:
    noise = check_positive(event.noise_multiplier, name="noise_multiplier", hint=_NOISE_HINT)
    object.__setattr__(event, "noise_multiplier", noise)
    check_one_line(event.purpose, name="purpose")
    object.__setattr__(event, "part", Part(event.part))
