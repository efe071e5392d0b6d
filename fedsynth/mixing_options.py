"""Options of ``fedsynth sample`` for what the composition of the rows is to be."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Mix = Annotated[
    str | None,
    typer.Option(metavar="SITE=SHARE,...", help="Shares of the sites in the rows; they add to 1."),
]
Match = Annotated[
    Path | None,
    typer.Option(metavar="TARGET.toml", help="Target marginals that the rows are to have."),
]
PublicTarget = Annotated[
    Path | None,
    typer.Option(metavar="TARGET.toml", help="Public shares to hold table and sites to."),
]
Balance = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Equal shares for the levels of a column.")
]
Parity = Annotated[
    str | None,
    typer.Option(metavar="GROUP,OUTCOME", help="Two columns that are to be independent."),
]
Interpolate = Annotated[
    str | None, typer.Option(help="Rows between generated rows: mixup, smote or latent.")
]
Strength = Annotated[float | None, typer.Option(help="How far between, above 0 to 1. (default: 1)")]
Schedule = Annotated[
    Path | None,
    typer.Option(metavar="FILE.toml", help="Periods with rows and wishes of their own."),
]
