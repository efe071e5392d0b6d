"""Audits of what this version ships, and of a study before it runs; no site's rows are read."""

from __future__ import annotations

from pathlib import Path

from fedsynth.plan_inputs import find_circumstances, find_schema, study_of
from server.kinds import check_kind
from server.study import AUTO, Study
from simulations.audits import Rehearsal, StepAudit
from simulations.audits import audit_step as _audit_step
from simulations.audits import rehearse as _rehearse
from simulations.audits.rehearsal import CANARIES
from simulations.audits.step import TRIALS
from simulations.demos import DEFAULT_DEMO
from simulations.settings import read_settings
from synthesis.errors import InputError
from synthesis.kinds import IMAGES, AnySchema
from synthesis.schema import Schema

__all__ = ["CANARIES", "TRIALS", "Rehearsal", "StepAudit", "audit_step", "rehearse"]


def audit_step(
    study: str | Path | None = None,
    *,
    schema: str | Path | None = None,
    trials: int = TRIALS,
    seed: int = 0,
) -> StepAudit:
    """Try whether one record or person moves any release by more than the ledger charges for.

    Args:
        study: study file (TOML) whose clip and batch are tried too.
        schema: schema file; that of the study or of the census when left out.
        trials: pairs of neighbouring tables for each mechanism, >= 1.
        seed: repeats the audit.

    Raises:
        InputError: if a file or a number cannot be used.
    """
    settings, found = _read_scene(study, schema)
    if study is not None:
        check_kind(settings, found)
    return _audit_step(found, settings if study is not None else None, trials=trials, seed=seed)


def rehearse(
    study: str | Path,
    *,
    schema: str | Path | None = None,
    canaries: int = CANARIES,
    rows: int | None = None,
    seed: int | None = None,
) -> Rehearsal:
    """Run a study's private part on public or made-up rows, and try to find canaries in it.

    Args:
        study: study file (TOML).
        schema: schema file; that of the study or of the census when left out.
        canaries: made-up units, each in by a fair coin, in [1000, 5000].
        rows: other units beside them; as many as the study declares, at most 5000, when left out.
        seed: repeats the rehearsal; left out, all is drawn from the operating system.

    Raises:
        InputError: if a file or a number cannot be used.
    """
    settings, found = _read_scene(study, schema)
    if not isinstance(found, Schema):
        raise InputError(
            f"schema must describe a table for a rehearsal, and {found.name!r} describes images: "
            "canaries are rows of tables; 'fedsynth audit step' tries what moves an image.",
            argument="schema",
        )
    return _rehearse(settings, found, canaries=canaries, rows=rows, seed=seed)


def _read_scene(path: str | Path | None, schema: str | Path | None) -> tuple[Study, AnySchema]:
    """Return a study as it would run and the schema of its data, or else that of the census."""
    given = None if schema is None else Path(schema)
    content, settings = read_settings(None if path is None else Path(path), study={}, simulation={})
    found = find_schema(settings, given, settings.demo or DEFAULT_DEMO)
    if found is None:
        raise RuntimeError("a demonstration has no schema.")
    where = None
    if isinstance(found, Schema):
        where = find_circumstances(content, settings, schema=given, sites=None, rows=None)
    elif settings.model_fields_set:
        content = {"model": IMAGES, **content}  # as a simulation fills it in
    if where is None and content.get("adversarial_share") == AUTO:
        raise InputError(
            f"adversarial_share must be a number for an audit, got {AUTO!r}; 'fedsynth plan' "
            "chooses it: write its number into the study.",
            argument="adversarial_share",
        )
    return study_of(content, settings, where), found
