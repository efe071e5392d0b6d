"""What a study will cost and may be worth, told before anything runs and from public facts alone.

A study, its schema, the number of sites and the rows that a person declares for each are all that
is read here: never a record, never a site's own count. Nothing here waits for torch.
"""

from server.planning.circumstances import Circumstances
from server.planning.concerns import find_concerns, find_own_concern
from server.planning.cost import Cost, UnitCosts, estimate_cost
from server.planning.expectation import MEASURES, Band, Point, Reference, load_reference
from server.planning.forecast import Forecast, make_forecast
from server.planning.images import ImageCircumstances, ImageForecast, forecast_images
from server.planning.noise import SketchNoise, compute_noise
from server.planning.split import (
    RoundsOutlook,
    find_outlook,
    leave_open,
    parse_open_study,
    settle_share,
    weigh_rounds,
)

__all__ = [
    "MEASURES",
    "Band",
    "Circumstances",
    "Cost",
    "Forecast",
    "ImageCircumstances",
    "ImageForecast",
    "Point",
    "Reference",
    "RoundsOutlook",
    "SketchNoise",
    "UnitCosts",
    "compute_noise",
    "estimate_cost",
    "find_concerns",
    "find_outlook",
    "find_own_concern",
    "forecast_images",
    "leave_open",
    "load_reference",
    "make_forecast",
    "parse_open_study",
    "settle_share",
    "weigh_rounds",
]
