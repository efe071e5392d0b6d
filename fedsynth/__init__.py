"""The front door: the public Python API and the command line, and nothing else.

Users import only this package. It stays thin: what it offers is made in the other packages.
"""

from fedsynth.shadows import check_root_packages

# First of all, so that a foreign `client.py` in the way is named instead of failing later.
check_root_packages()

from fedsynth.api import SimulationResult, sample, simulate  # noqa: E402
from privacy.errors import BudgetExceeded  # noqa: E402
from strategies.errors import StudyFailed  # noqa: E402
from synthesis.errors import InputError  # noqa: E402

__all__ = [
    "BudgetExceeded",
    "InputError",
    "SimulationResult",
    "StudyFailed",
    "sample",
    "simulate",
]
