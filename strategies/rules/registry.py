"""The names of all rules, and what a study must have for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from strategies.rules.average import FedAvg
from strategies.rules.coordinates import Median, TrimmedMean
from strategies.rules.mdgan import MdGan
from strategies.rules.nearest import Bulyan, Krum, MultiKrum
from strategies.rules.rule import Rule, RuleSettings
from strategies.rules.server_steps import FedAdam, FedAvgM, FedYogi
from strategies.rules.similarity import Similarity

RULES: Final[Mapping[str, type[Rule]]] = {
    "fedavg": FedAvg,
    "fedavgm": FedAvgM,
    "fedadam": FedAdam,
    "fedyogi": FedYogi,
    "similarity": Similarity,
    "mdgan": MdGan,
    "median": Median,
    "trimmed-mean": TrimmedMean,
    "krum": Krum,
    "multi-krum": MultiKrum,
    "bulyan": Bulyan,
}


def make_rule(name: str, settings: RuleSettings) -> Rule:
    """Return a rule before its first round.

    Raises:
        ValueError: if there is no such rule, or a setting means nothing to it.
    """
    check_rule(name, settings, minimum_sites=None)
    return RULES[name](settings)


def usual_settings(name: str) -> Mapping[str, float]:
    """Return the usual values of the settings that mean something to a rule, if there is one."""
    return RULES[name].usual if name in RULES else {}


def check_rule(name: str, settings: RuleSettings, *, minimum_sites: int | None) -> None:
    """Raise unless rule, settings and number of sites fit together.

    Args:
        name: of the rule.
        settings: as the study has them.
        minimum_sites: fewest sites with which a round counts; None for any.

    Raises:
        ValueError: in a sentence without its full stop.
    """
    if name not in RULES:
        raise ValueError(f"strategy must be one of {', '.join(RULES)}, got {name!r}")
    rule = RULES[name]
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value != field.default and field.name not in rule.usual:
            users = ", ".join(n for n, each in RULES.items() if field.name in each.usual)
            raise ValueError(
                f"{field.name} must be left out with strategy {name!r}, to which it means nothing, "
                f"got {value}; leave it out, or use one of {users}"
            )
    if "bad_sites" not in rule.usual:
        return
    if settings.bad_sites < 1:
        raise ValueError(
            f"bad_sites must be at least 1 with strategy {name!r}, got {settings.bad_sites}; say "
            "how many bad sites the study is to stand, or use 'fedavg'"
        )
    fewest = rule.fewest_sites(settings.bad_sites)
    if minimum_sites is not None and minimum_sites < fewest:
        raise ValueError(
            f"minimum_sites must be at least {fewest} for strategy {name!r} to stand "
            f"{settings.bad_sites} bad, got {minimum_sites}; raise it, lower bad_sites, or use "
            "another strategy"
        )
