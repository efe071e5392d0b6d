"""Arrays from outside: whatever is wrong with them is found before anything is used up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from asking import (
    ask_evaluate,
    ask_train,
    be_inside_a_run,
    code_of,
    score_weights,
    to_record,
    train_records,
)
from attacks import BAD_WEIGHTS, HONEST, POLICY
from flwr.app import Array, ArrayRecord
from tiny_sites import write_site
from tiny_world import make_generator

from client.site import Site, load_site
from strategies.collect import arrays_of
from strategies.protocol import ARRAYS, POOLED_SKETCH, STATISTICS
from strategies.validation import specs_of
from strategies.wire_field import WireFormat
from strategies.wire_format import format_of, pack, unpack


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


@pytest.mark.parametrize("change", BAD_WEIGHTS)
def test_weights_of_any_odd_kind_are_refused_and_use_up_nothing(home: Path, change) -> None:
    generator = {n: w.numpy() for n, w in make_generator().state_dict().items()}
    network = {n: w.numpy() for n, w in score_weights().items()}
    change(generator)
    change(network)
    records = train_records() | {ARRAYS: to_record(generator)}
    assert code_of(ask_train(home, records, **HONEST)) == "malformed"
    assert code_of(ask_evaluate(home, network, **HONEST)) == "malformed"
    assert entries_of(home) == 1


@pytest.mark.parametrize("claim", [(1000, 1000), (10**6, 10**4), (2,), ()])
def test_an_array_that_lies_about_its_shape_is_refused(home: Path, claim) -> None:
    honest = Array(np.zeros((3, 4), np.float32))
    lying = Array(dtype="float32", shape=claim, stype="numpy.ndarray", data=honest.data)
    spoilt = Array(dtype="float32", shape=(3, 4), stype="numpy.ndarray", data=b"\x80\x04." * 40)
    objects = Array(np.zeros((3, 4), np.int32))
    relabelled = Array(dtype="float32", shape=(3, 4), stype="numpy.ndarray", data=objects.data)
    for array in (lying, spoilt, relabelled):
        weights = dict(ArrayRecord(make_generator().state_dict())) | {"anchors": array}
        records = train_records() | {ARRAYS: ArrayRecord(weights)}
        assert code_of(ask_train(home, records, **HONEST)) == "malformed"
    assert entries_of(home) == 1


@pytest.mark.parametrize("pooled", [np.zeros(3), np.full(77, np.nan), np.zeros(10**6)])
def test_a_pooled_sketch_of_any_odd_kind_uses_up_no_round(home: Path, pooled) -> None:
    records = train_records()
    records[POOLED_SKETCH] = ArrayRecord({STATISTICS: Array(pooled.astype(np.float32))})
    assert code_of(ask_train(home, records, **HONEST)) == "malformed"
    assert not list((home / "site-1").rglob("*.safetensors"))
    assert not ask_train(home, **HONEST).has_error()


@pytest.mark.parametrize("wire_format", list(WireFormat))
def test_a_site_answers_in_the_format_in_which_it_was_asked(
    home: Path, wire_format: WireFormat
) -> None:
    weights = {n: w.numpy() for n, w in make_generator().state_dict().items()}
    records = train_records() | {ARRAYS: pack(weights, wire_format)}
    reply = ask_train(home, records, **HONEST)
    assert not reply.has_error()
    answer = reply.content.array_records[ARRAYS]
    assert format_of(answer) is wire_format
    assert specs_of(answer) == specs_of(records[ARRAYS])
    assert unpack(arrays_of(answer)).keys() == weights.keys()


def test_a_site_that_is_asked_in_8_bits_answers_with_what_it_changed(
    home: Path, tmp_path: Path
) -> None:
    write_site(tmp_path / "other" / "site-1", **POLICY)
    weights = {n: w.numpy() for n, w in make_generator().state_dict().items()}
    packed = pack(weights, WireFormat.INT8)
    received = unpack(arrays_of(packed))
    in_8_bits = ask_train(home, train_records() | {ARRAYS: packed}, **HONEST)
    whole = ask_train(tmp_path / "other", train_records() | {ARRAYS: to_record(received)}, **HONEST)
    changes = unpack(arrays_of(in_8_bits.content.array_records[ARRAYS]))
    moved = 0.0
    for name, after in arrays_of(whole.content.array_records[ARRAYS]).items():
        expected = after - received[name]
        moved = max(moved, float(np.abs(expected).max(initial=0)))
        error = float(np.abs(expected).max(initial=0)) / 250 + 1e-7
        np.testing.assert_allclose(changes[name], expected, rtol=0, atol=error)
    assert moved > 1e-5
