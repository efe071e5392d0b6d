"""How a study divides its budget between the sketch and the adversarial rounds, if nobody says.

The rule looks at public numbers only: the signal that the sketch alone would have. Below
`SPLIT_SIGNAL` all budget goes to the sketch, because discriminators would learn from noise and what
they take is missing there; from it on the rounds get the usual share. A study that travels holds
the number, never the word: every site computes its plan from what it receives.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from privacy import Budget, calibrate_gaussian
from server.planning.noise import compute_signal
from server.study import AUTO, Study, parse_study
from synthesis.kinds import VAE
from synthesis.layout import SketchLayout

SPLIT_SIGNAL = 100.0
"""On Adult rounds lose more than they gain at epsilon 1 and 3 (27 and 75), and gain at 10 (200)."""
SHARE = "adversarial_share"
ABOUT_ROUNDS = frozenset(
    {
        *(SHARE, "rounds", "discriminator_steps", "generator_steps", "sample_rate"),
        *("max_grad_norm", "strategy", "server_learning_rate", "server_momentum", "proximal"),
    }
)
"""Settings that say something of the rounds: a simulation that names one has them."""


def choose_adversarial_share(
    *, epsilon: float, delta: float, num_sites: int, nominal_rows: int, layout: SketchLayout
) -> float:
    """Return the share of the budget for the adversarial rounds; 0 is the sketch alone.

    Args:
        epsilon: of each site.
        delta: failure probability.
        num_sites: sites that are expected.
        nominal_rows: declared rows, or persons, of a site.
        layout: of the sketch, from the public schema.
    """
    usual: float = Study.model_fields[SHARE].default
    budget = Budget(epsilon=epsilon, delta=delta)
    total = num_sites * nominal_rows
    return usual if do_rounds_pay(budget, total, num_sites, layout) else 0.0


def do_rounds_pay(budget: Budget, total_units: int, num_sites: int, layout: SketchLayout) -> bool:
    """Return whether adversarial rounds are likely to bring what they take from the sketch.

    Args:
        budget: of each site.
        total_units: declared rows, or persons, of all sites.
        num_sites: sites that are expected.
        layout: of the sketch, from the public schema.
    """
    noise = calibrate_gaussian(budget)
    return compute_signal(total_units, num_sites, noise, layout) >= SPLIT_SIGNAL


def settle_share(
    content: Mapping[str, Any], *, num_sites: int, nominal_rows: int, layout: SketchLayout
) -> dict[str, Any]:
    """Return a study's settings with a number where its share was left to the planner.

    Args:
        content: settings as plain values, of which all but the share were checked.
        num_sites: sites that are expected.
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
            num_sites=num_sites,
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
