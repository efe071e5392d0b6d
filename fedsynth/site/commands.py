"""``fedsynth site``: found a data site, and see beforehand what a study would take from it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from fedsynth.site.ledger_commands import ledger_app
from fedsynth.site.policy_commands import policy_app

Data = Annotated[
    str,
    typer.Option(
        help="A table: a CSV or Parquet file, a folder of them, a database's URL. "
        "Images: a folder of PNG files for each class, an NPZ or an IDX file."
    ),
]
Query = Annotated[
    str | None, typer.Option(help="Of a database: one SELECT, or @FILE that holds it.")
]
Dataset = Annotated[
    str | None, typer.Option(help="Of a database: public name of the data in the ledger.")
]
User = Annotated[str | None, typer.Option(help="Of a database: who logs in.")]
PasswordFile = Annotated[
    Path | None, typer.Option(help="Of a database: file with the password, mode 0600.")
]
UserVariable = Annotated[
    str | None, typer.Option(help="Of a database: environment variable with the user.")
]
PasswordVariable = Annotated[
    str | None, typer.Option(help="Of a database: environment variable with the password.")
]
Expires = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="Last day on which a study may start (UTC)."),
]
Approvers = Annotated[
    list[str] | None,
    typer.Option(
        metavar='"NAME=KEY"',
        help="Who may loosen the policy: name, and public key or its file; repeatable.",
    ),
]
CoordinatorFile = Annotated[
    Path | None, typer.Option(metavar="FILE", help="The coordinator's file, coordinator.toml.")
]
MostPerStudy = Annotated[
    float | None, typer.Option(help="The most one study may cost. (default: all)")
]
Canaries = Annotated[
    int, typer.Option(help="Made-up units to plant in every study, for its audit: 50 to 2000.")
]
MissingColumns = Annotated[
    list[str] | None,
    typer.Option(
        "--missing-column",
        metavar="NAME",
        help="A column of the schema that this site does not have; public; repeatable.",
    ),
]
ToldApart = Annotated[
    bool,
    typer.Option(
        "--told-apart/--not-told-apart",
        help="Whether a study may describe this site apart from the others.",
    ),
]
SendDiscriminator = Annotated[
    bool,
    typer.Option(
        "--send-discriminator/--keep-discriminator",
        help="Whether the discriminator may leave, as with the strategy mdgan.",
    ),
]
Holdout = Annotated[
    float | None,
    typer.Option(
        help="Share of units kept for evaluation, fixed for life. "
        "(default: 0.1, and 0 of images, which have none)"
    ),
]
SiteFolder = Annotated[Path, typer.Option(metavar="DIR", help="The site's folder.")]

site_app = typer.Typer(help="Be a data site.", no_args_is_help=True, rich_markup_mode=None)
site_app.add_typer(ledger_app, name="ledger")
site_app.add_typer(policy_app, name="policy")


@site_app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="New or empty folder.")],
    name: Annotated[str, typer.Option(help="How the site calls itself.")],
    data: Data,
    schema: Annotated[Path, typer.Option(help="The public schema (TOML).")],
    epsilon: Annotated[float, typer.Option(help="The most all studies may cost, for life.")],
    delta: Annotated[float, typer.Option(help="Failure probability, fixed for life.")],
    max_epsilon_per_study: MostPerStudy = None,
    holdout: Holdout = None,
    expires: Expires = None,
    approver: Approvers = None,
    told_apart: ToldApart = True,
    send_discriminator: SendDiscriminator = True,
    canaries: Canaries = 0,
    missing_column: MissingColumns = None,
    query: Query = None,
    dataset: Dataset = None,
    user: User = None,
    password_file: PasswordFile = None,
    user_env: UserVariable = None,
    password_env: PasswordVariable = None,
    coordinator: CoordinatorFile = None,
) -> None:
    """Make the folder of a data site: keys, policy and ledger."""
    from fedsynth.site.init import NewSite, init_site
    from fedsynth.site.source import SourceOptions, make_source

    source = SourceOptions(data, query, dataset, user, password_file, user_env, password_env)
    init_site(
        NewSite(
            folder=folder,
            name=name,
            data=make_source(source),
            schema=schema,
            epsilon=epsilon,
            delta=delta,
            max_epsilon_per_study=max_epsilon_per_study,
            holdout=holdout,
            expires=None if expires is None else expires.date(),
            approvers=tuple(approver or ()),
            may_be_told_apart=told_apart,
            may_send_discriminator=send_discriminator,
            canaries=canaries,
            missing_columns=tuple(missing_column or ()),
            coordinator=coordinator,
        )
    )


@site_app.command()
def check(
    study: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    site: SiteFolder = Path("."),
) -> None:
    """Show what would leave this site in a study, and its cost; nothing is sent or spent."""
    from fedsynth.site.check import check_site

    if not check_site(site, study):
        raise typer.Exit(1)


@site_app.command()
def join(
    study: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    site: SiteFolder = Path("."),
    patience: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", help="Longest time without a question from the coordinator."
        ),
    ] = 86400.0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only say what needs a person.")] = False,
) -> None:
    """Take part in a study: connect to the coordinator and answer until the study is over."""
    from fedsynth.site.join import join_study

    raise typer.Exit(join_study(site, study, patience_s=patience, quiet=quiet))


@site_app.command()
def status(
    site: SiteFolder = Path("."),
    as_json: Annotated[bool, typer.Option("--json", help="One line for programs.")] = False,
) -> None:
    """Show what runs at this site, what it last did, and what was spent."""
    from fedsynth.site.status import show_status

    show_status(site, as_json=as_json)
