"""How a study divides its budget between the sketch and the adversarial rounds, if nobody says.

The rule looks at public numbers only: the signal that a site's own sketch would have with all of
the budget. Discriminators learn at a site, from its rows and its noise alone, so it is the site's
and not that of all. Below `SPLIT_SIGNAL` they would learn from noise, and what they take is missing
in the sketch; from it on the rounds get the usual share. A study that travels holds the number,
never the word: every site computes its plan from what it receives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from privacy import Budget, calibrate_gaussian
from server.planning.noise import compute_signal
from server.study import AUTO, Study, parse_study
from synthesis.kinds import VAE
from synthesis.layout import SketchLayout

SPLIT_SIGNAL = 50.0
"""On Adult rounds lose more than they gain at 14, 25 and 36 (4 sites at epsilon 1, 16 at 10, 4 at
3) and gain from 66 on (4 sites at epsilon 6); docs/planning.md has the figures."""
SHARE = "adversarial_share"
ABOUT_ROUNDS = frozenset(
    {
        *(SHARE, "rounds", "discriminator_steps", "generator_steps", "sample_rate"),
        *("max_grad_norm", "strategy", "server_learning_rate", "server_momentum", "proximal"),
    }
)
"""Settings that say something of the rounds: a simulation that names one has them."""


def choose_adversarial_share(
    *, epsilon: float, delta: float, nominal_rows: int, layout: SketchLayout
) -> float:
    """Return the share of the budget for the adversarial rounds; 0 is the sketch alone.

    Args:
        epsilon: of each site.
        delta: failure probability.
        nominal_rows: declared rows, or persons, of a site.
        layout: of the sketch, from the public schema.
    """
    usual: float = Study.model_fields[SHARE].default
    budget = Budget(epsilon=epsilon, delta=delta)
    return usual if do_rounds_pay(budget, nominal_rows, layout) else 0.0


def do_rounds_pay(budget: Budget, nominal_units: int, layout: SketchLayout) -> bool:
    """Return whether adversarial rounds are likely to bring what they take from the sketch.

    Args:
        budget: of each site.
        nominal_units: declared rows, or persons, of a site.
        layout: of the sketch, from the public schema.
    """
    try:
        noise = calibrate_gaussian(budget)
    except (ValueError, ArithmeticError):  # no noise meets it, which its plan says in a sentence
        return False
    return compute_signal(nominal_units, 1, noise, layout) >= SPLIT_SIGNAL


def settle_share(
    content: Mapping[str, Any], *, nominal_rows: int, layout: SketchLayout
) -> dict[str, Any]:
    """Return a study's settings with a number where its share was left to the planner.

    Args:
        content: settings as plain values, of which all but the share were checked.
        nominal_rows: declared rows of a site, where the study does not say.
        layout: of the sketch.
    """
    settled = dict(content)
    if settled.get(SHARE) != AUTO:
        return settled
    study = parse_open_study(content)
    settled[SHARE] = 0.0
    if study.model == VAE:  # it learns in the rounds alone
        settled[SHARE] = Study.model_fields[SHARE].default if study.rounds else 0.0
    elif study.rounds:
        settled[SHARE] = choose_adversarial_share(
            epsilon=study.epsilon,
            delta=study.delta,
            nominal_rows=settled.get("nominal_rows", nominal_rows),
            layout=layout,
        )
    if settled[SHARE] == 0:
        settled["rounds"] = 0
    return settled


def parse_open_study(content: Mapping[str, Any], *, source: str = "") -> Study:
    """Check settings whose share may be left to the planner; the study has a stand-in for it.

    Raises:
        InputError: naming the setting, its value and the rule.
    """
    filled = dict(content)
    if filled.get(SHARE) == AUTO:
        filled[SHARE] = Study.model_fields[SHARE].default if filled.get("rounds", 1) else 0.0
    return parse_study(filled, source=source)
