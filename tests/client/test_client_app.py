"""The ClientApp: three questions, two gates, and a code for whatever goes wrong."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from tiny_sites import make_config, make_context, write_site
from tiny_world import SCHEMA, make_generator

from client import app as client_app_module
from client.app import app
from client.site import Site
from privacy import Part
from simulations.grid import LocalGrid
from strategies import protocol
from strategies.gate import find_problem
from strategies.protocol import ARRAYS, CONFIG, POOLED_SKETCH, SKETCH, STATISTICS
from strategies.wire_field import Direction
from synthesis.layout import SketchLayout

DIMENSION = SketchLayout.from_schema(SCHEMA).dimension
SECRET = "Mrs Doubtfire, 137 rows"


def hello_config(**changes: Any) -> dict[str, Any]:
    config = {
        protocol.STUDY_ID: "tiny-study",
        protocol.SCHEMA_DIGEST: SCHEMA.digest(),
        protocol.SOFTWARE_VERSION: "0.1.0",
        protocol.PROTOCOL: protocol.PROTOCOL_VERSION,
    }
    return config | changes


def send(home: Path, kind: str, config: dict[str, Any], **records: Any) -> Message:
    content = RecordDict({CONFIG: ConfigRecord(config), **records})
    message = Message(content, 101, kind)
    message.metadata.__dict__["_message_id"] = "1"
    return app(message, make_context(home))


def ask_hello(home: Path, **changes: Any) -> Message:
    return send(home, protocol.QUERY_HELLO, hello_config(**changes))


def ask_sketch(home: Path, **changes: Any) -> Message:
    return send(home, protocol.QUERY_SKETCH, make_config(**changes))


def train_records(sizes: tuple[int, ...] = SCHEMA.sizes) -> dict[str, ArrayRecord]:
    pooled = Array(np.ones(DIMENSION, np.float32))
    return {
        ARRAYS: ArrayRecord(make_generator(sizes).state_dict()),
        POOLED_SKETCH: ArrayRecord({STATISTICS: pooled}),
    }


def ask_train(home: Path, records: dict[str, ArrayRecord] | None = None, **changes: Any) -> Message:
    config = make_config(**{"server_round": 1, "pooled_noise_std": 3.0} | changes)
    records = train_records() if records is None else records
    return send(
        home, protocol.TRAIN, config, **{k.replace("_", "-"): v for k, v in records.items()}
    )


def code_of(reply: Message) -> str:
    assert reply.has_error() and not reply.has_content()
    assert reply.error.code == protocol.REFUSAL_ERROR
    return str(reply.error.reason)


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    """Flower makes messages only inside a run; the app itself is called without the grid's lid."""
    LocalGrid(app, 1)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_site(tmp_path / "site-1")
    return tmp_path


def test_a_site_that_agrees_accepts_and_reads_nothing(home: Path) -> None:
    (home / "site-1" / "rows.parquet").unlink()
    reply = ask_hello(home)
    answer = dict(reply.content.config_records[CONFIG])
    assert answer[protocol.ACCEPTED] is True
    assert answer[protocol.SCHEMA_DIGEST] == SCHEMA.digest()
    assert answer[protocol.REFUSAL_CODE] == "none"
    assert not (home / "site-1" / "ledger.sqlite").exists()


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({protocol.SCHEMA_DIGEST: "0" * 64}, "schema-mismatch"),
        ({protocol.PROTOCOL: 2}, "version-mismatch"),
    ],
)
def test_a_site_that_disagrees_says_which_way(home: Path, change, code: str) -> None:
    answer = ask_hello(home, **change).content.config_records[CONFIG]
    assert answer[protocol.ACCEPTED] is False
    assert answer[protocol.REFUSAL_CODE] == code


def test_a_sketch_and_its_plan_leave_and_nothing_else(home: Path) -> None:
    reply = ask_sketch(home)
    assert find_problem(reply.content, protocol.QUERY_SKETCH, Direction.UP) is None
    assert set(reply.content) == {SKETCH, CONFIG}
    assert set(reply.content.config_records[CONFIG]) == {
        protocol.NOISE_MULTIPLIER,
        protocol.PLAN_EPSILON,
    }
    values = reply.content.array_records[SKETCH][STATISTICS].numpy()
    assert values.shape == (DIMENSION,) and values.dtype == np.float32


def test_a_second_sketch_is_refused_by_code(home: Path) -> None:
    ask_sketch(home)
    assert code_of(ask_sketch(home)) == "already-released"
    assert code_of(ask_sketch(home, study_id="another")) == "budget-exceeded"


def test_a_round_answers_with_weights_of_the_same_form(home: Path) -> None:
    ask_sketch(home)
    reply = ask_train(home)
    assert set(reply.content) == {ARRAYS}
    sent = make_generator().state_dict()
    found = reply.content.array_records[ARRAYS]
    assert {name: tuple(a.shape) for name, a in found.items()} == {
        name: tuple(weight.shape) for name, weight in sent.items()
    }
    assert code_of(ask_train(home)) == "already-released"


@pytest.mark.parametrize(
    "change",
    [
        {"epsilon": float("nan")},
        {"epsilon": -1.0},
        {"epsilon": 1},
        {"rounds": -1},
        {"rounds": 2.0},
        {"rounds": 10**15},
        {"sample_rate": 1.5},
        {"max_grad_norm": 1e-40},
        {"expected_batch_size": 10**9},
        {"study_id": "a\nb"},
        {"study_id": "../../x"},
        {"unheard_of": 1.0},
    ],
)
def test_hostile_settings_cost_nothing_and_leave_a_code(home: Path, change) -> None:
    assert code_of(ask_sketch(home, **change)) == "local-failure"
    assert not (home / "site-1" / "ledger.sqlite").exists()


def spoiled(change) -> dict[str, ArrayRecord]:
    records = train_records()
    weights = {name: a.numpy().copy() for name, a in records[ARRAYS].items()}
    change(weights)
    return records | {ARRAYS: ArrayRecord({name: Array(w) for name, w in weights.items()})}


@pytest.mark.parametrize(
    "change",
    [
        lambda weights: weights.pop("anchors"),
        lambda weights: weights.pop("network.0.bias"),
        lambda weights: weights.pop("network.4.weight"),
        lambda weights: weights.update(anchors=weights["anchors"][0]),
        lambda weights: weights.update(anchors=weights["anchors"][:0]),
        lambda weights: weights.update(more=weights["anchors"]),
        lambda weights: weights["anchors"].__setitem__((0, 0), np.nan),
        lambda weights: weights["anchors"].__setitem__((0, 0), np.inf),
        lambda weights: weights.clear(),
    ],
)
def test_hostile_weights_cost_no_round_and_leave_a_code(home: Path, change) -> None:
    ask_sketch(home)
    assert code_of(ask_train(home, spoiled(change))) == "local-failure"
    assert code_of(ask_train(home, train_records((3, 2)))) == "local-failure"
    assert not ask_train(home).has_error()  # round 1 was not used up


def test_a_round_beyond_the_plan_leaves_a_code(home: Path) -> None:
    ask_sketch(home)
    for server_round in (0, 3, -1):
        assert code_of(ask_train(home, server_round=server_round)) == "already-released"


@pytest.mark.parametrize(
    "error",
    [
        ValueError(SECRET),
        RuntimeError(SECRET),
        KeyError(SECRET),
        TypeError(SECRET),
        ZeroDivisionError(SECRET),
        MemoryError(SECRET),
        OSError(SECRET),
        sqlite3.OperationalError(SECRET),
        AssertionError(SECRET),
        AttributeError(SECRET),
    ],
)
def test_no_error_text_ever_leaves(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(self: Site, part: Part) -> None:
        raise error

    monkeypatch.setattr(Site, "read_units", fail)
    reply = ask_sketch(home)
    assert code_of(reply) in {"local-failure", "already-released"}
    assert SECRET not in str(reply.__dict__)


def test_broken_rows_leave_a_code_and_no_value(home: Path, caplog) -> None:
    (home / "site-1" / "rows.parquet").write_bytes(b"no table")
    assert code_of(ask_sketch(home)) == "local-failure"
    assert "only the code leaves" in caplog.text  # the reason stays in the site's own log


def test_a_reply_that_the_table_does_not_list_never_leaves(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def talkative(site: Site, message: Message) -> RecordDict:
        return RecordDict({CONFIG: ConfigRecord({"rows": 137})})

    context, message = (
        make_context(home),
        Message(RecordDict({CONFIG: ConfigRecord(hello_config())}), 101, protocol.QUERY_HELLO),
    )
    reply = client_app_module.answer(talkative, message, context)
    assert code_of(reply) == "local-failure"


def test_a_site_without_a_folder_leaves_a_code(tmp_path: Path) -> None:
    assert code_of(ask_hello(tmp_path)) == "local-failure"


def test_an_installed_site_names_its_own_folder(tmp_path: Path) -> None:
    write_site(tmp_path / "here")
    context = make_context(tmp_path)
    context.node_config = {"site-dir": str(tmp_path / "here")}
    context.run_config = {}
    assert client_app_module.site_folder(context) == tmp_path / "here"
