"""Attacks on published rows, tried where somebody holds real ones: in a simulation, or at a site.

What is tried lies in `synthesis.attacks`; here are the rows to try, what only a site holds, and the
control: the same attacks on a generator that remembers its rows, where they must win.
"""

from simulations.attacks.matching import MatchedRows, choose_one_each, match_rows
from simulations.attacks.promise import Promise
from simulations.attacks.release import attack_release
from simulations.attacks.trying import try_attacks

__all__ = [
    "MatchedRows",
    "Promise",
    "attack_release",
    "choose_one_each",
    "match_rows",
    "try_attacks",
]
