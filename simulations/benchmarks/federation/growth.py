"""How time and memory grow with the number of sites, each in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

_CHILD = """
import json, resource
from simulations.benchmarks.federation.measure import make_few_rows_each, run_small_study
seconds = run_small_study(make_few_rows_each({num_sites}))
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps([seconds, peak]))
"""


@dataclass(frozen=True, kw_only=True)
class Line:
    """A straight line through measured times.

    Attributes:
        start_s: processor seconds at no site.
        site_s: processor seconds for each site.
        residuals: measured over fitted time, less one, for each measurement.
    """

    start_s: float
    site_s: float
    residuals: tuple[float, ...]


@dataclass(frozen=True, kw_only=True)
class Growth:
    """What studies of few rows at ever more sites took.

    Attributes:
        sites: how many there were.
        seconds: processor time of hello, sketch, a fit of no length and one short round.
        peak_mib: largest memory of the process, with all sites in it, one after another.
        line: through the seconds.
    """

    sites: tuple[int, ...]
    seconds: tuple[float, ...]
    peak_mib: tuple[float, ...]
    line: Line


def measure_growth(counts: Sequence[int]) -> Growth:
    """Run a small study for every number of sites.

    Args:
        counts: numbers of sites, at least two different ones.
    """
    measured = [_measure(count) for count in counts]
    seconds = tuple(each[0] for each in measured)
    return Growth(
        sites=tuple(counts),
        seconds=seconds,
        peak_mib=tuple(each[1] / 2**20 for each in measured),
        line=fit_line(counts, seconds),
    )


def fit_line(counts: Sequence[int], seconds: Sequence[float]) -> Line:
    """Fit a line by least squares of relative errors, so that small federations count as much."""
    at, took = np.asarray(counts, dtype=float), np.asarray(seconds, dtype=float)
    design = np.column_stack([np.ones_like(at), at]) / took[:, None]
    (start, each), *_ = np.linalg.lstsq(design, np.ones_like(took), rcond=None)
    return Line(
        start_s=float(start),
        site_s=float(each),
        residuals=tuple((took / (start + each * at) - 1).tolist()),
    )


def _measure(num_sites: int) -> tuple[float, int]:
    done = subprocess.run(
        [sys.executable, "-c", _CHILD.format(num_sites=num_sites)],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    seconds, peak = json.loads(done.stdout.splitlines()[-1])
    return float(seconds), int(peak)
