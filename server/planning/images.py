"""What a study on images costs and may be worth, from public facts alone.

What quality to expect is not foretold: too few public collections were measured.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from privacy import SitePlan
from server.image_defaults import LARGE_SITE
from server.planning.circumstances import check_units
from server.study import Study
from synthesis.images.schema import ImageSchema

if TYPE_CHECKING:
    from synthesis.images.sketch import ImageLayout

_FLOAT32 = 4
_VISIBLE = 2.0
"""Standard deviations of the noise that a number must be above zero to be told from it."""


@dataclass(frozen=True, kw_only=True)
class ImageCircumstances:
    """A schema of images and the sites that would hold some.

    Attributes:
        schema: the public description.
        units: declared images of each site; never a private count.
        basis: where ``units`` come from, in words that end a sentence.
    """

    schema: ImageSchema
    units: tuple[int, ...]
    basis: str

    def __post_init__(self) -> None:
        check_units(self.units)

    @property
    def num_sites(self) -> int:
        """Sites that would take part."""
        return len(self.units)

    @property
    def total_units(self) -> int:
        """Images of all sites."""
        return sum(self.units)

    @property
    def units_per_site(self) -> int:
        """Average images of a site, from which a study follows what it declares."""
        return self.total_units // self.num_sites


@dataclass(frozen=True, kw_only=True)
class ImageForecast:
    """What is known and feared about a study on images.

    Attributes:
        circumstances: schema and sites.
        numbers: of a sketch.
        site_std: noise of one site's sketch in the number of images of a class.
        pooled_std: the same in the sum over all sites.
        concerns: what speaks against the study, in sentences.
    """

    circumstances: ImageCircumstances
    numbers: int
    site_std: float
    pooled_std: float
    concerns: tuple[str, ...]

    @property
    def sketch_bytes(self) -> int:
        """What each site sends once, without its envelope."""
        return self.numbers * _FLOAT32

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a program."""
        where = self.circumstances
        return {
            "sites": where.num_sites,
            "units": list(where.units),
            "unit": "image",
            "units_from": where.basis,
            "noise": {
                "numbers": self.numbers,
                "site_std": self.site_std,
                "pooled_std": self.pooled_std,
            },
            "cost": {"sketch_up": self.sketch_bytes},
            "expected": {},
            "warnings": list(self.concerns),
        }


def forecast_images(
    study: Study, plan: SitePlan, circumstances: ImageCircumstances
) -> ImageForecast:
    """Tell from public facts what a study on images takes and what speaks against it.

    Args:
        study: the settings.
        plan: what each site would spend.
        circumstances: schema and sites.
    """
    noise = _Noise(circumstances.schema, plan)
    pooled_std = noise.site_std * circumstances.num_sites**0.5
    return ImageForecast(
        circumstances=circumstances,
        numbers=noise.layout.dimension,
        site_std=noise.site_std,
        pooled_std=pooled_std,
        concerns=tuple(_find_concerns(study, circumstances, pooled_std)),
    )


def find_own_image_concern(
    study: Study, plan: SitePlan, schema: ImageSchema, units: int
) -> str | None:
    """Return why a site with images should not take part, or None. For its own screen only.

    Args:
        study: the settings; other sites are taken to have its ``nominal_rows``.
        plan: what the site would spend.
        schema: the public schema.
        units: images that the site trains on; private.
    """
    std = _Noise(schema, plan).site_std
    each = units / schema.num_classes
    if units < 1 or each >= std or units >= study.nominal_rows / 2:
        return None
    return (
        f"This site's sketch would be all noise: {std:,.0f} images in the number of each class, "
        f"for {units:,} images of this site in all, where the study counts on "
        f"{study.nominal_rows:,}. It would spend budget and add nothing. Only this screen says so."
    )


def _find_concerns(study: Study, where: ImageCircumstances, pooled_std: float) -> Iterator[str]:
    each = where.total_units / where.schema.num_classes
    if each < _VISIBLE * pooled_std:
        word = "hopeless" if each < pooled_std else "too small for much"
        yield (
            f"epsilon {study.epsilon:g} is {word} here: noise moves the number of images of a "
            f"class by {pooled_std:,.0f}, and a class has about {each:,.0f} at all sites "
            "together. A useful study needs more images, a larger epsilon or fewer classes."
        )
    if study.minimum_sites > where.num_sites:
        yield (
            f"minimum_sites is {study.minimum_sites} and there are {where.num_sites} sites: the "
            "study would end before it begins. Lower it, or find more sites."
        )
    if study.delta >= 1 / where.total_units:
        yield (
            f"delta {study.delta:g} is not below 1/images = {1 / where.total_units:.2g}: it would "
            "allow an image to be published outright. Lower delta."
        )
    if study.rounds and where.total_units < LARGE_SITE * where.num_sites:
        yield (
            f"The rounds take {study.adversarial_share:.0%} of the budget, and sites of fewer than "
            f"{LARGE_SITE:,} images teach little under noise. The sketch alone (rounds = 0 and "
            "adversarial_share = 0) is likely better."
        )


@dataclass(frozen=True)
class _Noise:
    """The noise of a plan in one site's sketch."""

    schema: ImageSchema
    plan: SitePlan

    @cached_property
    def layout(self) -> ImageLayout:
        """Where the numbers lie."""
        from synthesis.images.sketch import ImageLayout

        return ImageLayout.from_schema(self.schema)

    @property
    def site_std(self) -> float:
        """Of the number of images of a class."""
        if self.plan.sketch_noise_multiplier is None:
            raise ValueError("plan must have a sketch; adversarial_share must be below 1.")
        from server.kinds import unit_scale  # it waits for torch

        scale = unit_scale(self.layout)
        return self.plan.sketch_noise_multiplier * self.layout.sensitivity / scale
