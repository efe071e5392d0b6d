"""What a strategy is in a study, and the rows that come of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from server.study import Study
from simulations.benchmarks.strategies.shared_fit import SharedFit
from simulations.benchmarks.tabular import Made, Setting, each_site_alone, federate
from strategies.rules import RULES, usual_settings
from synthesis import InputError

ALONE: Final = "each site alone"
SKETCH: Final = "sketch alone"
FEDPROX: Final = "fedprox"
PROXIMAL: Final = 0.1
ONE_GROUP: Final = ", one group"
STRATEGIES: Final = (
    *(ALONE, SKETCH, "fedavg", FEDPROX, "fedadam", "similarity", "mdgan"),
    f"fedavg{ONE_GROUP}",
)
"""Those that are run unless others are named; every rule can be named, and each of them but the
first with ``, one group``, which gives no group of sites members of its own in the generator."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Fits:
    """Where fits are shared.

    Attributes:
        folder: of all of them.
        code: what tells one version of the code from another.
    """

    folder: Path
    code: str


def check_strategy(strategy: str) -> None:
    """Raise InputError if there is no such strategy."""
    known = (SKETCH, FEDPROX, *RULES)
    if strategy != ALONE and strategy.removesuffix(ONE_GROUP) not in known:
        raise InputError(
            f"strategies must be some of {', '.join((ALONE, *known))}, each but the first with "
            f"{ONE_GROUP!r} after it or not, got {strategy!r}.",
            argument="strategies",
        )


def settings_of(strategy: str, num_sites: int) -> dict[str, Any]:
    """Return the settings of a study with this strategy, over the usual ones.

    Rounds are asked for also where the planner would leave them out, or there would be nothing
    that tells strategies apart. A robust rule is to stand one bad site.
    """
    name = strategy.removesuffix(ONE_GROUP)
    groups = {"max_site_groups": 1} if strategy.endswith(ONE_GROUP) else {}
    if name == SKETCH:
        return groups | {"rounds": 0, "adversarial_share": 0}
    share = {"adversarial_share": Study.model_fields["adversarial_share"].default}
    if name == FEDPROX:
        return groups | share | {"strategy": "fedavg", "proximal": PROXIMAL}
    robust = {"bad_sites": 1, "minimum_sites": num_sites}
    return (
        groups
        | share
        | {"strategy": name}
        | (robust if "bad_sites" in usual_settings(name) else {})
    )


def make_rows(setting: Setting, strategy: str, fits: Fits) -> Made:
    """Return the rows of a strategy; their processor time includes a fit that was found.

    Raises:
        InputError: if there is no such strategy, or it needs more sites.
        StudyFailed: if the study cannot go on.
    """
    check_strategy(strategy)
    if strategy == ALONE:
        return each_site_alone(setting)
    content = settings_of(strategy, len(setting.sites.names))
    kept = SharedFit(
        fits.folder, setting.make_study(**content), setting.sites.schema, code=fits.code
    )
    made = federate(setting, checkpoint=kept, **content)
    return replace(made, processor_s=made.processor_s + kept.shared_s)
