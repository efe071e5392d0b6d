"""The sketch: the one release of exact counts under noise, once per study."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from client.canaries import read_training_units
from client.phases import SKETCH_PHASE, begin_phase
from client.reserving import reserve_study
from client.settings import StudyRequest
from client.site import Site
from privacy import SitePlan, gaussian_mechanism
from synthesis.kinds import kind_of


@dataclass(frozen=True, kw_only=True, eq=False)
class SketchRelease:
    """What the site gives away: noisy counts, and the noise, which is public."""

    statistics: NDArray[np.float64]
    plan: SitePlan


def release_sketch(site: Site, request: StudyRequest) -> SketchRelease:
    """Reserve the study, then count the records and add the noise of the plan.

    Raises:
        BudgetExceeded: if the site's budget does not allow the study.
        AlreadyReleased: if the sketch of this study was made before.
        InputError: if the table cannot be read; the budget stays spent.
    """
    plan, reservation = reserve_study(site, request)
    begin_phase(site, reservation, SKETCH_PHASE)
    kind = kind_of(site.schema, site.missing)
    units = read_training_units(site, request)
    if plan.sketch_noise_multiplier is None:
        raise ValueError("a study needs a sketch; adversarial-share must be below 1.")
    counts, told = kind.count(units), kind.layout.told_cells
    statistics = np.zeros_like(counts)  # and so it stays where the site has nothing to tell
    statistics[told] = gaussian_mechanism(
        counts[told],
        sensitivity=kind.layout.sensitivity,
        noise_multiplier=plan.sketch_noise_multiplier,
        stream=site.randomness.stream(site.config.name, request.study, "sketch"),
    )
    return SketchRelease(statistics=statistics, plan=plan)
