"""The phases of a study at a site: begun once, and again only if nothing of them ever left.

The ledger says how far each phase came. ``sketch`` means that it has begun, ``sketch-kept`` that
its answer is on the site's disk and may have been sent, ``sketch-spoiled`` that it failed in a way
that could depend on what was drawn. What was interrupted before it was kept, by a kill, a power
cut, a full disk or a lost database, left nothing outside; so it may begin again, a few times, as
``sketch-again-1``. At most one draw of every mechanism ever leaves, and that one was reserved.
"""

from __future__ import annotations

import sqlite3

from client.refusals import REFUSALS, MalformedRequest
from client.reserving import check_study, find_reservation
from client.settings import StudyRequest
from client.site import Site
from privacy import AlreadyReleased, LedgerEntry, State
from synthesis import InputError, SourceUnavailable

SKETCH_PHASE = "sketch"
EVALUATION_PHASE = "evaluation"
MOST_ATTEMPTS = 3
KEPT = "-kept"
"""End of the note that an answer is on the site's disk."""
OPENED = "opened"
"""The note that the coins of a study's canaries may be known outside."""
_ROUND = "round-"
_HARMLESS = (OSError, sqlite3.Error, InputError, SourceUnavailable, *REFUSALS)
"""What goes wrong for reasons that have nothing to do with the noise that was drawn."""


def round_phase(server_round: int) -> str:
    """Return the name of a round's phase."""
    return f"{_ROUND}{server_round}"


def begin_phase(site: Site, reservation: str, phase: str) -> None:
    """Write into the ledger that a phase begins; call it before the first record is read.

    Raises:
        AlreadyReleased: if an answer of this phase was made before, a later round has begun, it
            was interrupted too often, or the coins of the study's canaries were opened.
    """
    notes = _notes(site, reservation)
    if OPENED in notes:
        raise AlreadyReleased("the canaries of this study were opened; nothing of it runs any more")
    attempts = sum(note == phase or note.startswith(f"{phase}-again-") for note in notes)
    if f"{phase}{KEPT}" in notes or f"{phase}-spoiled" in notes:
        raise AlreadyReleased(f"{phase} of this study was answered before.")
    if attempts >= MOST_ATTEMPTS:
        raise AlreadyReleased(f"{phase} of this study was interrupted {attempts} times.")
    if 0 < _round_number(phase) < max(map(_round_number, notes), default=0):
        raise AlreadyReleased("a later round of this study has begun before.")
    note = phase if attempts == 0 else f"{phase}-again-{attempts}"
    site.ledger.mark(reservation, State.RUNNING, note)


def keep_phase(site: Site, request: StudyRequest, phase: str) -> None:
    """Write into the ledger that a phase's answer is on the site's disk, before it is sent."""
    reservation = find_reservation(site, request.study)
    if site.ledger.state(reservation) in (State.DONE, State.FAILED):
        return
    if f"{phase}{KEPT}" not in _notes(site, reservation):
        site.ledger.mark(reservation, State.RUNNING, f"{phase}{KEPT}")
    if phase == _last_phase(request):
        site.ledger.mark(reservation, State.DONE)


def spoil_phase(site: Site, request: StudyRequest, phase: str, error: Exception) -> None:
    """Let a phase that failed for an unknown reason never begin again.

    Whether it fails could depend on the noise, and then trying again would choose among draws.
    """
    if isinstance(error, _HARMLESS):
        return
    try:
        reservation = find_reservation(site, request.study)
    except ValueError:  # it failed before anything was reserved
        return
    notes = _notes(site, reservation)
    if phase in notes and not {f"{phase}{KEPT}", f"{phase}-spoiled"} & notes:
        site.ledger.mark(reservation, State.RUNNING, f"{phase}-spoiled")


def open_phase(site: Site, request: StudyRequest) -> None:
    """Let nothing of a study begin any more, because the coins of its canaries leave now.

    The coordinator says with its question that all rounds are over. Nothing of a real unit is at
    stake. But from here on whoever asks may know who of the canaries is in, and an audit of what is
    released after that would show nothing: questions, and the choice which of them to ask, could
    then depend on the coins. So coins are opened last, and nothing follows them.

    Raises:
        MalformedRequest: if the sketch, which is what is audited, has not been answered.
        StudyChanged: if the study was reserved with other settings.
    """
    try:
        reservation = find_reservation(site, request.study)
    except ValueError:
        raise MalformedRequest("coins can be opened only after the sketch.") from None
    check_study(site, request)
    notes = _notes(site, reservation)
    if f"{SKETCH_PHASE}{KEPT}" not in notes:
        raise MalformedRequest("coins can be opened only after the sketch.")
    is_over = site.ledger.state(reservation) in (State.DONE, State.FAILED)
    if not is_over and OPENED not in notes:
        site.ledger.mark(reservation, State.RUNNING, OPENED)


def close_study(site: Site, study: str, *, is_finished: bool, by: str = "site") -> None:
    """Write into the ledger that a study is over; what it reserved stays spent.

    Raises:
        AlreadyReleased: if it is done or failed.
        ValueError: if the ledger knows no study of this name.
    """
    reservation = find_reservation(site, study)
    if is_finished and site.ledger.state(reservation) is State.RUNNING:
        site.ledger.mark(reservation, State.DONE)
    else:
        site.ledger.mark(reservation, State.FAILED, f"closed-by-the-{by}")


def _last_phase(request: StudyRequest) -> str:
    if request.evaluation:
        return EVALUATION_PHASE
    return round_phase(request.rounds) if request.rounds > 0 else SKETCH_PHASE


def _notes(site: Site, reservation: str) -> set[str]:
    return {entry.note for entry in site.ledger.entries() if _is_note(entry, reservation)}


def _is_note(entry: LedgerEntry, reservation: str) -> bool:
    return entry.reservation == reservation and entry.note != ""


def _round_number(phase: str) -> int:
    """Return the round that a note belongs to, 0 for those of other phases."""
    if not phase.startswith(_ROUND):
        return 0
    return int(phase.removeprefix(_ROUND).split("-")[0])
