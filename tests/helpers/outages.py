"""What must hold at the sites after whatever went wrong elsewhere."""

from __future__ import annotations

import pytest
from federation import Federation

from privacy import compute_epsilon
from server.study import load_study

DELTA = 1e-5


def event_count(lab: Federation, study: str, name: str, **facts: object) -> int:
    """Return how often the coordinator has written an event with these facts."""
    events = [event for event in lab.events(study) if event["event"] == name]
    return sum(all(event.get(key) == value for key, value in facts.items()) for event in events)


def assert_paid_once(lab: Federation, site: str, *studies: str) -> None:
    """Assert that a site spent what the studies planned, no more, and drew every answer once."""
    ledger = lab.ledger(site)
    planned = []
    for name in studies:
        study = load_study(lab.folder / f"{name}.toml")
        entries = [entry for entry in ledger.entries() if entry.study == name]
        plan = list(study.make_plan().events())
        assert [entry.event for entry in entries if entry.event is not None] == plan
        planned += plan
        phases = ["sketch", *(f"round-{n + 1}" for n in range(study.rounds))]
        phases += ["evaluation"] if study.evaluation else []
        notes = [entry.note for entry in entries if entry.note]
        assert notes == [note for phase in phases for note in (phase, f"{phase}-kept")]
    assert ledger.epsilon() == pytest.approx(compute_epsilon(planned, DELTA), rel=1e-9)
