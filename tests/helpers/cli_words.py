"""Whether words that a page or a unit file gives to ``fedsynth`` are a command of it."""

from __future__ import annotations

import typer.main

from fedsynth import commands


def find_unknown(words: list[str]) -> str:
    """Return the first word that is no command or option of ours, or nothing.

    Args:
        words: what stands behind ``fedsynth``.
    """
    command, rest = typer.main.get_command(commands.app), list(words)
    while hasattr(command, "commands") and rest and not rest[0].startswith("-"):
        word = rest.pop(0)
        if word not in command.commands:
            return word
        command = command.commands[word]
    known = {option for parameter in command.params for option in parameter.opts}
    return next((word for word in rest if word.startswith("--") and word not in known), "")
