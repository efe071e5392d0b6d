"""Canaries of a real study at a site: made-up units that take part if a secret coin says so.

They are added to the training units wherever a private mechanism reads these, the same in every
phase, and never to the hold-out. For real units nothing changes: one unit more or less moves what
is released by as much, and enters a step with the same probability, beside canaries as without.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from client.settings import StudyRequest
from client.study_folder import study_folder
from privacy import Part
from privacy.canaries import (
    COMMITMENT,
    ROWS_OF_A_PERSON,
    Opening,
    draw_canaries,
    flip_coins,
)
from synthesis import InputError
from synthesis.durable_file import replace_file
from synthesis.kinds import IMAGES, AnySchema, model_of
from synthesis.schema import Schema

if TYPE_CHECKING:
    from client.site import Site
    from synthesis.units import Units

NUMBER = "canaries"
"""Detail of a reservation in the ledger; as the commitment, it is covered by receipts."""
_FILE = "canaries.json"


def prepare_canaries(site: Site, request: StudyRequest) -> None:
    """Flip the coins of a study, if this site plants canaries, once and before it is reserved.

    A study that the ledger knows keeps what it has, whatever ``site.toml`` says by now.

    Raises:
        InputError: if coins that were flipped before cannot be read.
        OSError: if there is no room for them.
    """
    if any(entry.study == request.study for entry in site.ledger.entries()):
        return
    path = _path(site, request.study)
    if site.config.canaries == 0:
        path.unlink(missing_ok=True)  # flipped for a reservation that never came
        return
    found = find_opening(site, request.study)
    if found is not None and len(found.coins) == site.config.canaries:
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = site.randomness.stream(site.config.name, request.study, "canary-coins")
    opening = flip_coins(site.config.canaries, stream)
    content = {"number": len(opening.coins)} | opening.to_texts()
    replace_file(path, json.dumps(content).encode())


def check_canaries(number: int, schema: AnySchema) -> None:
    """Raise InputError if a site with data of this kind cannot plant canaries."""
    if number and model_of(schema) == IMAGES:
        raise InputError(
            f"canaries must be 0 at a site with images, got {number}: they are rows of a table; "
            "leave them out.",
            argument="canaries",
        )


def find_opening(site: Site, study: str) -> Opening | None:
    """Return salt and coins of a study; None if it has no canaries here.

    Raises:
        InputError: if they cannot be read.
    """
    path = _path(site, study)
    try:
        content = json.loads(path.read_bytes())
        return Opening.from_texts(content["salt"], content["coins"], content["number"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise InputError(
            f"{path} must hold the coins of this study's canaries, and it cannot be read; restore "
            "it from a backup, for without it this site takes no further part.",
            argument="canaries",
        ) from None


def describe_canaries(site: Site, study: str) -> dict[str, str]:
    """Return what the ledger says of a study's canaries; nothing where there are none."""
    opening = find_opening(site, study)
    if opening is None:
        return {}
    return {NUMBER: str(len(opening.coins)), COMMITMENT: opening.commit()}


def read_training_units(site: Site, request: StudyRequest) -> Units:
    """Read the site's training units, and add the canaries that are in.

    Call it only after the ledger holds the reservation, as ``Site.read_units``, which says what it
    raises.
    """
    units, opening = site.read_units(Part.TRAINING), find_opening(site, request.study)
    if opening is None:
        return units
    assert isinstance(site.schema, Schema)  # no canaries are planted among images
    rows = draw_canaries(
        site.schema.sizes,
        len(opening.coins),
        study=request.config_hash,
        schema=site.schema.digest(),
        public_key=site.public_key.hex,
    )
    return units.add(rows[opening.coins], ROWS_OF_A_PERSON)


def _path(site: Site, study: str) -> Path:
    return study_folder(site.folder, study) / _FILE
