"""``fedsynth server``: found a coordinator, start and stop it, and say who may take part."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedsynth.mixing_options import PublicTarget

ServerOption = Annotated[
    Path, typer.Option("--server", metavar="DIR", help="The coordinator's folder.")
]
HERE = Path(".")

server_app = typer.Typer(
    help="Be the coordinator of studies.", no_args_is_help=True, rich_markup_mode=None
)


@server_app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New or empty folder.")],
    name: Annotated[str, typer.Option(help="How the coordinator calls itself.")],
    host: Annotated[str, typer.Option(help="Name or address under which sites reach it.")],
    port: Annotated[int, typer.Option(help="Port under which sites reach it.")] = 8443,
    address: Annotated[
        list[str] | None,
        typer.Option(help="One more name or address of this machine; may be repeated."),
    ] = None,
    listen: Annotated[
        str, typer.Option(help="Address of this machine to listen on; 0.0.0.0 is all of them.")
    ] = "0.0.0.0",
    superlink_port: Annotated[
        int, typer.Option(help="Port on this machine only, for the SuperLink.")
    ] = 18443,
    days: Annotated[int, typer.Option(help="How long its certificate is valid.")] = 825,
) -> None:
    """Make the folder of a coordinator: keys, certificates and settings."""
    from fedsynth.server.init import init_server

    init_server(
        folder,
        {
            "name": name,
            "host": host,
            "addresses": tuple(address or ()),
            "listen": listen,
            "port": port,
            "superlink_port": superlink_port,
            "days": days,
        },
    )


@server_app.command()
def certificate(server: ServerOption = HERE) -> None:
    """Renew the server certificate; sites need nothing new."""
    from fedsynth.server.init import renew

    renew(server)


@server_app.command()
def admit(
    admission: Annotated[
        Path, typer.Argument(metavar="FILE", help="The site's admission.toml; - reads it.")
    ],
    server: ServerOption = HERE,
) -> None:
    """Let a site take part."""
    from fedsynth.server.sites import admit_site

    admit_site(server, admission)


@server_app.command()
def revoke(
    name: Annotated[str, typer.Argument(help="The site's name.")], server: ServerOption = HERE
) -> None:
    """Shut a site out, at once and for good."""
    from fedsynth.server.sites import revoke_site

    revoke_site(server, name)


@server_app.command()
def sites(server: ServerOption = HERE) -> None:
    """List the sites that were ever admitted."""
    from fedsynth.server.sites import list_sites

    list_sites(server)


@server_app.command()
def start(
    server: ServerOption = HERE,
    foreground: Annotated[
        bool, typer.Option("--foreground", help="Stay, and start again what ends.")
    ] = False,
) -> None:
    """Start the coordinator's processes."""
    from fedsynth.server.running import run_in_foreground, start_and_leave

    run_in_foreground(server) if foreground else start_and_leave(server)


@server_app.command()
def stop(server: ServerOption = HERE) -> None:
    """Stop the coordinator's processes."""
    from fedsynth.server.running import stop_all

    stop_all(server)


@server_app.command()
def status(
    server: ServerOption = HERE,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show what runs, who is online, and the last study; exit code 1 if a process is down."""
    from fedsynth.server.running import show_status

    if not show_status(server, as_json=as_json):
        raise typer.Exit(1)


@server_app.command()
def run(
    study: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    schema: Annotated[Path, typer.Option(help="The public schema (TOML).")],
    server: ServerOption = HERE,
    sites: Annotated[
        int | None, typer.Option(help="Sites to wait for while there is time. (default: all)")
    ] = None,
    rows: Annotated[
        int | None, typer.Option(help="Synthetic rows. (default: about as many as the sites hold)")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="New or empty folder. (default: releases/NAME in the folder)"),
    ] = None,
    target: PublicTarget = None,
    grace: Annotated[
        float,
        typer.Option(help="Seconds to wait for sites that went away, when all others answered."),
    ] = 120.0,
    give_up: Annotated[
        bool, typer.Option("--give-up", help="End a study that was begun, without a release.")
    ] = False,
) -> None:
    """Run a study with the sites, or go on with it, and write the release."""
    from fedsynth.server import run as running

    asked = running.AskedStudy(
        server=server,
        study=study,
        schema=schema,
        sites=sites,
        rows=rows,
        out=out,
        target=target,
        grace_s=grace,
    )
    running.give_up(asked) if give_up else running.run(asked)
