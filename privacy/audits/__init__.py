"""Audits: what can be tried out about a promise. What they find none of is not thereby proven.

The sensitivity test is exact and deterministic. One-run bounds say how large epsilon must be at
least, with some confidence, if canaries were told apart as well as they were; zero means that no
violation was shown.

What trains is imported at the first use of its name, so that a reader of bounds does not wait for
torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from privacy.audits.curves import Curve, gaussian_curve, ledger_curve
from privacy.audits.f_dp import f_dp_bound, is_curve_refuted
from privacy.audits.gain import allowed_gain, measure_gain
from privacy.audits.guesses import Guesses, guess_members
from privacy.audits.judging import Bounds, find_ceiling, judge
from privacy.audits.one_run import compute_p_value, one_run_bound
from privacy.audits.scores import score_projections, score_step

if TYPE_CHECKING:
    from privacy.audits.dirac import Training, rehearse_training
    from privacy.audits.sensitivity import SensitivityResult, measure_sensitivity

__all__ = [
    "Bounds",
    "Curve",
    "Guesses",
    "SensitivityResult",
    "Training",
    "allowed_gain",
    "compute_p_value",
    "f_dp_bound",
    "find_ceiling",
    "gaussian_curve",
    "guess_members",
    "is_curve_refuted",
    "judge",
    "ledger_curve",
    "measure_gain",
    "measure_sensitivity",
    "one_run_bound",
    "rehearse_training",
    "score_projections",
    "score_step",
]

_HOMES = {
    "SensitivityResult": "privacy.audits.sensitivity",
    "Training": "privacy.audits.dirac",
    "measure_sensitivity": "privacy.audits.sensitivity",
    "rehearse_training": "privacy.audits.dirac",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """Import a name that needs torch when it is first asked for."""
        if name not in _HOMES:
            raise AttributeError(f"module 'privacy.audits' has no attribute {name!r}")
        globals()[name] = getattr(import_module(_HOMES[name]), name)
        return globals()[name]

    def __dir__() -> list[str]:
        """List the public names also before they are imported."""
        return sorted({*globals(), *__all__})
