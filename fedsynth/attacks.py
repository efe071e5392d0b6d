"""Attacks on the rows of a release, tried by somebody who holds real ones; nothing leaves."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fedsynth.as_signed import check_as_signed
from privacy import Part
from server.attestation import ReleaseBroken, verify_release
from server.release import SYNTHETIC_FILE
from server.report import SITE_MARK, Attacks
from simulations.attacks import Promise, choose_one_each, match_rows, try_attacks
from synthesis.attacks import (
    FALSE_ALARMS,
    FEWEST,
    MOST_SYNTHETIC,
    Records,
    compare_shares,
    row_keys,
)
from synthesis.encoding import encode, read_units
from synthesis.errors import InputError
from synthesis.images.model_files import is_of_images
from synthesis.model_files import load_generator
from synthesis.schema import Schema
from synthesis.tables import read_table
from synthesis.units import Codes, Units

__all__ = ["Attacks", "attack_rows"]

_SURELY_SHARED = 1e-4
"""So unlikely must be what two files have in common before they are taken to share rows."""


def attack_rows(
    release: str | Path, members: str | Path, others: str | Path, *, seed: int = 0
) -> Attacks:
    """Try what somebody who holds real rows can learn from a release about those it was made from.

    The two tables must be drawn alike, such as by a coin for each row; a larger one is cut down at
    random, and of a person one row is tried. What the promise allows follows from the events in the
    release's signed statement. Figures only are returned, never a row or a value, but
    they are made from real rows without noise.

    Args:
        release: folder that a study wrote.
        members: table of real rows that the study trained on, CSV or Parquet.
        others: table of real rows that it did not.
        seed: repeats it.

    Raises:
        InputError: if a file cannot be used, has fewer than 100 units that fit the schema, or both
            files hold the same units.
    """
    if is_of_images(Path(release)):
        raise InputError(
            f"release must be of a table, and {release} is of images, whose copies the report of a "
            "simulation counts; give another folder.",
            argument="dir",
        )
    generator, schema = load_generator(release)
    check_as_signed(Path(release))
    rng = np.random.default_rng(seed)
    synthetic = _read_synthetic(Path(release), schema, rng)
    trained, held = _read(schema, "members", members), _read(schema, "others", others)
    _check_no_shared_person(trained, held)
    promise, unknown = _find_promise(Path(release))
    rows = match_rows([choose_one_each(trained, rng)], [choose_one_each(held, rng)], rng)
    _check_no_shared_rows(rows.members, rows.others)
    records = Records(schema=schema, synthetic=synthetic, members=rows.members, others=rows.others)
    attacks = try_attacks(records, generator, rng=rng, promise=promise)
    return Attacks(
        mark=SITE_MARK, false_alarms=FALSE_ALARMS, attacks=attacks, unknown_promise=unknown
    )


def _find_promise(release: Path) -> tuple[Promise | None, str | None]:
    """Return what the signed events allow at the site that they expose most, or why nobody knows.

    Only a statement that holds counts: one that claims too much would excuse what attacks find.
    """
    sentence = "Nobody knows what the promise allows, so no success is called within it: {}."
    try:
        verdict = verify_release(release)
    except ReleaseBroken:
        return None, sentence.format("there is no signed statement, see 'fedsynth verify'")
    if not verdict.holds:
        return None, sentence.format("the release is not as it was signed, see 'fedsynth verify'")
    predicate = verdict.statement.predicate
    exposed = max(predicate.sites, key=lambda site: site.epsilon)
    events = [event for event in exposed.read_events() if event.part is Part.TRAINING]
    if not events:
        return None, sentence.format("its statement names no event on rows that are trained on")
    return Promise(events, predicate.guarantee.delta), None


def _read_synthetic(release: Path, schema: Schema, rng: np.random.Generator) -> Codes:
    path = release / SYNTHETIC_FILE
    if not path.is_file():
        raise InputError(
            f"release folder must hold {SYNTHETIC_FILE}, and {release} does not; give the folder "
            "that a study wrote.",
            argument="dir",
        )
    table = read_table(path)
    return encode(schema, table.sample(min(len(table), MOST_SYNTHETIC), random_state=rng))


def _read(schema: Schema, name: str, path: str | Path) -> Units:
    """Return the units of a file that fit the schema."""
    try:
        table = read_table(path)
        units = read_units(schema, table)
    except InputError as error:
        raise InputError(f"{name}: {error}", argument=name) from None
    if units.n_units < FEWEST:
        noun = "rows" if units.ids is None else "persons"
        raise InputError(
            f"{name} must hold at least {FEWEST} {noun} that fit the schema of the release, for "
            f"fewer show nothing, and {path} holds {units.n_units} in {len(table):,} rows; bring "
            "more, or see with 'fedsynth schema check' why rows do not fit.",
            argument=name,
        )
    return units


def _check_no_shared_person(members: Units, others: Units) -> None:
    shared = set(members.ids or ()) & set(others.ids or ())
    if shared:
        raise InputError(
            f"members and others must not share a person, and they share {len(shared):,}; what was "
            "trained on cannot be the control. Leave them out of one file.",
            argument="others",
        )


def _check_no_shared_rows(members: Codes, others: Codes) -> None:
    """Raise InputError if many more rows of one table are in the other than within a table."""
    half = len(others) // 2
    first, second = row_keys(others[:half]), row_keys(others[half : 2 * half])
    shared = int(np.isin(row_keys(members[:half]), first).sum())
    by_chance = int(np.isin(second, first).sum())
    if compare_shares(shared, by_chance, half) < _SURELY_SHARED:
        raise InputError(
            "members and others must not hold the same rows, and many more rows are in both files "
            "than by chance; what was trained on cannot be the control. Give rows that the study "
            "did not train on as others.",
            argument="others",
        )
