"""Whether words that a page or a unit file gives to ``fedsynth`` are a command of it."""

from __future__ import annotations

import typer.main

from fedsynth import commands

# Told of already and not there yet. A line leaves when it has come; a test sees to that.
PENDING = (
    ("server",),
    ("site", "join"),
    ("site", "status"),
    ("site", "init", "--coordinator"),
    ("site", "init", "--dataset"),
    ("site", "init", "--password-file"),
    ("site", "init", "--query"),
    ("site", "init", "--user"),
)


def find_wrong(words: list[str]) -> str:
    """Return the first word that neither is a command or option of ours nor will be soon."""
    if any(tuple(words[: len(each)]) == each for each in PENDING):
        return ""
    to_come = {each[-1] for each in PENDING if list(each[:-1]) == words[: len(each) - 1]}
    return find_unknown([word for word in words if word not in to_come])


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
