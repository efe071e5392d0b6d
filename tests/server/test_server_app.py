"""The coordinator: refusals cost nothing, absent sites are done without, nonsense never counts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from tiny_sites import Recorder, make_study, write_site, write_sites
from tiny_world import SCHEMA

from client.app import app
from client.site import load_site
from privacy import GaussianEvent, Ledger, compute_epsilon
from server.acceptance import _MEANING
from server.app import Coordinator
from server.outcome import StudyOutcome
from simulations.grid import Fault, LocalGrid
from strategies import StudyFailed, protocol
from strategies.protocol import (
    ARRAYS,
    CONFIG,
    QUERY_HELLO,
    QUERY_SKETCH,
    SKETCH,
    STATISTICS,
    TRAIN,
    RefusalCode,
)
from strategies.receipts import ReceiptProblem
from synthesis.schema import Schema, UnitOfPrivacy

Twist = Callable[[Message, Message], Message]
LAST = 103


def make_grid(home: Path, **more) -> LocalGrid:
    return LocalGrid(more.pop("client", app), 3, run_config={"sites-dir": str(home)}, **more)


def run(grid: LocalGrid, **changes) -> StudyOutcome:
    return Coordinator(make_study(**changes), SCHEMA, num_sites=3).run(grid)


def spent(home: Path) -> dict[str, float]:
    """What every ledger holds; a site without one would not answer at all."""
    return {
        folder.name: Ledger.open(folder / "ledger.sqlite").epsilon()
        for folder in sorted(home.iterdir())
    }


def weights_of(outcome: StudyOutcome) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in outcome.generator.parameters()])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_sites(tmp_path)
    return tmp_path


def other_schema(folder: Path) -> None:
    columns = list(SCHEMA.model_dump()["columns"])
    columns[0]["maximum"] = 28
    content = SCHEMA.model_dump() | {"columns": columns}
    write_site(folder, schema=Schema.model_validate(content))


def for_persons(folder: Path) -> None:
    unit = UnitOfPrivacy(kind="person", person_column="patient").model_dump()
    write_site(folder, schema=Schema.model_validate(SCHEMA.model_dump() | {"unit": unit}))


def without_configuration(folder: Path) -> None:
    (folder / "site.toml").unlink()


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (other_schema, ": schema-mismatch, it has approved another schema)"),
        (for_persons, "(site 103: refused-local-failure, something failed there"),
        (without_configuration, "(site 103: refused-local-failure, something failed there"),
    ],
)
def test_a_refusal_ends_the_study_before_any_budget_is_spent(
    home: Path, change: Callable[[Path], None], reason: str
) -> None:
    change(home / "site-3")
    grid = make_grid(home)
    with pytest.raises(StudyFailed, match="no budget was spent") as caught:
        run(grid)
    assert reason in str(caught.value)
    assert {d.message_type for d in grid.deliveries} == {QUERY_HELLO}
    assert set(spent(home).values()) == {0.0}


def fault_on(kind: str, fault: Fault, node: int = LAST) -> Callable[[Message], Fault | None]:
    def find(message: Message) -> Fault | None:
        at = message.metadata
        return fault if at.message_type == kind and at.dst_node_id == node else None

    return find


@pytest.mark.parametrize("kind", [QUERY_HELLO, QUERY_SKETCH, TRAIN])
@pytest.mark.parametrize("fault", [Fault.LOST, Fault.LATE])
def test_a_site_that_dies_is_done_without(home: Path, kind: str, fault: Fault) -> None:
    outcome = run(make_grid(home, fault_of=fault_on(kind, fault)), minimum_sites=2)
    assert all(record.changed for record in outcome.rounds)
    assert all(record.valid == (101, 102) for record in outcome.rounds)
    assert outcome.nodes == ((101, 102, 103) if kind == TRAIN else (101, 102))
    assert torch.isfinite(weights_of(outcome)).all()


def test_a_site_that_is_never_online_is_done_without(home: Path) -> None:
    grid = make_grid(home)
    grid.offline.add(LAST)
    outcome = run(grid, minimum_sites=2, deadline_s=0.3)
    assert outcome.nodes == (101, 102)
    assert spent(home)["site-3"] == 0.0


@pytest.mark.parametrize("kind", [QUERY_HELLO, QUERY_SKETCH, TRAIN])
def test_too_few_sites_end_the_study_in_a_sentence(home: Path, kind: str) -> None:
    grid = make_grid(home, fault_of=fault_on(kind, Fault.LOST))
    with pytest.raises(StudyFailed, match="node-unavailable"):
        run(grid, minimum_sites=3)
    if kind == QUERY_HELLO:
        assert set(spent(home).values()) == {0.0}


def test_a_site_without_budget_says_so_before_the_others_spend_theirs(home: Path) -> None:
    shutil.rmtree(home / "site-3")
    write_site(home / "site-3", epsilon=0.5)
    with pytest.raises(StudyFailed, match="budget-exceeded, its budget for life has too little"):
        run(make_grid(home), minimum_sites=2)
    assert set(spent(home).values()) == {0.0}


def test_a_site_whose_budget_runs_out_after_hello_is_done_without(home: Path) -> None:
    """Another study may have come first; the others then go on without it."""
    other = [GaussianEvent(noise_multiplier=4.0, purpose="sketch")]

    def come_first(message: Message, context: Context) -> Message:
        if (message.metadata.message_type, context.node_id) == (QUERY_SKETCH, LAST):
            load_site(home / "site-3", is_simulated=True).ledger.reserve("another-study", other)
        return app(message, context)

    outcome = run(make_grid(home, client=come_first), minimum_sites=2)
    assert outcome.nodes == (101, 102)
    only_the_other = compute_epsilon(other, 1e-5)
    assert spent(home)["site-3"] == pytest.approx(only_the_other)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        (
            {"max_rounds": 1},
            "policy-max-rounds, its policy allows 1 rounds and the study asks for 2",
        ),
        (
            {"max_epsilon_per_study": 0.25},
            "policy-max-epsilon-per-study, its policy allows one study epsilon 0.25 and this one "
            "asks for 1",
        ),
        (
            {"smallest_noise_multiplier": 40.0},
            "policy-smallest-noise-multiplier, its policy asks for a noise multiplier of at least "
            "40 in every release",
        ),
        ({"study_kinds": ("sketch",)}, "policy-study-kinds, its policy does not allow"),
        ({"expires": date(2020, 1, 1)}, "policy-expires, its policy has expired"),
        ({"models": ("another",)}, "policy-models, its policy does not allow the model mixture"),
    ],
)
def test_a_refusal_says_what_the_policy_allows(
    home: Path, policy: dict[str, Any], said: str
) -> None:
    shutil.rmtree(home / "site-3")
    site = write_site(home / "site-3", **policy)
    with pytest.raises(StudyFailed, match="no budget was spent") as caught:
        run(make_grid(home))
    assert f"(site 103 with key {site.public_key.fingerprint}: {said}" in caught.value.reason
    assert caught.value.reason.count("site 10") == 1
    assert set(spent(home).values()) == {0.0}


def test_an_evaluation_needs_a_hold_out_at_every_site(home: Path) -> None:
    with pytest.raises(StudyFailed, match="policy-holdout, it holds nobody out"):
        run(make_grid(home), evaluation=True)


def test_every_code_of_a_refusal_has_words() -> None:
    codes = {code.value for code in RefusalCode} - {"none"}
    codes |= {code.value for code in ReceiptProblem} - {"ledger-stood-still"}  # never at hello
    assert codes == {str(code) for code in _MEANING}


class Twisted:
    """The real ClientApp, with what the last site sends changed on its way out."""

    def __init__(self, kind: str, twist: Callable[[RecordDict], None]) -> None:
        self.kind, self.twist = kind, twist

    def __call__(self, message: Message, context: Context) -> Message:
        reply = app(message, context)
        if message.metadata.message_type != self.kind or context.node_id != LAST:
            return reply
        content = reply.content
        self.twist(content)
        return Message(content, reply_to=message)


def change_array(record: str, key: str, value: float) -> Callable[[RecordDict], None]:
    def twist(content: RecordDict) -> None:
        arrays = {name: a.numpy().copy() for name, a in content.array_records[record].items()}
        arrays[key].flat[0] = value
        content[record] = ArrayRecord({name: Array(a) for name, a in arrays.items()})

    return twist


def shorten(record: str, key: str) -> Callable[[RecordDict], None]:
    def twist(content: RecordDict) -> None:
        arrays = {name: a.numpy() for name, a in content.array_records[record].items()}
        arrays[key] = np.ascontiguousarray(arrays[key][:-1])
        content[record] = ArrayRecord({name: Array(a) for name, a in arrays.items()})

    return twist


def state_noise(value: float) -> Callable[[RecordDict], None]:
    def twist(content: RecordDict) -> None:
        config = dict(content.config_records[CONFIG])
        content[CONFIG] = ConfigRecord(config | {protocol.NOISE_MULTIPLIER: value})

    return twist


@pytest.mark.parametrize(
    ("twist", "code"),
    [
        (change_array(ARRAYS, "anchors", np.nan), "not-finite"),
        (change_array(ARRAYS, "anchors", np.inf), "not-finite"),
        (change_array(ARRAYS, "anchors", 1e20), "norm-too-large"),
        (shorten(ARRAYS, "anchors"), "wrong-shape"),
        (lambda content: content[ARRAYS].pop("anchors"), "missing-key"),
    ],
)
def test_a_bad_generator_is_not_counted(home: Path, twist, code: str) -> None:
    outcome = run(make_grid(home, client=Twisted(TRAIN, twist)), minimum_sites=2)
    for record in outcome.rounds:
        assert record.valid == (101, 102)
        assert dict(record.rejected) == {LAST: code}
    assert torch.isfinite(weights_of(outcome)).all()


@pytest.mark.parametrize(
    "twist",
    [
        change_array(SKETCH, STATISTICS, np.nan),
        change_array(SKETCH, STATISTICS, -np.inf),
        shorten(SKETCH, STATISTICS),
        state_noise(0.0),
        state_noise(-3.0),
        state_noise(1e300),
        state_noise(float("nan")),
    ],
)
def test_a_bad_sketch_is_not_counted(home: Path, twist) -> None:
    outcome = run(make_grid(home, client=Twisted(QUERY_SKETCH, twist)), minimum_sites=2)
    assert outcome.nodes == (101, 102)
    assert set(outcome.noise_multipliers) == {101, 102}
    assert torch.isfinite(weights_of(outcome)).all()


def test_bad_sketches_of_too_many_end_the_study(home: Path) -> None:
    client = Twisted(QUERY_SKETCH, change_array(SKETCH, STATISTICS, np.nan))
    with pytest.raises(StudyFailed, match="not-finite"):
        run(make_grid(home, client=client), minimum_sites=3)


def test_a_void_round_changes_nothing_and_says_so(home: Path) -> None:
    def lost_in_round_one(message: Message) -> Fault | None:
        at = message.metadata
        return Fault.LOST if (at.message_type, at.group_id) == (TRAIN, "1") else None

    outcome = run(make_grid(home, fault_of=lost_in_round_one))
    assert [record.changed for record in outcome.rounds] == [False, True]
    assert set(outcome.rounds[0].rejected.values()) == {"node-unavailable"}


def test_a_site_that_missed_the_first_round_joins_in_the_second(home: Path) -> None:
    """The pooled sketch must reach it then, and not travel again to the others."""

    def lost_once(message: Message) -> Fault | None:
        at = message.metadata
        missed = (at.message_type, at.group_id, at.dst_node_id) == (TRAIN, "1", LAST)
        return Fault.LOST if missed else None

    recorder = Recorder()
    outcome = run(make_grid(home, client=recorder, fault_of=lost_once), minimum_sites=2)
    assert [record.valid for record in outcome.rounds] == [(101, 102), (101, 102, 103)]
    got_sketch = [
        (m.metadata.group_id, m.metadata.dst_node_id)
        for m, _ in recorder.seen
        if protocol.POOLED_SKETCH in m.content
    ]
    assert got_sketch == [("1", 101), ("1", 102), ("2", LAST)]


def test_the_sketch_alone_gives_its_generator(home: Path) -> None:
    outcome = run(make_grid(home), rounds=0, adversarial_share=0)
    assert outcome.rounds == ()
    assert outcome.generator is outcome.sketch_generator
    assert all(0.99 < epsilon <= 1 for epsilon in spent(home).values())


def test_rounds_change_the_generator(home: Path) -> None:
    outcome = run(make_grid(home))
    sketch = torch.cat([p.detach().flatten() for p in outcome.sketch_generator.parameters()])
    assert not torch.equal(weights_of(outcome), sketch)


def test_the_same_seeds_give_the_same_generator_bit_for_bit(tmp_path: Path) -> None:
    found = []
    for name in ("a", "b"):
        write_sites(tmp_path / name)
        found.append(weights_of(run(make_grid(tmp_path / name))))
    assert torch.equal(*found)


def test_progress_is_told_in_order(home: Path) -> None:
    events: list[str] = []
    study = make_study()
    Coordinator(study, SCHEMA, num_sites=3, on_event=lambda e: events.append(str(e["event"]))).run(
        make_grid(home)
    )
    assert events.count("fit-progress") == study.fit_steps
    kept = [event for event in events if event != "fit-progress"]
    assert kept == ["phase-started", "phase-finished"] * 2 + ["round-started", "round-finished"] * 2
