"""Attacks on published rows by somebody who holds real ones: what could still be learnt of them?

Every attack is tried on rows that were trained on and, as a control, on as many that were not. All
of it reads real rows without noise, so it is for a site by itself and for simulations, which own
all rows anyway. An attack that fails proves nothing.
"""

from synthesis.attacks.attribute import choose_targets
from synthesis.attacks.copies import row_keys
from synthesis.attacks.intervals import compare_shares
from synthesis.attacks.membership import attack_by_likelihood, attack_by_rows, log_likelihood
from synthesis.attacks.records import FEWEST, MOST, MOST_SYNTHETIC, Records
from synthesis.attacks.suite import FALSE_ALARMS, STEPS, attack_rows, find_successes
from synthesis.attacks.trial import Kind, Trial

__all__ = [
    "FALSE_ALARMS",
    "FEWEST",
    "MOST",
    "MOST_SYNTHETIC",
    "STEPS",
    "Kind",
    "Records",
    "Trial",
    "attack_by_likelihood",
    "attack_by_rows",
    "attack_rows",
    "choose_targets",
    "compare_shares",
    "find_successes",
    "log_likelihood",
    "row_keys",
]
