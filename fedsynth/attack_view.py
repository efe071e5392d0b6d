"""Attacks on published rows as a short table, and what they mean in a few sentences."""

from __future__ import annotations

from rich.console import Console

from fedsynth.console import add_row, make_table, say
from server.report import Attack, Attacks, describe_attacks, describe_control

NO_PROOF = "An attack that fails proves nothing: somebody else may know a better one."


def show_attacks(console: Console, attacks: Attacks) -> None:
    """Print every attack beside its control, and what they mean together."""
    table = make_table(
        "Attacks on the published rows (membership: AUC; else share of tries)",
        ["attack, tried on trained-on rows"],
        ["found", "95 % interval", "other\nrows", "al-\nlowed", "con-\ntrol", "suc-\nceeds"],
    )
    for attack in attacks.attacks:
        add_row(
            table,
            [
                f"{attack.kind}: {attack.name}",
                f"{attack.found:.3f}",
                f"{attack.low:.3f} to {attack.high:.3f}",
                f"{attack.baseline:.3f}",
                "-" if attack.allowed is None else f"{attack.allowed:.3f}",
                "-" if attack.control is None else f"{attack.control:.3f}",
                _judge(attack),
            ],
        )
    console.print(table)
    say(console, describe(attacks))
    if attacks.unknown_promise is not None:
        say(console, attacks.unknown_promise)
    say(console, NO_PROOF)
    say(console, f"This is {attacks.mark}.")


def _judge(attack: Attack) -> str:
    if not attack.succeeds:
        return "no"
    return "within" if attack.is_foreseen else "BEYOND" if attack.is_broken_promise else "YES"


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
