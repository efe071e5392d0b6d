"""In every round receipts go down and come back, and a false one costs a site its place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from adding_sites import BAD, NODES, Arrays, make_client_app, make_strategy, reply_with, run
from flwr.app import Context, Message
from toy_study import key_of, make_receipt

from simulations.grid import LocalGrid
from strategies.protocol import CONFIG, HELD_RECEIPT, PUBLIC_KEY, RECEIPT
from strategies.receipts import ReceiptBook


def book_after_hello() -> ReceiptBook:
    book = ReceiptBook()
    for number, node in enumerate(NODES):
        hello = {PUBLIC_KEY: key_of(number).public.hex, RECEIPT: make_receipt(number)}
        assert book.take(node, hello) is None
    return book


def test_a_reply_with_a_false_receipt_is_recorded_and_left_out() -> None:
    def sign_as_another(message: Message, arrays: Arrays) -> Message:
        reply = reply_with(message, arrays)
        reply.content.config_records[CONFIG][RECEIPT] = make_receipt(2)
        return reply

    events: list[Mapping[str, object]] = []
    book = book_after_hello()
    strategy = make_strategy(receipts=book, on_event=events.append)
    arrays = run(strategy, LocalGrid(make_client_app(sign_as_another), 3))
    assert [dict(r.rejected) for r in strategy.rounds] == [{BAD: "receipt-not-signed"}] * 2
    assert [r.valid for r in strategy.rounds] == [(101, 103)] * 2
    assert events[1]["rejected"] == {"102": "receipt-not-signed"}
    np.testing.assert_array_equal(arrays["bias"], np.full(3, 5.0))


def test_every_round_gives_each_site_its_newest_receipt_back() -> None:
    asked: list[tuple[int, str]] = []
    answered: list[tuple[int, str]] = []
    site = make_client_app()

    def watch(message: Message, context: Context) -> Message:
        held = message.content.config_records[CONFIG][HELD_RECEIPT]
        reply = site(message, context)
        asked.append((context.node_id, str(held)))
        answered.append((context.node_id, str(reply.content.config_records[CONFIG][RECEIPT])))
        return reply

    book = book_after_hello()
    first = [(node, receipt.to_text()) for node in NODES if (receipt := book.of(node))]
    strategy = make_strategy(receipts=book)
    run(strategy, LocalGrid(watch, 3))
    assert asked == first + answered[:3]
    without = make_strategy()
    run(without, LocalGrid(make_client_app(), 3))
    longer = strategy.rounds[0].bytes_down - without.rounds[0].bytes_down
    assert longer >= sum(len(text) for _, text in first)  # what is attached is counted
