"""Which columns the sites of a simulation lack, by its settings."""

from __future__ import annotations

from collections.abc import Sequence

from client.site_config import find_positions
from simulations.settings import SimulationSettings
from synthesis import InputError
from synthesis.schema import Schema


def find_missing(
    settings: SimulationSettings, schema: Schema, names: Sequence[str]
) -> dict[str, tuple[str, ...]]:
    """Return the columns that sites lack, by name of a site, without sites that lack none.

    Raises:
        InputError: if a site is unknown, or cannot lack these columns.
    """
    unknown = [name for name in settings.missing_columns if name not in names]
    if unknown:
        raise InputError(
            f"missing_columns must be given by name of a site, got {unknown[0]!r}; sites are "
            f"{', '.join(names)}.",
            argument="missing_columns",
        )
    for columns in settings.missing_columns.values():
        find_positions(schema, columns)
    return {name: columns for name, columns in settings.missing_columns.items() if columns}
