"""What is used of Flower beyond its documented interface, so that a new Flower fails here first."""

from __future__ import annotations

import importlib
import inspect
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.common.constant import (
    NUM_PARTITIONS_KEY,
    PARTITION_ID_KEY,
    SUPERLINK_NODE_ID,
    ErrorCode,
)
from flwr.serverapp import Grid
from flwr.serverapp.strategy import Strategy
from flwr.supercore.inflatable.inflatable_object import (
    get_all_nested_objects,
    no_object_id_recompute,
)
from flwr.supercore.inflatable.inflatable_utils import inflate_object_from_contents
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

from strategies.protocol import REFUSAL_ERROR
from strategies.validation import _ERROR_CODES

ROOT = Path(__file__).parents[2]


def make_message() -> Message:
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1
    arrays = ArrayRecord({"a": Array(np.ones(3)), "b": Array(np.ones(3))})
    return Message(RecordDict({"arrays": arrays, "config": ConfigRecord({"x": 1})}), 101, "train")


def test_messages_can_be_taken_apart_and_put_together() -> None:
    message = make_message()
    with no_object_id_recompute():
        contents = {k: v.deflate() for k, v in get_all_nested_objects(message).items()}
        copy = inflate_object_from_contents(message.object_id, contents)
    assert isinstance(copy, Message)
    assert copy.content == message.content
    assert copy.metadata.dst_node_id == 101


def test_message_ids_and_senders_can_be_set_as_flowers_own_grids_do() -> None:
    message = make_message()
    message.metadata.__dict__["_message_id"] = "m"
    message.metadata.__dict__["_src_node_id"] = 7
    assert message.metadata.message_id == "m"
    assert message.metadata.src_node_id == 7


def test_constants_are_those_of_flower() -> None:
    assert (PARTITION_ID_KEY, NUM_PARTITIONS_KEY) == ("partition-id", "num-partitions")
    assert SUPERLINK_NODE_ID == 1
    known = {code for name, code in vars(ErrorCode).items() if name.isupper()}
    assert set(_ERROR_CODES) <= known
    assert REFUSAL_ERROR not in known
    assert _ERROR_CODES[ErrorCode.NODE_UNAVAILABLE] == "node-unavailable"
    assert _ERROR_CODES[ErrorCode.MESSAGE_UNAVAILABLE] == "expired"
    assert Run.create_empty(run_id=1).run_id == 1


def test_the_grid_and_the_strategy_have_the_methods_we_override() -> None:
    assert Grid.__abstractmethods__ == {
        "set_run",
        "run",
        "create_message",
        "get_node_ids",
        "push_messages",
        "pull_messages",
        "send_and_receive",
    }
    assert list(inspect.signature(Strategy.start).parameters) == [
        "self",
        "grid",
        "initial_arrays",
        "num_rounds",
        "timeout",
        "train_config",
        "evaluate_config",
        "evaluate_fn",
    ]


def test_the_simulation_engine_takes_what_we_pass() -> None:
    pytest.importorskip("ray")
    engine = importlib.import_module("flwr.simulation.run_simulation")
    assert {
        "num_supernodes",
        "exit_event",
        "client_app",
        "server_app",
        "server_app_context",
        "backend_config",
    } <= set(inspect.signature(engine._run_simulation).parameters)
    backend = importlib.import_module("flwr.server.superlink.fleet.vce.backend.raybackend")
    assert "if not ray.is_initialized():" in inspect.getsource(backend.RayBackend.init_ray)


@pytest.mark.parametrize("first", ["strategies", "flwr.supercore.telemetry, strategies"])
def test_telemetry_is_off_whoever_imports_flower_first(first: str) -> None:
    script = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); import {first}; import os;"
        "import flwr.supercore.telemetry as telemetry;"
        "print(telemetry.FLWR_TELEMETRY_ENABLED, os.environ['FLWR_DISABLE_UPDATE_CHECK'])"
    )
    unset = {k: v for k, v in os.environ.items() if not k.startswith("FLWR_")}
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=unset,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert done.stdout.split() == ["0", "1"]
