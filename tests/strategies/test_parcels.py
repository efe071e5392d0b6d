"""What is too much, or no message, is known before it is put together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from asking import be_inside_a_run
from flwr.app import Array, ArrayRecord, ConfigRecord, Error, Message, RecordDict
from flwr.proto.message_pb2 import ObjectTree
from packets import bomb, pack, rewrite

from strategies.collect import count_bytes
from strategies.parcels import Intake, TooLarge, Unusable, inflate_message, list_objects


@pytest.fixture
def message() -> Message:
    be_inside_a_run()
    arrays = ArrayRecord({"w": Array(np.ones(3, np.float32))})
    content = RecordDict({"arrays": arrays, "config": ConfigRecord({"x": 1})})
    return Message(content, 7, "train")


def test_a_message_comes_out_as_it_went_in(message: Message) -> None:
    packet = pack(message)
    found = inflate_message(packet.announced.metadata.message_id, packet.parts)
    np.testing.assert_array_equal(found.content["arrays"]["w"].numpy(), np.ones(3))
    packet = pack(Message(Error(5, "away"), reply_to=found))
    assert inflate_message(packet.announced.metadata.message_id, packet.parts).error.code == 5


def test_an_array_that_names_one_chunk_often_is_too_large(message: Message) -> None:
    packet = bomb(message, "arrays", 125)
    assert sum(map(len, packet.parts.values())) < 5_000_000
    with pytest.raises(TooLarge):
        inflate_message(packet.announced.metadata.message_id, packet.parts)


def _rename(said: dict[str, Any]) -> None:
    said["\ud800"] = said.pop("w")


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("ArrayRecord", _rename),
        ("Array", lambda said: said.update(shape=["x"])),
        ("Array", lambda said: said.update(shape=[-1])),
        ("Array", lambda said: said.update(shape=None)),
        ("Array", lambda said: said.update(dtype=7)),
        ("Array", lambda said: said.update(arraychunk_ids=[5])),
        ("Array", lambda said: said.pop("arraychunk_ids")),
    ],
)
def test_what_a_message_says_of_itself_must_be_possible(
    message: Message, kind: str, change: Callable[[dict[str, Any]], None]
) -> None:
    packet = rewrite(message, kind, change)
    with pytest.raises(Unusable):
        count_bytes(inflate_message(packet.announced.metadata.message_id, packet.parts))


def test_one_record_under_very_many_names_is_too_large(message: Message) -> None:
    def repeat(said: dict[str, Any]) -> None:
        said.update({f"n{i}": said["w"] for i in range(20_000)})

    packet = rewrite(message, "ArrayRecord", repeat)
    with pytest.raises(Unusable):
        inflate_message(packet.announced.metadata.message_id, packet.parts)


def test_parts_are_counted_as_they_come() -> None:
    with pytest.raises(Unusable, match="not what its name says"):
        Intake().add("0" * 64, b"x")
    tree = ObjectTree(object_id="a", children=[ObjectTree(object_id=str(i)) for i in range(50)])
    assert len(list_objects(tree, most=51)) == 51
    with pytest.raises(TooLarge):
        list_objects(tree, most=20)
