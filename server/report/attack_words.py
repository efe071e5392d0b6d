"""What attacks on published rows showed, in the same words for the page and the terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from server.report.evidence import Attack, Attacks
from server.report.model import Report
from server.report.wording import plural

ATTACKS_PHASE: Final = "attacks on the rows"
"""What a simulation calls the time in which it tries them."""


def describe_attacks(attacks: Attacks) -> str:
    """Say how many attacks succeed, the bad first; copies are a check for duplicates and no attack.

    They are named for all that where they are more than the promise allows.
    """
    number = len(attacks.real)
    of_all = f"of {number} {plural(number, 'attack')}"
    beyond = [attack for attack in attacks.attacks if attack.is_broken_promise]
    if beyond:
        return (
            f"MORE THAN THE PROMISE ALLOWS was found by {_list_found(beyond)}. Do not rely on the "
            "promise before the cause is found."
        )
    winning = [attack for attack in attacks.real if attack.succeeds]
    if any(not attack.is_foreseen for attack in winning):
        return f"{len(winning)} {of_all} SUCCEEDED: {_list_found(winning)}."
    if winning:
        return (
            f"{len(winning)} {of_all} succeeded, within what the promise allows: "
            f"{_list_found(winning)}."
        )
    return (
        f"None {of_all} did better than chance explains ({attacks.false_alarms:.0%} for all "
        "together)."
    )


def explain_absence(report: Report) -> str:
    """Say why nobody tried an attack; only a simulation could have."""
    if report.promise.randomness != "seeded":
        return (
            "None were tried. An attack needs real records to try: only a simulation, or a site by "
            "itself, has them."
        )
    if report.is_of_images:
        return "None were tried: these attacks are on rows of a table."
    if any(site.missing_columns for site in report.sites):
        return (
            "None were tried, because some sites lack columns: what a row lacks would tell it from "
            "others."
        )
    if any(phase.name == ATTACKS_PHASE for phase in report.cost.phases):
        return "None were tried: too few rows were held out to compare with."
    return "None were tried: they were switched off in this simulation (--no-attacks)."


def describe_control(attacks: Attacks) -> str:
    """Say which attacks could have won at all: their silence is evidence, that of others is not."""
    return " ".join(_find_control_words(attacks.real))


def _find_control_words(attacks: tuple[Attack, ...]) -> Iterator[str]:
    helpless = [attack for attack in attacks if attack.control_succeeds is False]
    untried = [attack for attack in attacks if attack.control_succeeds is None]
    meaning = "an attack that cannot win is no evidence, and nobody saw whether"
    if len(untried) == len(attacks):
        if attacks:
            yield f"No control was tried: {meaning} any of these can."
        return
    if helpless:
        yield (
            f"Nothing follows from the silence of {_list_names(helpless)}: "
            f"{'it does' if len(helpless) == 1 else 'they do'} not win the control."
        )
    if untried:
        yield f"No control was tried for {_list_names(untried)}: {meaning} it can."
    if not helpless and not untried:
        yield "On the control, a table that remembers its rows, all of them win."


def _list_found(attacks: Iterable[Attack]) -> str:
    """Name attacks with what they found and, where that is known, the most that is allowed."""
    return "; ".join(
        f"{attack.name} {attack.found:.3f}"
        + ("" if attack.allowed is None else f" (the promise allows up to {attack.allowed:.3f})")
        for attack in attacks
    )


def _list_names(attacks: Iterable[Attack]) -> str:
    return "; ".join(attack.name for attack in attacks)
