"""``fedsynth audit``: check what a site has spent, and try out what is promised."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fedsynth.console import say, screen
from fedsynth.site.ledger_commands import Key, Receipts

Schema = Annotated[
    Path | None,
    typer.Option(help="Public schema (TOML). (default: that of the study, or of the census)"),
]
Json = Annotated[bool, typer.Option("--json", help="For programs.")]

audit_app = typer.Typer(
    help="Check what was spent and promised.", no_args_is_help=True, rich_markup_mode=None
)


@audit_app.callback()
def _audit() -> None:
    """Check what was spent and promised."""


@audit_app.command()
def ledger(
    file: Annotated[Path, typer.Argument(help="A site's ledger (SQLite).")],
    key: Key = None,
    receipt: Receipts = None,
) -> None:
    """Verify and replay a ledger: its events, their epsilon, and what is left."""
    from fedsynth.site.ledger_view import show_ledger
    from fedsynth.site.reading import LedgerSource, describe_proof, read_ledger, with_proof

    source = with_proof(LedgerSource(path=file, argument="file"), key, receipt or ())
    reading = read_ledger(source)
    is_within = show_ledger(reading)
    say(screen, f"The ledger is whole: {describe_proof(reading, source)}")
    if not is_within:
        raise typer.Exit(1)


@audit_app.command()
def rows(
    release: Annotated[Path, typer.Argument(metavar="DIR", help="A release folder.")],
    members: Annotated[Path, typer.Option(help="Real rows that were trained on: CSV or Parquet.")],
    others: Annotated[Path, typer.Option(help="Real rows that were not, drawn like the members.")],
    seed: Annotated[int, typer.Option(help="Makes it repeatable.")] = 0,
    as_json: Json = False,
    out: Annotated[Path | None, typer.Option(help="New file for the figures: .json.")] = None,
) -> None:
    """Try what published rows give away of your own; exit code 1 if anything.

    What is shown is confidential: it is made from real rows without noise. Keep it at the site.
    """
    from fedsynth.attack_view import show_attacks
    from fedsynth.attacks import attack_rows
    from fedsynth.audit_view import show_json
    from fedsynth.new_file import check_new_file

    if out is not None:
        check_new_file(out, endings=[".json"])
    attacks = attack_rows(release, members, others, seed=seed)
    if out is not None:
        out.write_text(f"{attacks.model_dump_json(indent=2)}\n", encoding="utf-8")
    if as_json:
        show_json(screen, attacks.model_dump(mode="json"))
    else:
        show_attacks(screen, attacks)
    if any(attack.succeeds for attack in attacks.attacks):
        raise typer.Exit(1)


@audit_app.command()
def step(
    study: Annotated[
        Path | None, typer.Option(help="Study file (TOML) whose clip and batch are tried too.")
    ] = None,
    schema: Schema = None,
    trials: Annotated[int, typer.Option(help="Pairs of tables for each mechanism.")] = 2000,
    seed: Annotated[int, typer.Option(help="Makes it repeatable.")] = 0,
    as_json: Json = False,
) -> None:
    """Try whether one record moves any release by more than is charged for."""
    from fedsynth.audit_view import show_json, show_step_audit
    from fedsynth.audits import audit_step

    audit = audit_step(study, schema=schema, trials=trials, seed=seed)
    if as_json:
        show_json(screen, audit.to_dict())
    else:
        show_step_audit(screen, audit)
    if not audit.holds:
        raise typer.Exit(1)


@audit_app.command()
def rehearse(
    study: Annotated[Path, typer.Argument(help="Study file (TOML).")],
    schema: Schema = None,
    canaries: Annotated[int, typer.Option(help="Made-up records, 1000 to 5000.")] = 1000,
    rows: Annotated[
        int | None, typer.Option(help="Rows beside them. (default: as declared, at most 5000)")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Makes it repeatable. (default: the system's entropy)")
    ] = None,
    as_json: Json = False,
) -> None:
    """Run a study on rows of nobody and try to find planted records in it."""
    from fedsynth.audit_view import show_json, show_rehearsal
    from fedsynth.audits import rehearse as run

    audit = run(study, schema=schema, canaries=canaries, rows=rows, seed=seed)
    if as_json:
        show_json(screen, audit.to_dict())
    else:
        show_rehearsal(screen, audit)
    if audit.is_refuted:
        raise typer.Exit(1)


@audit_app.command()
def study(
    release: Annotated[Path, typer.Argument(metavar="DIR", help="A release folder.")],
    as_json: Json = False,
) -> None:
    """Find again, offline, what canaries showed in the study that made a release."""
    from fedsynth.audit_view import show_json, show_study_audit
    from fedsynth.study_audit import audit_study

    audit = audit_study(release)
    if as_json:
        show_json(screen, audit.to_dict())
    else:
        show_study_audit(screen, audit)
    if not audit.holds:
        raise typer.Exit(1)
