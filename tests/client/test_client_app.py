"""The ClientApp: five questions, two gates, and a code for whatever goes wrong."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from asking import (
    DIMENSION,
    ask_hello,
    ask_sketch,
    ask_train,
    be_inside_a_run,
    code_of,
    hello_config,
    make_message,
    numbers_of,
    settings_of,
    to_record,
    train_records,
)
from flwr.app import ArrayRecord, ConfigRecord, Message, RecordDict
from tiny_sites import make_context, write_site
from tiny_world import SCHEMA, make_generator

from client import app as client_app_module
from client.app import answer, open_site
from client.refusals import refusal_of
from client.settings import StudyRequest
from client.site import Site, load_site
from privacy import Part, PolicyViolation
from strategies import protocol
from strategies.gate import find_problem
from strategies.protocol import ARRAYS, CONFIG, RECEIPT, SKETCH, STATISTICS
from strategies.wire_field import Direction
from synthesis import InputError

SECRET = "Mrs Doubtfire, 137 rows"


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_site(tmp_path / "site-1")
    return tmp_path


def entries_of(home: Path) -> int:
    """Entries of the ledger; the first one opened it."""
    return len(load_site(home / "site-1", is_simulated=True).ledger.entries())


def test_a_site_that_agrees_accepts_and_reads_nothing(home: Path) -> None:
    (home / "site-1" / "rows.parquet").unlink()
    answer = settings_of(ask_hello(home))
    assert answer[protocol.ACCEPTED] is True
    assert answer[protocol.SCHEMA_DIGEST] == SCHEMA.digest()
    assert answer[protocol.REFUSAL_CODE] == "none"
    assert entries_of(home) == 1


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({protocol.SCHEMA_DIGEST: "0" * 64}, "schema-mismatch"),
        ({protocol.PROTOCOL: 1}, "version-mismatch"),
        ({protocol.EPSILON: 1.5}, "budget-exceeded"),
        ({protocol.EVALUATION: True}, "policy-holdout"),
        ({protocol.MODEL: "another"}, "policy-models"),
        ({protocol.ADVERSARIAL_SHARE: 0.001}, "malformed"),
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
        RECEIPT,
    }
    values = reply.content.array_records[SKETCH][STATISTICS].numpy()
    assert values.shape == (DIMENSION,) and values.dtype == np.float32


def test_another_sketch_is_refused_by_code(home: Path) -> None:
    first = ask_sketch(home)
    assert numbers_of(ask_sketch(home)) == numbers_of(first)
    assert code_of(ask_sketch(home, generator_steps=5)) == "already-released"
    assert code_of(ask_sketch(home, study_id="another")) == "budget-exceeded"


def test_a_round_answers_with_weights_of_the_same_form(home: Path) -> None:
    ask_sketch(home)
    reply = ask_train(home)
    assert set(reply.content) == {ARRAYS, CONFIG}
    assert set(reply.content.config_records[CONFIG]) == {RECEIPT}
    sent = make_generator().state_dict()
    found = reply.content.array_records[ARRAYS]
    assert {name: tuple(a.shape) for name, a in found.items()} == {
        name: tuple(weight.shape) for name, weight in sent.items()
    }
    assert numbers_of(ask_train(home)) == numbers_of(reply)
    others = {name: 2 * array.numpy() for name, array in train_records()[ARRAYS].items()}
    another = train_records() | {ARRAYS: to_record(others)}
    assert code_of(ask_train(home, another)) == "already-released"


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
    assert code_of(ask_sketch(home, **change)) == "malformed"
    assert entries_of(home) == 1


def spoiled(change) -> dict[str, ArrayRecord]:
    records = train_records()
    weights = {name: a.numpy().copy() for name, a in records[ARRAYS].items()}
    change(weights)
    return records | {ARRAYS: to_record(weights)}


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
    assert code_of(ask_train(home, spoiled(change))) == "malformed"
    assert code_of(ask_train(home, train_records((3, 2)))) == "malformed"
    assert not ask_train(home).has_error()  # round 1 was not used up


def test_a_round_beyond_the_plan_leaves_a_code(home: Path) -> None:
    ask_sketch(home)
    for server_round in (0, 3, -1):
        assert code_of(ask_train(home, server_round=server_round)) == "malformed"


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
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog, error: Exception
) -> None:
    caplog.set_level(logging.WARNING)

    def fail(self: Site, part: Part) -> None:
        raise error

    monkeypatch.setattr(Site, "read_units", fail)
    reply = ask_sketch(home)
    assert code_of(reply) == "local-failure"
    assert SECRET not in str(reply.__dict__)
    assert type(error).__name__ in caplog.text  # what the site needs to find the fault
    assert SECRET not in caplog.text  # texts that are not our own may quote a cell


def test_broken_rows_leave_a_code_and_no_value(home: Path, caplog) -> None:
    (home / "site-1" / "rows.parquet").write_bytes(b"no table")
    assert code_of(ask_sketch(home)) == "local-failure"
    assert "only the code leaves" in caplog.text  # the reason stays in the site's own log


def test_a_reply_that_the_table_does_not_list_never_leaves(home: Path) -> None:
    def talkative(site: Site, request: StudyRequest, message: Message) -> RecordDict:
        return RecordDict({CONFIG: ConfigRecord({"rows": 137})})

    message = make_message(protocol.QUERY_HELLO, hello_config())
    assert code_of(answer(talkative, message, make_context(home))) == "local-failure"


def test_a_site_without_a_folder_leaves_a_code(tmp_path: Path) -> None:
    assert code_of(ask_hello(tmp_path)) == "local-failure"


def test_an_unknown_rule_of_a_policy_leaves_a_code_and_no_error() -> None:
    assert refusal_of(PolicyViolation("brand_new", SECRET)).value == "local-failure"


def test_an_installed_site_names_its_own_folder_and_no_run_can_change_it(tmp_path: Path) -> None:
    write_site(tmp_path / "here", seed=None)
    write_site(tmp_path / "site-1")
    context = make_context(tmp_path)  # its settings of the run name the folder of other sites
    context.node_config |= {client_app_module.SITE_DIR: str(tmp_path / "here")}
    site = open_site(context)
    assert site.folder == tmp_path / "here"
    assert not site.is_simulated


def test_a_run_cannot_name_the_folder_of_an_installed_site(tmp_path: Path) -> None:
    """Else whoever starts a run could choose among the folders of a machine."""
    write_site(tmp_path / "site-1", seed=None)
    with pytest.raises(InputError, match="node's own configuration"):
        open_site(make_context(tmp_path))
    assert code_of(ask_hello(tmp_path)) == "local-failure"


def test_a_site_with_a_seed_is_never_installed(tmp_path: Path) -> None:
    write_site(tmp_path / "here", seed=3)
    context = make_context(tmp_path)
    context.node_config |= {client_app_module.SITE_DIR: str(tmp_path / "here")}
    for kind in (protocol.QUERY_HELLO, protocol.QUERY_SKETCH):
        config = hello_config()
        if kind == protocol.QUERY_SKETCH:
            for key in (protocol.SCHEMA_DIGEST, protocol.SOFTWARE_VERSION, protocol.PROTOCOL):
                del config[key]
        reply = client_app_module.app(make_message(kind, config), context)
        if kind == protocol.QUERY_HELLO:
            assert settings_of(reply)[protocol.ACCEPTED] is False
        else:
            assert code_of(reply) == "local-failure"
    assert len(load_site(tmp_path / "here").ledger.entries()) == 1


def test_the_log_of_a_table_that_is_gone_names_no_path(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (home / "site-1" / "rows.parquet").unlink()
    with caplog.at_level("DEBUG", logger="client"):
        assert code_of(ask_sketch(home)) == "local-failure"
    assert "cannot be used; 'fedsynth site check' says why" in caplog.text
    assert "rows.parquet" not in caplog.text and str(home) not in caplog.text
