"""One whole study, every message kept: what leaves a site is listed, private, and no row count."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Message
from tiny_sites import ROWS, Recorder, make_study, write_sites
from tiny_world import SCHEMA, draw_codes

from client.site import Site
from privacy import State
from server.app import Coordinator, make_server_app
from server.outcome import StudyOutcome
from simulations.backends import run_local
from strategies import protocol
from strategies.fields import FIELDS
from strategies.gate import find_problem
from strategies.protocol import ANY_NAME, ARRAYS, CONFIG, DISCRIMINATOR, SKETCH, STATISTICS
from strategies.receipts import ReceiptBook
from strategies.wire_field import Direction
from synthesis.layout import SketchLayout, compute_sketch


class Captured:
    """Studies one after the other, by one coordinator that keeps its receipts."""

    def __init__(
        self,
        home: Path,
        *studies: str,
        strategy: str = "fedavg",
        evaluation: bool = True,
        **policy: Any,
    ) -> None:
        self.strategy = strategy
        self.sites: list[Site] = write_sites(home, holdout=0.3, **policy)
        recorder, book = Recorder(), ReceiptBook()
        for name in studies or ("tiny-study",):
            study = make_study(name=name, evaluation=evaluation, strategy=strategy)
            coordinator = Coordinator(study, SCHEMA, num_sites=3, receipts=book)
            server = make_server_app(coordinator)
            run_local(server, recorder, 3, run_config={"sites-dir": str(home)})
            assert coordinator.outcome is not None
            self.outcome: StudyOutcome = coordinator.outcome
        self.seen = recorder.seen

    def replies(self, kind: str | None = None) -> Iterator[tuple[int, Message]]:
        for message, reply in self.seen:
            if kind in (None, message.metadata.message_type):
                yield message.metadata.dst_node_id - 101, reply


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Captured]:
    """One of each kind of answer to a round."""
    return {
        strategy: Captured(tmp_path_factory.mktemp(strategy), strategy=strategy)
        for strategy in ("fedavg", "mdgan")
    }


@pytest.fixture(params=["fedavg", "mdgan"])
def captured(request: pytest.FixtureRequest, studies: dict[str, Captured]) -> Captured:
    return studies[request.param]


def test_the_study_asked_every_site_everything_once(captured: Captured) -> None:
    kinds = [message.metadata.message_type for message, _ in captured.seen]
    expected = {"query.hello": 3, "query.sketch": 3, "train": 6, "query.evaluate": 3}
    expected |= {"query.close": 3}
    assert kinds == [kind for kind, number in expected.items() for _ in range(number)]
    assert not any(reply.has_error() for _, reply in captured.seen)


def test_every_message_that_leaves_obeys_the_table(captured: Captured) -> None:
    for message, reply in captured.seen:
        kind = message.metadata.message_type
        assert find_problem(reply.content, kind, Direction.UP) is None
        assert find_problem(message.content, kind, Direction.DOWN) is None


def test_the_table_lists_nothing_that_is_never_sent(
    studies: dict[str, Captured], tmp_path: Path
) -> None:
    """A row that no real message uses is a door nobody watches.

    Receipts come back with the first question of a second study, counts are sent where they are
    public, coins where canaries were planted, missing columns where there are any, and a round has
    one of two answers.
    """
    public = Captured(
        tmp_path / "public", "first", "second", epsilon=3.0, row_count_public=True, canaries=50
    )
    lacking = Captured(tmp_path / "lacking", evaluation=False, lacking={0: ("colour",)})
    sent: set[tuple[str, Direction, str, str]] = set()
    for message, reply in [
        *studies["mdgan"].seen,
        *studies["fedavg"].seen,
        *public.seen,
        *lacking.seen,
    ]:
        kind = message.metadata.message_type
        for direction, content in (
            (Direction.DOWN, message.content),
            (Direction.UP, reply.content),
        ):
            for record, values in content.items():
                for key in values:
                    name = ANY_NAME if record in (ARRAYS, DISCRIMINATOR) else key
                    sent.add((kind, direction, record, name))
    assert sent == {(f.message, f.direction, f.record, f.key) for f in FIELDS}


def test_the_pooled_sketch_travels_in_the_first_round_only(captured: Captured) -> None:
    for message, _ in captured.seen:
        if message.metadata.message_type == protocol.TRAIN:
            number = message.content.config_records[CONFIG][protocol.SERVER_ROUND]
            wants_judge = message.content.config_records[CONFIG][protocol.RETURNS_DISCRIMINATOR]
            is_needed = number == 1 and not wants_judge
            assert (protocol.POOLED_SKETCH in message.content) == is_needed


def numbers_in(reply: Message) -> Iterator[float]:
    for record in reply.content.config_records.values():
        yield from (float(v) for v in record.values() if not isinstance(v, str))
    for record in reply.content.array_records.values():
        for array in record.values():
            yield from (float(size) for size in array.shape)
            yield from array.numpy().astype(float).ravel().tolist()


def test_no_reply_contains_a_row_count(captured: Captured) -> None:
    for place, reply in captured.replies():
        found = set(numbers_in(reply))
        assert not found & {float(ROWS[place]), float(sum(ROWS))}
        texts = [
            str(value)
            for record in reply.content.config_records.values()
            for value in record.values()
            if isinstance(value, str) and len(value) < 60  # digests hold any digits
        ]
        assert not any(str(ROWS[place]) in text for text in texts)
        assert not reply.content.metric_records


def test_totals_of_a_sketch_are_as_noisy_as_their_cells_say(captured: Captured) -> None:
    """The row count hides in every block's total, so it must be noisy there too."""
    layout = SketchLayout.from_schema(SCHEMA)
    misses = []
    for place, reply in captured.replies(protocol.QUERY_SKETCH):
        statistics = reply.content.array_records[SKETCH][STATISTICS].numpy().astype(float)
        noise = float(reply.content.config_records[CONFIG][protocol.NOISE_MULTIPLIER])
        for block, counts in zip(layout.blocks, layout.split(statistics), strict=True):
            std = noise * layout.sensitivity / block.scale
            miss = (counts.sum() - ROWS[place]) / (std * block.size**0.5)
            misses.append(miss)
    assert 0.4 < np.std(misses) < 2.0
    assert min(np.abs(misses)) > 0


def test_no_cell_of_a_sketch_is_exact(captured: Captured) -> None:
    layout = SketchLayout.from_schema(SCHEMA)
    for place, reply in captured.replies(protocol.QUERY_SKETCH):
        statistics = reply.content.array_records[SKETCH][STATISTICS].numpy()
        exact = compute_sketch(layout, draw_codes(ROWS[place], place))
        assert (statistics != exact).all()
        assert (statistics != np.round(statistics)).mean() > 0.99


def test_every_site_spent_what_was_asked_and_is_done(captured: Captured) -> None:
    plan = make_study(evaluation=True).make_plan()
    for site in captured.sites:
        assert site.ledger.events() == plan.events()
        assert 0.99 < site.ledger.epsilon() <= 1.0
        entries = site.ledger.entries()
        assert entries[-1].state is State.DONE
        notes = [entry.note for entry in entries if entry.state is State.RUNNING]
        phases = ("sketch", "round-1", "round-2", "evaluation")
        assert notes == [f"{phase}{end}" for phase in phases for end in ("", "-kept")]


def test_sites_get_nothing_of_each_other_but_weighed_sums(captured: Captured) -> None:
    """What goes down is public settings, the global generator and the pooled sketch."""
    sketches = [
        reply.content.array_records[SKETCH][STATISTICS].numpy().astype(np.float64)
        for _, reply in captured.replies(protocol.QUERY_SKETCH)
    ]
    first = next((m for m, _ in captured.seen if protocol.POOLED_SKETCH in m.content), None)
    if captured.strategy == "mdgan":  # and there not even that
        assert first is None
        return
    assert first is not None
    pooled = first.content.array_records[protocol.POOLED_SKETCH][STATISTICS].numpy()
    weights, *_ = np.linalg.lstsq(np.transpose(sketches), pooled.astype(np.float64))
    np.testing.assert_allclose(pooled, weights @ np.array(sketches), rtol=1e-5, atol=1e-3)
    assert (weights > 0).all()


def test_the_outcome_holds_what_the_study_did(captured: Captured) -> None:
    outcome = captured.outcome
    assert outcome.nodes == (101, 102, 103)
    assert [record.changed for record in outcome.rounds] == [True, True]
    assert [phase.name for phase in outcome.phases] == ["hello", "sketch", "fit", "evaluate"]
    noise = make_study().make_plan().sketch_noise_multiplier
    assert outcome.noise_multipliers == dict.fromkeys(outcome.nodes, noise)
    assert outcome.estimated_rows == pytest.approx(sum(ROWS), rel=0.6)
