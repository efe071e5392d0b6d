"""The commands: each reads its options, calls one function and says what came of it.

What takes seconds to import is imported by the command that needs it.
"""

from __future__ import annotations

import sys
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from typer import core

from fedsynth import mixing_options
from fedsynth.audit_commands import audit_app
from fedsynth.console import say, screen
from fedsynth.key_commands import keys_app
from fedsynth.schema_commands import schema_app
from fedsynth.server import server_app
from fedsynth.site import site_app

DEFAULT_OUT = Path("release")
Partition = Annotated[
    str | None, typer.Option(help="iid, sizes:7,2,1, lacking:2, dirichlet[:NAME] or column:NAME.")
]
SyntheticRows = Annotated[
    int | None, typer.Option(help="Synthetic rows. (default: as many as real)")
]
SiteEpsilons = Annotated[
    str | None, typer.Option(help="Of each site, where they differ: 0.3,1,3,10.")
]
Canaries = Annotated[
    int | None, typer.Option(help="Made-up records at each site, for an audit. (default: 0)")
]
Alpha = Annotated[float | None, typer.Option(help="Dirichlet concentration. (default: 0.5)")]
TryAttacks = Annotated[
    bool | None,
    typer.Option("--attacks/--no-attacks", help="Try attacks on the rows. (default: yes)"),
]

core.HAS_RICH = False  # else it puts a backslash before brackets, for a rich that reads none
app = typer.Typer(
    name="fedsynth",
    help="Private synthetic data from sites that may not share their records.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(schema_app, name="schema")
app.add_typer(audit_app, name="audit")
app.add_typer(site_app, name="site")
app.add_typer(server_app, name="server")
app.add_typer(keys_app, name="keys")


def _show_version(asked: bool) -> None:
    if asked:
        from client.version import software_version

        flower, python = version("flwr"), sys.version.split()[0]
        say(screen, f"fedsynth {software_version()} (flwr {flower}, Python {python})")
        raise typer.Exit


@app.callback()
def options(
    asked: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_show_version, help="Show versions."),
    ] = False,
) -> None:
    """Take what stands before the command."""


@app.command()
def simulate(
    study: Annotated[Path | None, typer.Argument(help="Study file (TOML).")] = None,
    demo: Annotated[str | None, typer.Option(help="Public data: adult, digits or fashion.")] = None,
    data: Annotated[Path | None, typer.Option(help="Your own: CSV or Parquet, or images.")] = None,
    schema: Annotated[Path | None, typer.Option(help="Its schema (TOML).")] = None,
    sites: Annotated[int | None, typer.Option(help="Number of sites. (default: 4)")] = None,
    partition: Partition = None,
    alpha: Alpha = None,
    epsilon: Annotated[
        float | None, typer.Option(help="What each site may spend. (default: 1)")
    ] = None,
    delta: Annotated[
        float | None, typer.Option(help="Failure probability. (default: 1e-5)")
    ] = None,
    rounds: Annotated[
        int | None,
        typer.Option(help="Adversarial rounds; 0 is the sketch alone. (default: 5 if they pay)"),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Generator: mixture (tables), images, or vae. (default: by the data)"),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Makes it repeatable. (default: 0)")] = None,
    rows: SyntheticRows = None,
    out: Annotated[Path, typer.Option(help="New or empty folder for the release.")] = DEFAULT_OUT,
    backend: Annotated[str | None, typer.Option(help="local or ray. (default: local)")] = None,
    site_epsilons: SiteEpsilons = None,
    canaries: Canaries = None,
    attacks: TryAttacks = None,
    target: mixing_options.PublicTarget = None,
) -> None:
    """Run a whole federation on this machine and write a release."""
    from fedsynth.simulate_command import simulate_to_folder

    simulation = {
        "demo": demo,
        "data": data,
        "schema": schema,
        "sites": sites,
        "partition": partition,
        "alpha": alpha,
        "seed": seed,
        "rows": rows,
        "backend": backend,
        "site_epsilons": site_epsilons.split(",") if site_epsilons else None,
        "canaries": canaries,
        "attacks": attacks,
        "target": target,
    }
    changes = {"epsilon": epsilon, "delta": delta, "rounds": rounds, "model": model}
    simulate_to_folder(screen, study, changes, simulation, out=out)


@app.command()
def plan(
    study: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    schema: Annotated[Path | None, typer.Option(help="Public schema of the tables (TOML).")] = None,
    sites: Annotated[int | None, typer.Option(help="Number of sites.")] = None,
    rows: Annotated[
        str | None,
        typer.Option(help="Declared rows (or persons) of a site, or of each: 400,160,22."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Show what each site would spend, and what quality to expect, before anything runs."""
    from fedsynth.plan_command import show_plan

    show_plan(screen, study, schema=schema, sites=sites, rows=rows, as_json=as_json)


@app.command()
def sample(
    release: Annotated[Path, typer.Argument(metavar="DIR", help="A release folder.")],
    out: Annotated[Path, typer.Option(help="New file: .parquet, .csv, .csv.gz; .npz or .png.")],
    rows: Annotated[int | None, typer.Option(help="Rows to draw; any number is free.")] = None,
    where: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CONDITION",
            help='What holds in every row: "income=>50K", "age>=65", "ward=" (missing). '
            "Signs: = != < <= > >=. May be repeated.",
        ),
    ] = None,
    mix: mixing_options.Mix = None,
    match: mixing_options.Match = None,
    balance: mixing_options.Balance = None,
    parity: mixing_options.Parity = None,
    interpolate: mixing_options.Interpolate = None,
    strength: mixing_options.Strength = None,
    schedule: mixing_options.Schedule = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same rows.")] = 0,
    workers: Annotated[
        int | None, typer.Option(help="Processes that draw. (default: 1; Ray: all it has)")
    ] = None,
    engine: Annotated[
        str, typer.Option(help="local, or ray: the cluster RAY_ADDRESS names, or one here.")
    ] = "local",
) -> None:
    """Draw more synthetic rows from a release, into a new file.

    Rows are written in shards as they are drawn, so any number fits in memory. The file depends on
    release, rows, wishes and seed alone, not on workers or engine.
    """
    from fedsynth.sample_command import sample_to_file
    from synthesis.mixing import Mixing

    mixing = Mixing(
        mix=mix,
        match=match,
        balance=balance,
        parity=parity,
        interpolate=interpolate,
        strength=strength,
        schedule=schedule,
    )
    sample_to_file(
        screen,
        release,
        rows,
        out=out,
        where=where or (),
        seed=seed,
        workers=workers,
        engine=engine,
        mixing=mixing,
    )


@app.command()
def verify(
    release: Annotated[Path, typer.Argument(metavar="DIR", help="A release folder.")],
    trust: Annotated[
        Path | None,
        typer.Option(metavar="KEYS", help="Public keys you trust: one a line, then whose it is."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Check a release offline: files, signatures, epsilon; exit code 1 if not."""
    from fedsynth.verify_command import show_verdict

    if not show_verdict(screen, release, trust=trust, as_json=as_json):
        raise typer.Exit(1)
