"""How the replies of one round become the next global generator: one small class per rule.

``RULES`` names them. Folding rules add replies up exactly as they come and hold none; robust rules
need all replies of a round at once and hold them, so their memory grows with sites. They are our
own, for Flower's cannot be resumed, and what they give depends on which site answered first: means
over an order that ``partition`` leaves open, ties that ``argpartition`` breaks, and distances from
differences of large squares in float32, which may even be negative.
"""

from strategies.rules.held import HeldRule
from strategies.rules.mdgan import Judge, MdGan
from strategies.rules.registry import RULES, check_rule, make_rule, usual_settings
from strategies.rules.rule import Rule, RuleSettings
from strategies.rules.similarity import Similarity

__all__ = [
    "RULES",
    "HeldRule",
    "Judge",
    "MdGan",
    "Rule",
    "RuleSettings",
    "Similarity",
    "check_rule",
    "make_rule",
    "usual_settings",
]
