"""Attacks on published rows as a short table, and what they mean in a few sentences."""

from __future__ import annotations

from rich.console import Console

from fedsynth.console import add_row, make_table, say
from server.report import Attack, Attacks

NO_PROOF = "An attack that fails proves nothing: somebody else may know a better one."


def show_attacks(console: Console, attacks: Attacks) -> None:
    """Print every attack beside its control, and what they mean together."""
    table = make_table(
        "Attacks on the published rows (membership: AUC; else share of tries)",
        ["attack, tried on trained-on rows"],
        ["found", "95 % interval", "on other\nrows", "on the\ncontrol", "suc-\nceeds"],
    )
    for attack in attacks.attacks:
        add_row(
            table,
            [
                f"{attack.kind}: {attack.name}",
                f"{attack.found:.3f}",
                f"{attack.low:.3f} to {attack.high:.3f}",
                f"{attack.baseline:.3f}",
                "-" if attack.control is None else f"{attack.control:.3f}",
                "YES" if attack.succeeds else "no",
            ],
        )
    console.print(table)
    say(console, describe(attacks))
    say(console, NO_PROOF)
    say(console, f"This is {attacks.mark}.")


def describe(attacks: Attacks) -> str:
    """Say how many attacks succeed, and which of them could not."""
    successes = [attack for attack in attacks.attacks if attack.succeeds]
    number = len(attacks.attacks)
    if successes:
        is_foreseen = all(attack.is_foreseen for attack in successes)
        said = (
            f"{'Within the promise' if is_foreseen else 'ATTACKED'}: {len(successes)} of {number} "
            "attacks did better on rows that were trained on than chance explains: "
            f"{_describe(successes)}."
        )
    else:
        said = (
            f"None of {number} attacks does better on rows that were trained on than chance "
            f"explains ({attacks.false_alarms:.0%} for all together)."
        )
    helpless = [attack for attack in attacks.attacks if attack.control_succeeds is False]
    if helpless:
        return (
            f"{said} Nothing follows from these, which do not win the control: {_name(helpless)}."
        )
    return f"{said} On the control, a table that remembers its rows, all of them win."


def _describe(attacks: list[Attack]) -> str:
    """Say what was found and, where that is known, the most that the promise allows."""
    return "; ".join(
        f"{attack.name} {attack.found:.3f}"
        + ("" if attack.allowed is None else f" (the promise allows up to {attack.allowed:.3f})")
        for attack in attacks
    )


def _name(attacks: list[Attack]) -> str:
    return "; ".join(attack.name for attack in attacks)
