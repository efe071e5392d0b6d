"""A coordinator that tries everything: each attempt gets its code, and costs nothing."""

from __future__ import annotations

import multiprocessing
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from asking import (
    ask_evaluate,
    ask_hello,
    ask_sketch,
    ask_train,
    be_inside_a_run,
    code_of,
    hello_config,
    make_message,
    numbers_of,
    send,
    settings_of,
    to_record,
    train_records,
)
from attacks import BAD_WEIGHTS, HONEST, POLICY, SETTINGS
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, MetricRecord, RecordDict
from tiny_sites import make_config, make_context, make_request, write_site
from tiny_world import make_generator

from client.app import app
from client.site import Site, load_site
from privacy import Receipt, SigningKey, compute_epsilon
from strategies import protocol
from strategies.protocol import ARRAYS, CONFIG, RECEIPT


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write_site(tmp_path / "site-1", **POLICY)
    return tmp_path


def site_of(home: Path) -> Site:
    return load_site(home / "site-1", is_simulated=True)


def entries_of(home: Path) -> int:
    return len(site_of(home).ledger.entries())


def play_honest_study(home: Path, **settings: Any) -> None:
    settings = HONEST | settings
    assert settings_of(ask_hello(home, **settings))[protocol.ACCEPTED] is True
    replies = [ask_sketch(home, **settings)]
    replies += [ask_train(home, **settings, server_round=number) for number in (1, 2)]
    replies += [ask_evaluate(home, **settings)]
    assert not any(reply.has_error() for reply in replies)


def check_spent(home: Path, epsilon: float) -> None:
    ledger = site_of(home).ledger
    assert ledger.epsilon() <= epsilon <= ledger.policy.epsilon
    assert all(e.noise_multiplier >= 3.0 for e in ledger.events())


def codes_of_all(home: Path, change: dict[str, Any]) -> set[str]:
    hello = ask_hello(home, **HONEST | change)
    codes = {code_of(hello) if hello.has_error() else settings_of(hello)[protocol.REFUSAL_CODE]}
    for ask in (ask_sketch, ask_train, ask_evaluate):
        codes.add(code_of(ask(home, **HONEST | change)))
    return codes


@pytest.mark.parametrize(("change", "code"), SETTINGS)
def test_settings_beyond_the_policy_are_refused_by_every_question(
    home: Path, change: dict[str, Any], code: str
) -> None:
    started = time.process_time()
    assert codes_of_all(home, change) == {code}
    assert time.process_time() - started < 5  # saying no must not keep a site busy
    assert entries_of(home) == 1


def test_another_schema_or_protocol_is_refused(home: Path) -> None:
    for change, code in [
        ({"schema_digest": "0" * 64}, "schema-mismatch"),
        ({"protocol_version": 99}, "version-mismatch"),
    ]:
        answer = settings_of(ask_hello(home, **HONEST | change))
        assert answer[protocol.REFUSAL_CODE] == code and answer[protocol.ACCEPTED] is False
    assert entries_of(home) == 1


@pytest.mark.parametrize(
    "kind",
    ["evaluate", "query", "query.exec", "query.rows", "train.more", "system.shell", "query.hello2"],
)
def test_an_unknown_message_is_refused(home: Path, kind: str) -> None:
    reply = app(make_message(kind, make_config(**HONEST)), make_context(home))
    assert code_of(reply) == "unknown-message"


def more_records(name: str, record: Any) -> RecordDict:
    return RecordDict({CONFIG: ConfigRecord(make_config(**HONEST)), name: record})


@pytest.mark.parametrize(
    "content",
    [
        RecordDict(),
        more_records("code", ConfigRecord({"run": "rm -rf"})),
        more_records("metrics", MetricRecord({"rows": 1})),
        more_records(ARRAYS, ArrayRecord({"x": Array(np.zeros(3, np.float32))})),
        RecordDict({CONFIG: ArrayRecord({"x": Array(np.zeros(3, np.float32))})}),
    ],
)
def test_records_that_nobody_listed_are_refused(home: Path, content: RecordDict) -> None:
    message = make_message(protocol.QUERY_SKETCH, {})
    message.content = content
    assert code_of(app(message, make_context(home))) == "malformed"
    assert entries_of(home) == 1


def test_rounds_are_never_replayed_nor_turned_around(home: Path) -> None:
    settings = HONEST | {"rounds": 4}
    sketch = numbers_of(ask_sketch(home, **settings))
    rounds = {1: numbers_of(ask_train(home, **settings, server_round=1))}
    rounds[3] = numbers_of(ask_train(home, **settings, server_round=3))  # it may miss a round
    assert code_of(ask_train(home, **settings, server_round=2)) == "already-released"
    others = {n: 2 * w.numpy() for n, w in make_generator().state_dict().items()}
    another = train_records() | {ARRAYS: to_record(others)}
    for number, numbers in rounds.items():
        assert numbers_of(ask_train(home, **settings, server_round=number)) == numbers
        code = code_of(ask_train(home, another, **settings, server_round=number))
        assert code == "already-released"
    for number in (0, -1, 5, 2**40):
        assert code_of(ask_train(home, **settings, server_round=number)) == "malformed"
    assert numbers_of(ask_sketch(home, **settings)) == sketch
    assert code_of(ask_sketch(home, **settings, generator_steps=5)) == "already-released"
    check_spent(home, 0.5)
    begun = [entry.note for entry in site_of(home).ledger.entries() if entry.state == "running"]
    assert begun == [f"{p}{end}" for p in ("sketch", "round-1", "round-3") for end in ("", "-kept")]


@pytest.mark.parametrize(
    "change",
    [
        {"epsilon": 0.55},
        {"rounds": 3},
        {"discriminator_steps": 6},
        {"rounds": 1, "discriminator_steps": 6},
        {"sample_rate": 0.3},
        {"adversarial_share": 0.5},
        {"expected_batch_size": 1},
        {"max_grad_norm": 0.5},
        {"config_hash": "another"},
        {"returns_discriminator": True},
        {"evaluation": False},
    ],
)
def test_a_study_that_comes_back_changed_is_refused(home: Path, change: dict[str, Any]) -> None:
    assert not ask_sketch(home, **HONEST).has_error()
    assert codes_of_all_but_evaluation(home, HONEST | change) == {"study-changed"}
    check_spent(home, 0.5)


def codes_of_all_but_evaluation(home: Path, settings: dict[str, Any]) -> set[str]:
    hello = settings_of(ask_hello(home, **settings))[protocol.REFUSAL_CODE]
    return {hello} | {code_of(ask(home, **settings)) for ask in (ask_sketch, ask_train)}


def test_an_evaluation_that_was_not_reserved_is_refused(home: Path) -> None:
    plain = {"epsilon": 0.5, "evaluation": False}
    assert not ask_sketch(home, **plain).has_error()
    assert code_of(ask_evaluate(home, **plain)) == "malformed"
    assert code_of(ask_evaluate(home, **HONEST)) == "study-changed"
    write_site(home / "b" / "site-1")  # without a hold-out
    assert code_of(ask_evaluate(home / "b", **HONEST)) == "policy-holdout"


def test_a_forged_receipt_is_refused_and_a_true_one_is_not(home: Path) -> None:
    receipt = settings_of(ask_hello(home, **HONEST))[RECEIPT]
    honest = Receipt.from_text(receipt)
    forger = SigningKey.generate()
    later = {"ledger": honest.ledger, "entries": honest.entries + 5, "head": honest.head}
    forged = [
        Receipt.sign(forger, **later).to_text(),
        Receipt.sign(forger, ledger=honest.ledger, entries=1, head=honest.head).to_text(),
        receipt[:-2] + ("00" if receipt[-2:] != "00" else "11"),
        Receipt.sign(site_of(home).key, **later).to_text(),  # from a later ledger: rolled back
    ]
    for text in forged:
        assert code_of(ask_sketch(home, **HONEST, held_receipt=text)) == "ledger-broken"
    assert code_of(ask_sketch(home, **HONEST, held_receipt="whatever")) == "malformed"
    assert entries_of(home) == 1
    assert not ask_sketch(home, **HONEST, held_receipt=receipt).has_error()


def test_a_path_like_study_id_never_becomes_a_path(home: Path) -> None:
    before = set(home.rglob("*"))
    for name in ("..", "...", "-rf", "CON", "a.b:c"):  # what the pattern lets through
        assert not ask_train(home, epsilon=0.05, study_id=name).has_error()
    new = {path.relative_to(home / "site-1").parts[0] for path in set(home.rglob("*")) - before}
    assert new == {"state"}


def _reserve_in_a_process(home: str, study: str, gate: Any, results: Any) -> None:
    be_inside_a_run()
    torch.set_num_threads(1)
    gate.wait()
    reply = ask_sketch(Path(home), epsilon=0.55, study_id=study)
    results.put(code_of(reply) if reply.has_error() else "released")


def test_studies_in_parallel_never_overspend(home: Path) -> None:
    make_request(epsilon=0.55).make_plan()  # so that all reach the ledger together
    processes = multiprocessing.get_context("fork")
    gate, results = processes.Barrier(3), processes.Queue()
    children = [
        processes.Process(target=_reserve_in_a_process, args=(str(home), f"s{i}", gate, results))
        for i in range(3)
    ]
    for child in children:
        child.start()
    codes = sorted(results.get(timeout=60) for _ in children)
    for child in children:
        child.join()
    assert codes.count("released") >= 1
    assert set(codes) <= {"released", "budget-exceeded"}
    ledger = site_of(home).ledger
    assert ledger.epsilon() <= 1.0
    assert len({entry.study for entry in ledger.entries() if entry.study}) == codes.count(
        "released"
    )


def test_one_sketch_asked_for_by_many_threads_is_drawn_once(home: Path) -> None:
    messages = [make_message(protocol.QUERY_SKETCH, make_config(**HONEST)) for _ in range(4)]
    replies: list[Message] = []
    threads = [
        threading.Thread(target=lambda m=m: replies.append(app(m, make_context(home))))
        for m in messages
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({numbers_of(reply) for reply in replies}) == 1
    begun = [entry.note for entry in site_of(home).ledger.entries() if entry.state == "running"]
    assert begun == ["sketch", "sketch-kept"]


def test_after_all_attacks_an_honest_study_still_works(home: Path) -> None:
    for change, code in SETTINGS:
        if code == "malformed" or "rounds" in change or "epsilon" in change:
            assert code_of(ask_sketch(home, **HONEST | change)) == code
    for change in BAD_WEIGHTS:
        weights = {n: w.numpy() for n, w in make_generator().state_dict().items()}
        change(weights)
        records = train_records() | {ARRAYS: to_record(weights)}
        assert code_of(ask_train(home, records, **HONEST)) == "malformed"
    assert send(home, "query.exec", hello_config()).has_error()
    play_honest_study(home)
    for change, code in SETTINGS[:3]:
        assert code_of(ask_sketch(home, **HONEST | change | {"study_id": "more"})) == code
    check_spent(home, 0.5)
    plan = make_request(**HONEST).make_plan()
    assert site_of(home).ledger.events() == plan.events()
    assert compute_epsilon(plan.events(), 1e-5) == site_of(home).ledger.epsilon()
    more = [ask_sketch(home, **HONEST | {"study_id": f"more-{i}"}) for i in range(4)]
    assert [code_of(reply) for reply in more[2:]] == ["budget-exceeded"] * 2
    assert site_of(home).ledger.epsilon() <= 1.0
