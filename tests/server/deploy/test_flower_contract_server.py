"""What the coordinator uses of Flower beyond its documented interface; a new Flower fails here."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import httpx
import pytest
from flwr.app import ConfigRecord, Error, Message, RecordDict
from flwr.common.config import get_fab_config, get_metadata_from_config, validate_config
from flwr.common.constant import SUPERLINK_NODE_ID, ErrorCode, Status, SubStatus
from flwr.proto.control_pb2 import ListRunsRequest, RegisterNodeRequest, StartRunRequest
from flwr.proto.fab_pb2 import Fab
from flwr.proto.runtime_pb2 import AcquireTaskRequest, PushTaskOutputRequest
from flwr.supercore.constant import NodeStatus, TaskType
from flwr.supercore.control.control_http_client import ControlHttpClient
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
    SuperExecAuthHttpInterceptor,
)
from flwr.supercore.protobuf.client import ProtobufClient
from flwr.supercore.retry import RetryInvoker, exponential
from flwr.supercore.runtime import RuntimeHttpClient
from flwr.supercore.task_identity import TaskIdentity
from flwr.superlink.cli import flower_superlink
from flwr.superlink.cli.flower_superlink import _parse_args_run_superlink
from flwr.superlink.grid import HttpGrid

from server.deploy.bundle import build_bundle
from server.deploy.control import check_flower
from server.deploy.runtime import is_passing, make_retries


def parameters(function: object) -> set[str]:
    return set(inspect.signature(function).parameters)  # type: ignore[arg-type]


def test_this_is_the_flower_that_was_read() -> None:
    check_flower()
    assert version("flwr").startswith("1.41.")


def test_the_superlink_takes_the_flags_it_is_started_with() -> None:
    assert callable(flower_superlink)
    words = ["--ssl-certfile", "a", "--ssl-keyfile", "b", "--ssl-ca-certfile", "c"]
    words += ["--host", "127.0.0.1", "--port", "1", "--database", "d", "--isolation", "process"]
    words += ["--superexec-auth-secret-file", "e", "--log-file", "f"]
    words += ["--log-rotation-interval-hours", "24", "--log-rotation-backup-count", "7"]
    words += ["--enable-supernode-auth", "--disable-runtime-dependency-installation"]
    found = _parse_args_run_superlink().parse_args(words)
    assert found.enable_supernode_auth is True
    assert found.runtime_dependency_install is False
    assert found.isolation == "process"


def test_the_bundle_is_one_that_flower_accepts() -> None:
    config = get_fab_config(build_bundle())
    assert get_metadata_from_config(config) == ("fedsynth/fedsynth-study", version("fedsynth"))
    valid, errors, warnings = validate_config(config, check_module=False)
    assert (valid, errors, warnings) == (True, [], [])


def test_the_clients_have_the_calls_we_make() -> None:
    control = ("ListNodes", "RegisterNode", "UnregisterNode", "ListRuns", "StartRun", "StopRun")
    runtime = (
        "AcquireTask",
        "PullTaskInput",
        "PushTaskOutput",
        "SendTaskHeartbeat",
        "PullMessages",
        "PullObject",
        "PushObject",
        "ConfirmMessageReceived",
        "GetNodes",
    )
    assert all(parameters(getattr(ControlHttpClient, name)) >= {"request"} for name in control)
    assert all(hasattr(RuntimeHttpClient, name) for name in runtime)
    assert parameters(ProtobufClient.__init__) >= {
        "base_url",
        "interceptors",
        "verify",
        "timeout",
        "retry_invoker",
    }
    assert parameters(ProtobufClient.from_server_address) >= {
        "server_address",
        "insecure",
        "root_certificates",
        "interceptors",
    }


def test_requests_have_the_fields_we_fill() -> None:
    assert StartRunRequest(fab=Fab(hash_str="a", content=b"b")).fab.content == b"b"
    assert ListRunsRequest(limit=1000).limit == 1000
    assert RegisterNodeRequest(public_key=b"a", name="b").name == "b"
    assert list(AcquireTaskRequest(supported_task_types=["a"]).supported_task_types) == ["a"]
    assert PushTaskOutputRequest(sub_status="failed", details="").sub_status == "failed"


def test_flowers_words_and_numbers_are_those_we_compare_with() -> None:
    assert (Status.FINISHED, SubStatus.FAILED, SubStatus.COMPLETED) == (
        "finished",
        "failed",
        "completed",
    )
    assert (NodeStatus.ONLINE, NodeStatus.UNREGISTERED) == ("online", "unregistered")
    assert TaskType.SERVER_APP == "flwr-serverapp"
    assert SUPERLINK_NODE_ID == 1
    codes = (
        ErrorCode.MESSAGE_UNAVAILABLE,
        ErrorCode.REPLY_MESSAGE_UNAVAILABLE,
        ErrorCode.NODE_UNAVAILABLE,
    )
    assert codes == (3, 4, 5)


def test_interceptors_take_what_we_give_them() -> None:
    RuntimeVersionHttpInterceptor(component_name="fedsynth")
    RuntimeTokenHttpInterceptor(token="a")
    SuperExecAuthHttpInterceptor(master_secret=b"a", protected_methods={"b"})


def test_the_grid_has_the_parts_that_ours_replaces() -> None:
    grid = HttpGrid(runtime_api_address="127.0.0.1:1", token="a")
    assert grid._token == "a"
    assert grid._client is None
    assert grid._is_connected is False
    assert isinstance(grid._retry_invoker, RetryInvoker)
    assert grid.node.node_id == SUPERLINK_NODE_ID
    assert "self._connect()" in inspect.getsource(HttpGrid._runtime_client.fget)  # type: ignore[arg-type]
    assert "msg.object_id" in inspect.getsource(HttpGrid.push_messages)
    assert "self.get_nodes()" in inspect.getsource(HttpGrid.get_node_ids)


def test_the_same_question_asked_again_is_a_new_message_and_replies_can_be_readdressed() -> None:
    TaskIdentity.task_id = TaskIdentity.run_id = TaskIdentity.node_id = 1
    content = RecordDict({"config": ConfigRecord({"x": 1})})
    first, again = (Message(content, 7, "query.a", ttl=ttl) for ttl in (10.0, 9.0))
    assert first.object_id != again.object_id
    reply = Message(Error(code=5), reply_to=again)
    reply.metadata.__dict__["_reply_to_message_id"] = "x"
    reply.metadata.__dict__["_src_node_id"] = 9
    assert (reply.metadata.reply_to_message_id, reply.metadata.src_node_id) == ("x", 9)


@pytest.mark.parametrize(("status", "passing"), [(500, True), (503, True), (401, False)])
def test_calls_are_repeated_while_the_superlink_is_away_and_not_when_it_refuses(
    status: int, passing: bool
) -> None:
    request = httpx.Request("POST", "https://localhost")
    error = httpx.HTTPStatusError("", request=request, response=httpx.Response(status))
    assert is_passing(error) is passing
    assert is_passing(httpx.ConnectError(""))
    tries: list[int] = []

    def fail() -> None:
        tries.append(1)
        raise error

    with pytest.raises(httpx.HTTPStatusError):
        make_retries(0.3).invoke(fail)
    assert (len(tries) > 1) is passing
    assert next(exponential(base_delay=0.1, max_delay=1)) == 0.1
