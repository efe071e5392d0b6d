"""Everything that can be told of a study before it runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from privacy import SitePlan
from server.planning.circumstances import Circumstances
from server.planning.concerns import find_concerns
from server.planning.cost import Cost, estimate_cost
from server.planning.expectation import MEASURES, Band, Measure, Reference
from server.planning.noise import SketchNoise, compute_noise
from server.study import Study


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """What is known, estimated and feared about a study.

    Attributes:
        circumstances: schema and sites.
        noise: of the sketch; exact.
        cost: traffic, and rough figures of memory and time.
        bands: what studies with as much signal came to; None where the reference does not reach.
        concerns: what speaks against the study, in sentences.
    """

    circumstances: Circumstances
    noise: SketchNoise
    cost: Cost
    bands: Mapping[Measure, Band | None]
    concerns: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a program."""
        where = self.circumstances
        return {
            "sites": where.num_sites,
            "units": list(where.units),
            "unit": where.schema.unit.kind,
            "units_from": where.basis,
            "noise": asdict(self.noise),
            "cost": asdict(self.cost),
            "expected": {name: band and asdict(band) for name, band in self.bands.items()},
            "warnings": list(self.concerns),
        }


def make_forecast(
    study: Study, plan: SitePlan, circumstances: Circumstances, reference: Reference
) -> Forecast:
    """Tell from public facts what a study will take and may be worth.

    Args:
        study: the settings.
        plan: what each site would spend.
        circumstances: schema and sites.
        reference: what was measured on public tables.
    """
    noise = compute_noise(plan, circumstances)
    return Forecast(
        circumstances=circumstances,
        noise=noise,
        cost=estimate_cost(study, circumstances, reference.costs),
        bands={measure: reference.expect(measure, noise.signal) for measure in MEASURES},
        concerns=find_concerns(study, plan, circumstances, noise, reference.costs),
    )
