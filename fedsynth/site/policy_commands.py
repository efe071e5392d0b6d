"""``fedsynth site policy``: what is in force, and how somebody who may approves a looser one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

SiteFolder = Annotated[Path, typer.Option(metavar="DIR", help="The site's folder.")]
NewFile = Annotated[Path, typer.Option(metavar="FILE", help="New file (.json).")]
KeyFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The approver's private key (PEM).")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]

policy_app = typer.Typer(
    help="Show and change what a site allows.", no_args_is_help=True, rich_markup_mode=None
)


@policy_app.command()
def show(site: SiteFolder = Path(".")) -> None:
    """Show the policy in force, and how the site's file differs from it."""
    from fedsynth.site.policy_show import show_policy

    show_policy(site)


@policy_app.command()
def request(out: NewFile, site: SiteFolder = Path(".")) -> None:
    """Write the policy in the site's file down for an approver elsewhere."""
    from fedsynth.site.policy_changes import write_request

    write_request(site, out)


@policy_app.command()
def approve(
    site: Annotated[
        Path | None, typer.Option(metavar="DIR", help="The site's folder. (default: .)")
    ] = None,
    key: KeyFile = None,
    request: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A site's request, instead of a folder.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="With a request: new file (.json).")
    ] = None,
    yes: Yes = False,
) -> None:
    """Sign the policy in the site's file and put it in force, or answer a request."""
    from fedsynth.site.policy_changes import approve_here, approve_request

    if request is None and out is None:
        approve_here(site or Path("."), key, is_sure=yes)
    else:
        approve_request(request, key, out, site=site, is_sure=yes)


@policy_app.command()
def accept(
    approval: Annotated[Path, typer.Argument(help="What an approver sent (.json).")],
    site: SiteFolder = Path("."),
) -> None:
    """Put the policy in the site's file in force with an approval from elsewhere."""
    from fedsynth.site.policy_changes import accept_approval

    accept_approval(site, approval)
