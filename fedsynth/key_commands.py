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
    """Make a key pair; the private half stays in the file, the public half goes beside it."""
    from fedsynth.public_keys import public_file_of
    from privacy import SigningKey
    from synthesis import InputError

    public_file = public_file_of(file)
    if not file.parent.is_dir():
        raise InputError(
            f"file must be in a folder that exists, and {file.parent} does not; create it.",
            argument="file",
        )
    if public_file == file or public_file.exists():
        raise InputError(
            f"file must leave room for the public half in {public_file}, and it does not; name "
            "another one.",
            argument="file",
        )
    key = SigningKey.generate()
    try:
        key.save(file)
    except ValueError as error:
        raise InputError(f"{error}; name another one.", argument="file") from None
    public_file.write_text(key.public.hex + "\n", encoding="ascii")
    say(
        screen,
        f"The private key is in {file}, which only you may read: give it to nobody, and keep a "
        f"copy in a safe place. The public key is in {public_file}, for anybody.",
    )
    say(screen, f"Public key:  {key.public.hex}")
    say(screen, f"Fingerprint: {key.public.fingerprint}")
    say(
        screen,
        f'A site names you as an approver with: fedsynth site init ... --approver "Your name='
        f'{public_file.name}"',
    )
