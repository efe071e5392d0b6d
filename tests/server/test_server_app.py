"""The coordinator: refusals cost nothing, absent sites are done without, nonsense never counts."""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, RecordDict
from stages import but_for
from tiny_sites import Recorder, make_study, write_sites
from tiny_world import SCHEMA

from client.app import app
from client.site import load_site
from privacy import GaussianEvent, Ledger, compute_epsilon
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
)

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


def fault_on(kind: str, fault: Fault, node: int = LAST) -> Callable[[Message], Fault | None]:
    def find(message: Message) -> Fault | None:
        at = message.metadata
        return fault if at.message_type == kind and at.dst_node_id == node else None

    return find


@pytest.mark.parametrize(
    ("fault", "kind"),
    but_for(
        product([Fault.LOST, Fault.LATE], [QUERY_HELLO, QUERY_SKETCH, TRAIN]),
        *product([Fault.LOST], [QUERY_HELLO, QUERY_SKETCH, TRAIN]),
        (Fault.LATE, TRAIN),
    ),
)
def test_a_site_that_dies_is_done_without(home: Path, kind: str, fault: Fault) -> None:
    outcome = run(make_grid(home, fault_of=fault_on(kind, fault)), minimum_sites=2, rounds=1)
    assert all(record.changed for record in outcome.rounds)
    assert all(record.valid == (101, 102) for record in outcome.rounds)
    assert outcome.nodes == ((101, 102, 103) if kind == TRAIN else (101, 102))
    assert torch.isfinite(weights_of(outcome)).all()


def test_a_site_that_is_never_online_is_done_without(home: Path) -> None:
    grid = make_grid(home)
    grid.offline.add(LAST)
    outcome = run(grid, minimum_sites=2, deadline_s=0.3, rounds=1)
    assert outcome.nodes == (101, 102)
    assert spent(home)["site-3"] == 0.0


@pytest.mark.parametrize("kind", [QUERY_HELLO, QUERY_SKETCH, TRAIN])
def test_too_few_sites_end_the_study_in_a_sentence(home: Path, kind: str) -> None:
    grid = make_grid(home, fault_of=fault_on(kind, Fault.LOST))
    with pytest.raises(StudyFailed, match="node-unavailable"):
        run(grid, minimum_sites=3)
    if kind == QUERY_HELLO:
        assert set(spent(home).values()) == {0.0}


def test_a_site_whose_budget_runs_out_after_hello_is_done_without(home: Path) -> None:
    """Another study may have come first; the others then go on without it."""
    other = [GaussianEvent(noise_multiplier=4.0, purpose="sketch")]

    def come_first(message: Message, context: Context) -> Message:
        if (message.metadata.message_type, context.node_id) == (QUERY_SKETCH, LAST):
            load_site(home / "site-3", is_simulated=True).ledger.reserve("another-study", other)
        return app(message, context)

    outcome = run(make_grid(home, client=come_first), minimum_sites=2, rounds=1)
    assert outcome.nodes == (101, 102)
    only_the_other = compute_epsilon(other, 1e-5)
    assert spent(home)["site-3"] == pytest.approx(only_the_other)


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
        (change_array(ARRAYS, "anchors", 6e4), "norm-too-large"),
        (shorten(ARRAYS, "anchors"), "wrong-shape"),
        (lambda content: content[ARRAYS].pop("anchors"), "missing-key"),
    ],
)
def test_a_bad_generator_is_not_counted(home: Path, twist, code: str) -> None:
    outcome = run(make_grid(home, client=Twisted(TRAIN, twist)), minimum_sites=2, rounds=1)
    assert len(outcome.rounds) == 1
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
    client = Twisted(QUERY_SKETCH, twist)
    outcome = run(make_grid(home, client=client), minimum_sites=2, rounds=0, adversarial_share=0)
    assert outcome.nodes == (101, 102)
    assert set(outcome.noise_multipliers) == {101, 102}
    assert torch.isfinite(weights_of(outcome)).all()
    assert outcome.left_out["hello"] == {}
    assert set(outcome.left_out["sketch"]) == {103}  # so that the report can name it


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


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> StudyOutcome:
    home = tmp_path_factory.mktemp("undisturbed")
    write_sites(home)
    return run(make_grid(home))


def test_rounds_change_the_generator(undisturbed: StudyOutcome) -> None:
    outcome = undisturbed
    sketch = torch.cat([p.detach().flatten() for p in outcome.sketch_generator.parameters()])
    assert not torch.equal(weights_of(outcome), sketch)


def test_the_same_seeds_give_the_same_generator_bit_for_bit(
    undisturbed: StudyOutcome, home: Path
) -> None:
    assert torch.equal(weights_of(run(make_grid(home))), weights_of(undisturbed))


def test_progress_is_told_in_order(tmp_path: Path) -> None:
    write_sites(tmp_path, epsilon=20.0)
    events: list[str] = []
    study = make_study(epsilon=20.0)  # so that there is something to fit
    Coordinator(study, SCHEMA, num_sites=3, on_event=lambda e: events.append(str(e["event"]))).run(
        make_grid(tmp_path)
    )
    assert events.count("fit-progress") == study.fit_steps
    kept = [event for event in events if event != "fit-progress"]
    rounds = ["round-started", "round-finished"] * 2
    closed = ["study-closing", "study-closed"]
    assert kept == ["phase-started", "phase-finished"] * 2 + rounds + closed
