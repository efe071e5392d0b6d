"""How much of a release can be more than noise, told from the released counts alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from privacy.budget import Unit
from server.report.parts import Count, NotNegative, Part

if TYPE_CHECKING:  # reading a record takes no Flower
    from server.outcome import StudyOutcome

VISIBLE = 2.0
"""Standard deviations of the noise that a count must be above zero to be told from it."""
DROWNED = 0.25
"""Share of all units in the smallest visible count from which on a release is mostly noise."""


class SketchNoise(Part):
    """The noise in a count of the sketch, beside what was counted; free post-processing."""

    units: Count
    """Records or persons of all sites, estimated from the noisy sketch."""
    pooled_std: NotNegative
    """Standard deviation of the noise in one count, all sites together."""
    site_std: NotNegative
    """The same at one site; all add as much, however many units they have."""

    @property
    def smallest_visible(self) -> int:
        """Units that must share something before it can be told from noise."""
        return max(1, round(VISIBLE * self.pooled_std))

    @property
    def is_drowned(self) -> bool:
        """Whether hardly anything in the release is more than noise."""
        return self.smallest_visible > DROWNED * self.units

    def describe(self, unit: Unit, is_of_images: bool = False) -> str:
        """Return what a reader should know before trusting any pattern of the release."""
        if is_of_images:
            return self._describe_images()
        noun = "records" if unit is Unit.RECORD else "persons"
        told = (
            f"A count in the sketch of all sites has noise of standard deviation "
            f"{self.pooled_std:,.0f}, beside about {self.units:,} {noun} in all: a combination of "
            f"two values and the label that fewer than about {self.smallest_visible:,} {noun} "
            f"share is noise. The sketch of a site with fewer than about {self.site_std:,.0f} "
            f"{noun} tells more noise than {noun}."
        )
        if not self.is_drowned:
            return told
        return (
            f"{told} So this table is mostly noise: hardly more than shares of common values can "
            f"be right, and no link between columns should be believed. More {noun}, fewer "
            "columns, coarser bins, fewer sites that are very small, or a larger epsilon would "
            "help."
        )

    def _describe_images(self) -> str:
        told = (
            f"The number of images of a class has noise of standard deviation "
            f"{self.pooled_std:,.0f} in the sketch of all sites, beside about {self.units:,} "
            f"images in all: a class with fewer than about {self.smallest_visible:,} images is "
            "noise. What images of a class look like is told less well than their number."
        )
        if not self.is_drowned:
            return told
        return (
            f"{told} So these images are mostly noise. More images, fewer classes, fewer sites "
            "that are very small, or a larger epsilon would help."
        )


def build_sketch_noise(outcome: StudyOutcome) -> SketchNoise:
    """Return what the coordinator knows of the noise in a study's sketch."""
    return SketchNoise(
        units=round(outcome.estimated_rows),
        pooled_std=outcome.sketch_noise_std,
        site_std=outcome.site_noise_std,
    )
