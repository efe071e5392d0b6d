"""What a checkpoint keeps comes back as it was, and a broken file is named with the way out."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from server.checkpoint import Checkpoint
from strategies.collect import Answers
from strategies.protocol import PROTOCOL_VERSION
from strategies.round_record import RoundRecord
from strategies.validation import Reply
from synthesis import InputError


def make_answers() -> Answers:
    arrays = {"statistics": np.array([1.5, -0.0, 3e38], dtype=np.float32)}
    return Answers(
        valid={7: Reply(arrays=arrays, config={"noise-multiplier": 0.1, "accepted": True})},
        rejected={2**63: "no-reply"},
        seconds=1.25,
        bytes_down=3,
        bytes_up=4,
    )


def test_answers_come_back_as_they_were(tmp_path: Path) -> None:
    checkpoint, answers = Checkpoint(tmp_path), make_answers()
    checkpoint.keep_answers("query.sketch", answers, {})
    found = Checkpoint(tmp_path).find_answers("query.sketch")
    assert found is not None
    again, keys = found
    assert keys == {}
    assert replace(again, valid={}) == replace(answers, valid={})
    assert again.valid[7].config == answers.valid[7].config
    array = again.valid[7].arrays["statistics"]
    assert array.tobytes() == answers.valid[7].arrays["statistics"].tobytes()
    assert array.dtype == np.float32
    assert checkpoint.find_answers("query.hello") is None


def test_rounds_come_back_in_order_and_only_without_a_gap(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path)
    records = [
        RoundRecord(
            server_round=n,
            changed=n != 2,
            valid=(101,),
            rejected={102: "no-reply"},
            seconds=n / 3,
            bytes_down=n,
            bytes_up=n,
        )
        for n in (1, 2, 3)
    ]
    for record in records:
        weights = {"w": np.full(2, record.server_round, dtype=np.float32)}
        checkpoint.keep_round(record, weights, {"momentum.0": np.array([record.server_round / 3])})
    kept = checkpoint.find_rounds()
    assert list(kept.records) == records
    assert kept.weights is not None and kept.weights["w"].tolist() == [3, 3]
    for number in (1, 2, 3):
        found = checkpoint.find_weights(number)
        assert found.keys() == {"w"} and found["w"].tolist() == [number] * 2
    with pytest.raises(KeyError):
        checkpoint.find_weights(4)
    assert kept.weights.keys() == {"w"} and kept.state["momentum.0"].tolist() == [1.0]
    (tmp_path / "round-00002.safetensors").unlink()
    assert len(checkpoint.find_rounds().records) == 1


@pytest.mark.parametrize(
    "spoil", [lambda p: p.write_bytes(b"nonsense"), lambda p: p.write_bytes(p.read_bytes()[:40])]
)
def test_a_broken_file_is_named_with_the_way_out(
    tmp_path: Path, spoil: Callable[[Path], object]
) -> None:
    checkpoint = Checkpoint(tmp_path)
    checkpoint.keep_fit({"w": np.zeros(3, dtype=np.float32)}, 1.0)
    spoil(tmp_path / "fit.safetensors")
    with pytest.raises(InputError, match="asked for it again, at no cost"):
        checkpoint.find_fit()


def test_receipts_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    (tmp_path / "receipts.json").write_text('{"x": 1}')
    with pytest.raises(InputError, match="must hold the last receipts"):
        Checkpoint(None, receipts=tmp_path / "receipts.json").find_receipts()


def test_without_a_folder_nothing_is_kept(tmp_path: Path) -> None:
    checkpoint = Checkpoint()
    checkpoint.open("study", "digest")
    checkpoint.keep_answers("query.sketch", make_answers(), {})
    assert checkpoint.find_answers("query.sketch") is None
    assert checkpoint.find_rounds().records == () and checkpoint.find_rounds().weights is None
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("spoken", [{}, {"protocol": PROTOCOL_VERSION - 1}])
def test_a_study_begun_by_a_version_that_counts_otherwise_is_not_gone_on_with(
    tmp_path: Path, spoken: dict[str, int]
) -> None:
    assert not Checkpoint(tmp_path).open("one", "abc")
    assert Checkpoint(tmp_path).open("one", "abc")
    (begun,) = tmp_path.iterdir()
    begun.write_text(json.dumps({"study": "one", "digest": "abc"} | spoken))
    with pytest.raises(InputError, match="speaks another protocol"):
        Checkpoint(tmp_path).open("one", "abc")
