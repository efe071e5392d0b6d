"""An answer on the disk: it comes back to the bit, for its own question alone, or not at all."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from asking import ask_sketch, be_inside_a_run, code_of, make_message, numbers_of, settings_of
from flwr.app import Array, ArrayRecord, ConfigRecord, RecordDict
from tiny_sites import make_config, write_site

from client.kept import KeptAnswers
from client.site import Site
from privacy import Receipt
from strategies.protocol import (
    ARRAYS,
    CONFIG,
    HELD_RECEIPT,
    POOLED_SKETCH,
    QUERY_SKETCH,
    RECEIPT,
    TRAIN,
)

WEIGHTS = {"z": np.arange(6, dtype=np.float32).reshape(2, 3), "a": np.ones((), np.float32)}


@pytest.fixture(autouse=True)
def _inside_a_run() -> None:
    be_inside_a_run()


def question(weights: dict[str, np.ndarray] | None = None, **settings: Any) -> Any:
    sent = WEIGHTS if weights is None else weights
    record = ArrayRecord({name: Array(values) for name, values in sent.items()})
    return make_message(TRAIN, make_config(**{"server_round": 1} | settings), **{ARRAYS: record})


def answer(values: dict[str, np.ndarray], **config: Any) -> RecordDict:
    record = ArrayRecord({name: Array(array) for name, array in values.items()})
    return RecordDict({ARRAYS: record, CONFIG: ConfigRecord(config)})


VALUES = {
    "layer.10.weight": np.array([[0.1, -0.0], [1e-45, 3.4e38]], np.float32),
    "layer.9.bias": np.array([1 / 3], np.float64),
    "counts": np.arange(-3, 3, dtype=np.int64).reshape(3, 2),
    "empty": np.zeros((0, 4), np.float32),
    "one": np.array(7.5, np.float32),
    "turned": np.arange(6, dtype=np.float32).reshape(2, 3).T,
}


def test_an_answer_comes_back_to_the_bit_and_in_order(tmp_path: Path) -> None:
    kept, settings = KeptAnswers(tmp_path), {"noise": 0.1 + 0.2, "count": 3, "yes": True, "é": "ü"}
    kept.keep("round-1", question(), answer(VALUES, **settings))
    found = KeptAnswers(tmp_path).find("round-1", question())
    assert found is not None
    record = found.array_records[ARRAYS]
    assert list(record) == list(VALUES)
    for name, values in VALUES.items():
        array = record[name]
        assert (array.dtype, tuple(array.shape)) == (str(values.dtype), values.shape)
        assert array.numpy().tobytes() == values.tobytes()
        if values.flags.c_contiguous:
            assert array.data == Array(values).data  # as it travels
    assert dict(found.config_records[CONFIG]) == settings
    types = [type(value) for value in found.config_records[CONFIG].values()]
    assert types == [float, int, bool, str]


def test_several_records_stay_apart(tmp_path: Path) -> None:
    content = answer({"x": np.ones(2, np.float32)})
    content["sketch"] = ArrayRecord({"x": Array(np.zeros(3, np.float32))})
    KeptAnswers(tmp_path).keep("sketch", question(), content)
    found = KeptAnswers(tmp_path).find("sketch", question())
    assert found is not None
    shapes = {name: tuple(record["x"].shape) for name, record in found.array_records.items()}
    assert shapes == {ARRAYS: (2,), "sketch": (3,)}


def test_the_receipt_is_not_kept(tmp_path: Path) -> None:
    KeptAnswers(tmp_path).keep("sketch", question(), answer({}, **{RECEIPT: "old", "x": 1}))
    found = KeptAnswers(tmp_path).find("sketch", question())
    assert found is not None and dict(found.config_records[CONFIG]) == {"x": 1}


def test_the_held_receipt_and_the_pooled_sketch_make_no_other_question(tmp_path: Path) -> None:
    """Neither has a part in what is drawn, and both may come with one asking and not the next."""
    kept = KeptAnswers(tmp_path)
    kept.keep("round-1", question(), answer({}, x=1))
    with_receipt = question(**{HELD_RECEIPT: "a" * 40})
    with_sketch = question()
    pooled = ArrayRecord({"statistics": Array(np.ones(3, np.float32))})
    with_sketch.content[POOLED_SKETCH] = pooled
    assert kept.find("round-1", with_receipt) is not None
    assert kept.find("round-1", with_sketch) is not None


@pytest.mark.parametrize(
    "other",
    [
        {"server_round": 2},
        {"generator_steps": 9},
        {"weights": {"z": WEIGHTS["z"] + np.float32(1e-6), "a": WEIGHTS["a"]}},
        {"weights": {"z": WEIGHTS["z"].reshape(3, 2), "a": WEIGHTS["a"]}},
        {"weights": {"z": WEIGHTS["z"].astype(np.float64), "a": WEIGHTS["a"]}},
        {"weights": {"y": WEIGHTS["z"], "a": WEIGHTS["a"]}},
        {"weights": {"z": WEIGHTS["z"]}},
    ],
)
def test_anything_else_makes_another_question(tmp_path: Path, other: dict[str, Any]) -> None:
    kept = KeptAnswers(tmp_path)
    kept.keep("round-1", question(), answer({}, x=1))
    assert kept.find("round-1", question()) is not None
    assert kept.find("round-1", question(**other)) is None


def test_phases_and_kinds_of_questions_do_not_share_answers(tmp_path: Path) -> None:
    kept = KeptAnswers(tmp_path)
    kept.keep("round-1", question(), answer({}, x=1))
    assert kept.find("round-11", question()) is None
    same = question()
    asked_otherwise = make_message(QUERY_SKETCH, dict(same.content.config_records[CONFIG]))
    asked_otherwise.content[ARRAYS] = same.content.array_records[ARRAYS]
    assert kept.find("round-1", asked_otherwise) is None


def test_one_at_a_time_is_let_in(tmp_path: Path) -> None:
    inside: list[int] = []
    most: list[int] = []

    def enter() -> None:
        with KeptAnswers(tmp_path).alone():
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=enter) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return write_site(tmp_path / "site-1")


def file_of(site: Site) -> Path:
    (file,) = (site.folder / "state").rglob("answer-*.safetensors")
    return file


BROKEN = {
    "empty": lambda data: b"",
    "cut off": lambda data: data[: len(data) // 2],
    "last byte lost": lambda data: data[:-1],
    "another kind of file": lambda data: b"no tensors at all" * 9,
    "no facts": lambda data: data.replace(b"facts", b"stcaf"),
    "facts cut off": lambda data: data.replace(b'{\\"question', b'x\\"question'),
    "a record that is not there": lambda data: data.replace(b'"sketch/', b'"kectsh/'),
}


@pytest.mark.parametrize("breaking", BROKEN.values(), ids=BROKEN.keys())
def test_a_kept_answer_that_is_damaged_never_leads_to_another_draw(
    site: Site, monkeypatch: pytest.MonkeyPatch, breaking: Any
) -> None:
    first = numbers_of(ask_sketch(site.folder.parent))
    file, head = file_of(site), site.ledger.head()
    whole = file.read_bytes()
    assert breaking(whole) != whole

    def never(*_: object) -> None:
        raise AssertionError("records were read again")

    file.write_bytes(breaking(whole))
    with monkeypatch.context() as patch:
        patch.setattr(Site, "read_units", never)
        assert code_of(ask_sketch(site.folder.parent)) == "local-failure"
    assert site.ledger.head() == head
    file.write_bytes(whole)  # from a backup
    assert numbers_of(ask_sketch(site.folder.parent)) == first


def test_a_state_folder_put_back_never_leads_to_another_draw(site: Site) -> None:
    """The ledger still knows that an answer was kept, and may have been sent."""
    ask_sketch(site.folder.parent)
    head = site.ledger.head()
    file_of(site).unlink()
    assert code_of(ask_sketch(site.folder.parent)) == "already-released"
    assert site.ledger.head() == head


def test_an_answer_is_for_the_eyes_of_its_owner(site: Site) -> None:
    ask_sketch(site.folder.parent)
    assert file_of(site).stat().st_mode & 0o777 == 0o600


def test_an_answer_that_comes_again_has_a_newer_receipt(site: Site) -> None:
    home, cheap = site.folder.parent, {"epsilon": 0.3}
    replies = [ask_sketch(home, **cheap, study_id=name) for name in ("one", "two", "one")]
    receipts = [Receipt.from_text(settings_of(reply)[RECEIPT]) for reply in replies]
    assert receipts[0].entries < receipts[1].entries == receipts[2].entries
    for receipt in receipts:
        site.ledger.check_receipt(receipt)
