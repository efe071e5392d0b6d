"""Audits: what can be tried out about a promise. What they find none of is not thereby proven.

The sensitivity test is exact and deterministic. One-run bounds say how large epsilon must be at
least, with some confidence, if canaries were told apart as well as they were; zero means that no
violation was shown.
"""

from privacy.audits.curves import Curve, gaussian_curve, ledger_curve
from privacy.audits.dirac import Training, rehearse_training
from privacy.audits.f_dp import f_dp_bound, is_curve_refuted
from privacy.audits.gain import allowed_gain, measure_gain
from privacy.audits.guesses import Guesses, guess_members
from privacy.audits.one_run import compute_p_value, one_run_bound
from privacy.audits.scores import score_projections, score_step
from privacy.audits.sensitivity import SensitivityResult, measure_sensitivity

__all__ = [
    "Curve",
    "Guesses",
    "SensitivityResult",
    "Training",
    "allowed_gain",
    "compute_p_value",
    "f_dp_bound",
    "gaussian_curve",
    "guess_members",
    "is_curve_refuted",
    "ledger_curve",
    "measure_gain",
    "measure_sensitivity",
    "one_run_bound",
    "rehearse_training",
    "score_projections",
    "score_step",
]
