"""How a study divides its budget between the sketch and the adversarial rounds, if nobody says.

The rule looks at public numbers only: the signal that a site's own sketch would have with all of
the budget. Discriminators learn at a site, from its rows and its noise alone, so it is the site's
and not that of all. Below `SPLIT_SIGNAL` they would learn from noise, and what they take is missing
in the sketch; from it on the rounds get the usual share. A study that travels holds the number,
never the word: every site computes its plan from what it receives.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


@dataclass(frozen=True, kw_only=True)
class RoundsOutlook:
    """What the planner's choice rests on; public numbers alone.

    Attributes:
        nominal_units: declared rows, or persons, of a site.
        site_signal: these over the noise of a site's own sketch with the whole budget, as
            :func:`server.planning.noise.compute_signal` counts it.
        rounds_pay_from: signal from which on rounds are likely to bring what they take.
    """

    nominal_units: int
    site_signal: float
    rounds_pay_from: float = SPLIT_SIGNAL

    @property
    def do_rounds_pay(self) -> bool:
        """Whether rounds are likely to bring what they take from the sketch."""
        return self.site_signal >= self.rounds_pay_from

    @property
    def adversarial_share(self) -> float:
        """The share of the budget for the rounds; 0 is the sketch alone."""
        usual: float = Study.model_fields[SHARE].default
        return usual if self.do_rounds_pay else 0.0


def weigh_rounds(budget: Budget, nominal_units: int, layout: SketchLayout) -> RoundsOutlook:
    """Return what adversarial rounds are likely to be worth.

    Args:
        budget: of each site.
        nominal_units: declared rows, or persons, of a site.
        layout: of the sketch, from the public schema.
    """
    try:
        signal = compute_signal(nominal_units, 1, calibrate_gaussian(budget), layout)
    except (ValueError, ArithmeticError):  # no noise meets it, which its plan says in a sentence
        signal = 0.0
    return RoundsOutlook(nominal_units=nominal_units, site_signal=signal)


def find_outlook(
    content: Mapping[str, Any], *, nominal_rows: int, layout: SketchLayout
) -> RoundsOutlook | None:
    """Return what the planner chooses a study's share by, or None where it has no choice.

    Args:
        content: settings as plain values, of which all but the share were checked.
        nominal_rows: declared rows of a site, where the study does not say.
        layout: of the sketch.
    """
    if content.get(SHARE) != AUTO:
        return None
    study = parse_open_study(content)
    if study.model == VAE or not study.rounds:  # an autoencoder learns in the rounds alone
        return None
    return weigh_rounds(study.budget, content.get("nominal_rows", nominal_rows), layout)


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
    outlook = find_outlook(content, nominal_rows=nominal_rows, layout=layout)
    settled[SHARE] = (
        parse_open_study(content).adversarial_share
        if outlook is None
        else outlook.adversarial_share
    )
    if settled[SHARE] == 0:
        settled["rounds"] = 0
    return settled


def leave_open(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return a simulation's settings with the share left to the planner if they name no rounds."""
    return dict(content) if content.keys() & ABOUT_ROUNDS else {**content, SHARE: AUTO}


def parse_open_study(content: Mapping[str, Any], *, source: str = "") -> Study:
    """Check settings whose share may be left to the planner; the study has a stand-in for it.

    Raises:
        InputError: naming the setting, its value and the rule.
    """
    filled = dict(content)
    if filled.get(SHARE) == AUTO:
        filled[SHARE] = Study.model_fields[SHARE].default if filled.get("rounds", 1) else 0.0
    return parse_study(filled, source=source)
