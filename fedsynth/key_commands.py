"""``fedsynth keys``: a key pair for somebody who approves policies."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedsynth.console import say, screen

keys_app = typer.Typer(
    help="Make keys of people who approve.", no_args_is_help=True, rich_markup_mode=None
)


@keys_app.callback()
def _keys() -> None:
    """Make keys of people who approve."""


@keys_app.command()
def new(
    file: Annotated[Path, typer.Argument(help="New file for the private key (PEM).")],
) -> None:
    """Make a key pair; the private half stays in the file, the public half is printed."""
    from privacy import SigningKey
    from synthesis import InputError

    key = SigningKey.generate()
    if not file.parent.is_dir():
        raise InputError(
            f"file must be in a folder that exists, and {file.parent} does not; create it.",
            argument="file",
        )
    try:
        key.save(file)
    except ValueError as error:
        raise InputError(f"{error}; name another one.", argument="file") from None
    say(
        screen,
        f"The private key is in {file}, which only you may read. Keep a copy in a safe place, and "
        "give the file to nobody.",
    )
    say(screen, f"Public key:  {key.public.hex}")
    say(screen, f"Fingerprint: {key.public.fingerprint}")
    say(
        screen,
        'A site names you as an approver with: fedsynth site init ... --approver "Your name=KEY", '
        "where KEY is the public key.",
    )
