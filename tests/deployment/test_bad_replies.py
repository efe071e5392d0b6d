"""A registered site that answers what no site should: it loses that round, and nobody else does.

All attacks are made in one study, one a round, by a program that holds a site's real keys.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from federation import Federation, federation, wait_for
from flwr.app import RecordDict
from hostile_site import (
    Arrays,
    Attack,
    HostileSite,
    as_hello,
    forged_and_never_sent,
    forged_receipt,
    twice,
    with_arrays,
    with_bomb,
    with_config,
    with_content,
    with_error,
    with_json,
    with_object_array,
    with_real_bytes,
)
from memory import PeakMemory

from server.deploy.folder import load_server

pytestmark = [pytest.mark.slow, pytest.mark.long]
SECRET = "the patient of room 413"
DEADLINE_S = 40.0


def fill(value: float) -> Attack:
    def change(arrays: Arrays) -> None:
        next(iter(arrays.values())).flat[0] = value

    return with_arrays(change)


def deepen(arrays: Arrays) -> None:
    for name in arrays:
        arrays[name] = arrays[name][None]


def spoil_name(said: dict[str, Any]) -> None:
    said["\ud800"] = said.pop(next(iter(said)))


ROUNDS: list[tuple[Attack, str]] = [
    (with_arrays(deepen), "wrong-shape"),
    (fill(float("nan")), "not-finite"),
    (fill(1e30), "norm-too-large"),
    (with_content(RecordDict()), "missing-key"),
    (with_arrays(lambda arrays: arrays.pop(next(iter(arrays)))), "missing-key"),
    (with_arrays(lambda arrays: arrays.update(extra=np.zeros(3, np.float32))), "unexpected-key"),
    (with_config(rows=413), "unexpected-key"),
    (with_error(2, SECRET * 1_000), "client-error"),
    (with_error(1001, SECRET), "error"),
    (with_object_array("object"), "wrong-dtype"),
    (with_object_array("float32"), "malformed"),
    (as_hello, ""),  # what a reply says of its own kind is not used
    (with_json("ArrayRecord", spoil_name), "malformed"),
    (with_json("Array", lambda said: said.update(shape=["x"])), "malformed"),
    (with_bomb, "too-large"),
    (with_real_bytes, "too-large"),
    (forged_receipt, "receipt-not-signed"),
    (forged_and_never_sent, "no-reply"),
    (twice, ""),
]


def start(lab: Federation, name: str, attacks: dict[str, Attack]) -> HostileSite:
    site = HostileSite(name=name, folder=lab.add_site(name), attacks=attacks)
    site.join(load_server(lab.server))
    return site


def test_a_site_that_answers_nonsense_loses_its_round_and_nobody_elses(tmp_path: Path) -> None:
    with federation(tmp_path) as lab:
        study = lab.write_study("abused", rounds=len(ROUNDS), deadline_s=DEADLINE_S)
        honest = {name: lab.join(name, study) for name in ("north", "south") if lab.add_site(name)}
        attacks = {f"train-{i}": attack for i, (attack, _) in enumerate(ROUNDS, start=1)}
        attacks["query.evaluate"] = with_config(**{"noise-evaluation-one-way": float("nan")})
        hostile = [
            start(lab, "mallory", attacks),
            start(lab, "trudy", {"query.sketch": with_config(noise_multiplier=1e-9)}),
        ]
        for name in honest:
            wait_for(lambda name=name: connected(lab, name), f"site {name}")
        run = lab.run(study)
        memory = PeakMemory(run.pid)
        wait_for(lambda: named(lab, "round-started"), "round")
        before = memory.peak()
        with memory.watching():
            assert lab.end(run, 400) == 0, lab.said("abused.out")
        assert memory.last - before < 200e6
        assert [lab.end(process) for process in honest.values()] == [0, 0]
        for site in hostile:
            site.leave()
        check_rounds(lab)
        check_ledgers(lab, list(honest))
        check_leftovers(lab)


def connected(lab: Federation, name: str) -> bool:
    return any(event["event"] == "connected" for event in lab.site_events(name))


def named(lab: Federation, kind: str) -> list[dict[str, Any]]:
    return [event for event in lab.events("abused") if event["event"] == kind]


def check_rounds(lab: Federation) -> None:
    """Every round counted, with both honest sites, and says why the third did not."""
    rounds = named(lab, "round-finished")
    assert len(rounds) == len(ROUNDS)
    assert [dict(event["rejected"]).get("mallory", "") for event in rounds] == [
        c for _, c in ROUNDS
    ]
    for event in rounds:
        assert {"north", "south"} <= set(event["valid"])
    phases = {event["phase"]: dict(event["rejected"]) for event in named(lab, "phase-finished")}
    assert phases["query.hello"] == {}
    assert phases["query.sketch"] == {"trudy": "value-not-allowed"}
    assert phases["query.evaluate"] == {"mallory": "not-finite"}
    slow = [event["seconds"] for event in rounds if event["seconds"] >= DEADLINE_S]
    assert len(slow) == 1  # the one whose answer was announced and never sent


def check_ledgers(lab: Federation, names: list[str]) -> None:
    for name in names:
        notes = lab.notes(name)
        assert len(notes) == len(set(notes))
        assert {f"round-{i}-kept" for i in range(1, len(ROUNDS) + 1)} <= set(notes)
        receipt = lab.release("abused") / "receipts" / f"{name}.txt"
        lab.cli("audit", "ledger", f"{name}/ledger.sqlite", "--receipt", receipt)


def check_leftovers(lab: Federation) -> None:
    """What a site wrote into an error is nowhere, and what it sent does not stay."""
    written = [*lab.server.rglob("*.jsonl"), *lab.server.rglob("*.log")]
    written += [p for p in lab.release("abused").rglob("*") if p.is_file()]
    for path in [*written, lab.folder / "abused.out"]:
        assert SECRET.encode() not in path.read_bytes(), path
    assert "push-messages 413" in (lab.server / "logs/proxy-access.log").read_text()
    report = (lab.release("abused") / "report.json").read_text()
    assert "too-large" in report
    size = sum(p.stat().st_size for p in (lab.server / "superlink").rglob("*") if p.is_file())
    assert size < 250e6
