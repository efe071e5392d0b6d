"""Sketches become one, or one for each group of sites alike; a rule may stand bad sites."""

from server.pooling.grouped_pool import find_comparison, find_groups
from server.pooling.grouping import SketchGroup
from server.pooling.partial_pool import Missing
from server.pooling.robust_pool import find_differing, make_pool
from server.pooling.site_comparison import SiteComparison
from server.pooling.sketch_pool import (
    epsilon_of,
    kept_values,
    noise_of,
    number_of,
    pooled_of,
    sizes_of,
    to_record,
)
from server.pooling.target_tests import hold_study
from server.pooling.weighing import SiteWeight, weigh_sites

__all__ = [
    "Missing",
    "SiteComparison",
    "SiteWeight",
    "SketchGroup",
    "epsilon_of",
    "find_comparison",
    "find_differing",
    "find_groups",
    "hold_study",
    "kept_values",
    "make_pool",
    "noise_of",
    "number_of",
    "pooled_of",
    "sizes_of",
    "to_record",
    "weigh_sites",
]
