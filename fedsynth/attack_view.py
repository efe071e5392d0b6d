"""Attacks on published rows as a short table, and what they mean in a few sentences."""

from __future__ import annotations

from rich.console import Console

from fedsynth.console import add_row, make_table, say
from server.report import Attacks, describe_attacks, describe_control

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
    """Say what came of all attacks, of the check for duplicates, and of the control."""
    said = [describe_attacks(attacks)]
    for copies in attacks.duplicates:
        if copies.succeeds and not copies.is_broken_promise:  # of that the first sentence speaks
            how = (
                "more than chance, within the promise" if copies.is_foreseen else "MORE THAN CHANCE"
            )
            said.append(f"Duplicate check, no attack: {copies.name} {copies.found:.3f}, {how}.")
    return " ".join(filter(None, [*said, describe_control(attacks)]))
