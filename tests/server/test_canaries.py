"""Canaries at the coordinator: half of each taken out, scored at the end, over all its lives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from flwr.app import ConfigRecord, Context, Message
from tiny_sites import ROWS, make_study, write_sites
from tiny_world import SCHEMA

from client.app import app
from client.canaries import find_opening
from client.site import load_site
from server.app import Coordinator
from server.canaries import LONGEST_OPENING_S, state_canaries
from server.checkpoint import Checkpoint
from server.conversation import Conversation
from server.outcome import StudyOutcome
from server.pooling.sketch_pool import SketchPool
from server.report import build_audit
from simulations.grid import Fault, LocalGrid
from strategies.collect import Answers
from strategies.protocol import (
    CANARIES,
    CANARY_COINS,
    CANARY_COMMITMENT,
    CONFIG,
    NOISE_MULTIPLIER,
    PLAN_EPSILON,
    QUERY_OPEN,
    QUERY_SKETCH,
    STATISTICS,
    RefusalCode,
    error_reply,
)
from strategies.receipts import ReceiptBook
from strategies.validation import Rejection, Reply
from synthesis.contributions import find_contributions
from synthesis.layout import SketchLayout

NUMBER = 60
LAYOUT = SketchLayout.from_schema(SCHEMA)
NAMES = {101: "north", 102: "east", 103: "south"}
Change = Callable[[Message, Message], Message]


class WatchedGrid(LocalGrid):
    """Notes how long answers to each kind of question are waited for."""

    waits: ClassVar[dict[str, float | None]] = {}

    def send_and_receive(self, messages: Any, *, timeout: float | None = None) -> Any:
        asked = list(messages)
        self.waits.update((message.metadata.message_type, timeout) for message in asked)
        return super().send_and_receive(asked, timeout=timeout)


class Died(BaseException):
    """The coordinator's process is gone."""


def run(
    home: Path,
    change: Change = lambda message, reply: reply,
    *,
    dies_at: str = "",
    grids: type[LocalGrid] = LocalGrid,
) -> StudyOutcome:
    """One life of a coordinator that keeps what it has; ``change`` is done to every reply."""

    def client(message: Message, context: Context) -> Message:
        return change(message, app(message, context))

    def notice(event: Any) -> None:
        if dies_at and (event["event"], event.get("phase")) == ("phase-finished", dies_at):
            raise Died

    checkpoint = Checkpoint(home / "study", receipts=home / "receipts.json")
    grid = grids(client, 3, run_config={"sites-dir": str(home / "sites")})
    return Coordinator(
        make_study(evaluation=True, rounds=1),
        SCHEMA,
        num_sites=3,
        receipts=ReceiptBook(checkpoint.find_receipts()),
        on_event=notice,
        checkpoint=checkpoint,
    ).run(grid)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_sites(tmp_path / "sites", holdout=0.3, canaries=NUMBER)
    return tmp_path


def text_of(outcome: StudyOutcome) -> str:
    stated = state_canaries(make_study(evaluation=True, rounds=1), SCHEMA, outcome, NAMES)
    assert stated is not None
    return stated.to_text()


def test_every_site_is_audited_by_the_coins_it_keeps(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("server.canaries.LONGEST_OPENING_S", 7.0)
    outcome = run(home, grids=WatchedGrid)
    assert (WatchedGrid.waits[QUERY_SKETCH], WatchedGrid.waits[QUERY_OPEN]) == (30.0, 7.0)
    assert [phase.name for phase in outcome.phases][-1] == "open"
    for node, planted in outcome.canaries.items():
        site = load_site(home / "sites" / f"site-{node - 100}", is_simulated=True)
        kept = find_opening(site, "tiny-study")
        assert kept is not None and planted.opening is not None
        assert (planted.opening.coins == kept.coins).all()
        assert planted.commitment == kept.commit()
        assert planted.public_key == site.public_key
        assert planted.scores.shape == (NUMBER,)
    stated = state_canaries(make_study(evaluation=True, rounds=1), SCHEMA, outcome, NAMES)
    audit = build_audit(stated, make_study(evaluation=True, rounds=1))
    assert audit is not None
    assert [site.site for site in audit.sites] == ["east", "north", "south"]
    assert all(site.right is not None and not site.refutes for site in audit.sites)


def test_where_nobody_plants_nobody_is_asked(tmp_path: Path) -> None:
    write_sites(tmp_path / "sites", holdout=0.3)
    kinds: list[str] = []

    def note(message: Message, reply: Message) -> Message:
        kinds.append(message.metadata.message_type)
        return reply

    outcome = run(tmp_path, note)
    assert outcome.canaries == {} and QUERY_OPEN not in kinds
    study = make_study(evaluation=True, rounds=1)
    assert state_canaries(study, SCHEMA, outcome, NAMES) is None
    assert build_audit(None, study) is None


@pytest.mark.parametrize(
    "phase",
    [
        pytest.param(QUERY_SKETCH, marks=pytest.mark.slow),
        pytest.param("query.evaluate", marks=pytest.mark.slow),
        QUERY_OPEN,
    ],
)
def test_a_coordinator_that_dies_finds_the_same_audit(tmp_path: Path, phase: str) -> None:
    texts = []
    for name, dies_at in (("whole", ""), ("two-lives", phase)):
        home = tmp_path / name
        write_sites(home / "sites", holdout=0.3, canaries=NUMBER)
        if dies_at:
            with pytest.raises(Died):
                run(home, dies_at=dies_at)
        texts.append(text_of(run(home)))
    assert texts[0] == texts[1]


def false_coins(message: Message, reply: Message) -> Message:
    if message.metadata.message_type == QUERY_OPEN and message.metadata.dst_node_id == 102:
        config = reply.content.config_records[CONFIG]
        first, *rest = str(config[CANARY_COINS])
        config[CANARY_COINS] = f"{int(first, 16) ^ 8:x}{''.join(rest)}"
    return reply


def no_answer(message: Message, reply: Message) -> Message:
    is_lost = message.metadata.message_type == QUERY_OPEN and message.metadata.dst_node_id == 102
    return error_reply(message, RefusalCode.LOCAL_FAILURE) if is_lost else reply


@pytest.mark.parametrize("change", [false_coins, no_answer])
def test_a_site_that_does_not_open_what_it_committed_to_is_named_and_ends_nothing(
    home: Path, change: Change
) -> None:
    outcome = run(home, change)
    assert {n: planted.opening is None for n, planted in outcome.canaries.items()} == {
        101: False,
        102: True,
        103: False,
    }
    study = make_study(evaluation=True, rounds=1)
    audit = build_audit(state_canaries(study, SCHEMA, outcome, NAMES), study)
    assert audit is not None
    (closed,) = [site for site in audit.sites if site.right is None]
    assert (closed.site, closed.one_run, closed.f_dp, closed.refutes) == ("east", None, None, False)


@pytest.mark.parametrize(("deadline_s", "wait_s"), [(3600.0, LONGEST_OPENING_S), (20.0, 20.0)])
def test_a_silent_site_is_waited_for_until_the_nearer_of_both_ends(
    tmp_path: Path, deadline_s: float, wait_s: float
) -> None:
    WatchedGrid.waits.clear()
    grid = WatchedGrid(lambda message, context: message, 1, fault_of=lambda message: Fault.LATE)
    checkpoint = Checkpoint(tmp_path / "study", receipts=tmp_path / "receipts.json")
    checkpoint.open("tiny-study", "digest")
    answers = Conversation(
        deadline_s=deadline_s,
        receipts=ReceiptBook(),
        checkpoint=checkpoint,
        on_event=lambda event: None,
    ).ask(grid, lambda: [101], QUERY_OPEN, ConfigRecord(), longest_s=LONGEST_OPENING_S)
    assert answers.rejected == {101: "no-reply"}
    assert grid.waits == {QUERY_OPEN: wait_s}


def test_canaries_and_commitment_come_together_or_the_sketch_does_not_count() -> None:
    pool = SketchPool(LAYOUT, lambda node, number: None, least_noise=lambda epsilon: 1.0)
    for extra in ({CANARIES: NUMBER}, {CANARY_COMMITMENT: "0" * 64}):
        reply = Reply(
            arrays={STATISTICS: np.zeros(LAYOUT.dimension, np.float32)},
            config={NOISE_MULTIPLIER: 2.0, PLAN_EPSILON: 1.0} | extra,
        )
        assert pool.take(101, reply) == Rejection(code="missing-key")


def test_half_of_every_canary_is_taken_out_and_what_they_touch_is_kept() -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(0, SCHEMA.sizes, (NUMBER, len(SCHEMA.sizes))).astype(np.int16)
    contributions = find_contributions(LAYOUT, codes)
    pool = SketchPool(LAYOUT, lambda node, number: contributions, least_noise=lambda epsilon: 1.0)
    sketch = rng.normal(size=LAYOUT.dimension).astype(np.float32)
    config = {NOISE_MULTIPLIER: 2.0, CANARIES: NUMBER, CANARY_COMMITMENT: "0" * 64}
    config |= {PLAN_EPSILON: 1.0}
    reply = pool.take(7, Reply(arrays={STATISTICS: sketch}, config=config))
    assert isinstance(reply, Reply) and not reply.arrays
    answers = Answers(valid={7: reply}, rejected={}, seconds=0.0, bytes_down=0, bytes_up=0)
    sums = pool.seal(answers).sums
    half = 0.5 * contributions.toarray().sum(axis=0)
    np.testing.assert_allclose(sums[STATISTICS], sketch.astype(np.float64) - half)
    touched = np.flatnonzero(half)
    assert sums["canaries/7"].dtype == np.float32
    np.testing.assert_array_equal(sums["canaries/7"], sketch[touched])


@pytest.mark.slow
def test_the_table_is_as_large_with_canaries_as_without(tmp_path: Path) -> None:
    """They are taken out on average, so that no row of nobody is published."""
    found = []
    for canaries in (0, 2000):
        home = tmp_path / str(canaries)
        write_sites(home / "sites", holdout=0.3, canaries=canaries)
        found.append(run(home).estimated_rows)
    assert abs(found[1] - found[0]) < 0.5 * sum(ROWS)
