"""What the node uses of Flower beyond its documented interface; a new Flower fails here first."""

from __future__ import annotations

import inspect
from importlib.metadata import version

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.app import ConfigRecord, Message, RecordDict
from flwr.app.message import remove_content_from_message
from flwr.common.constant import (
    HEARTBEAT_MIN_INTERVAL,
    HEARTBEAT_PATIENCE,
    SYSTEM_TIME_TOLERANCE,
    TIMESTAMP_TOLERANCE,
)
from flwr.common.serde import message_from_proto, message_to_proto
from flwr.proto.fleet_pb2 import ActivateNodeRequest, PullMessagesResponse, PushMessagesResponse
from flwr.supercore.error import ApiErrorCode, FlowerError
from flwr.supercore.inflatable.inflatable_object import get_object_id
from flwr.supercore.inflatable.inflatable_utils import (
    inflatable_class_registry,
    inflate_object_from_contents,
    validate_object_content,
)
from flwr.supercore.interceptors.http.runtime_version import RuntimeVersionHttpInterceptor
from flwr.supercore.protobuf.client import ProtobufClient, ProtobufRequestContext
from flwr.supercore.task_identity import TaskIdentity
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from client.node.channel import put_lid_on
from client.node.environment import FLOWER_VERSION
from client.node.fleet import HEARTBEAT_S
from client.node.trouble import MOST_AHEAD_S, MOST_BEHIND_S
from strategies.parcels import take_apart


def test_the_version_is_the_one_that_the_node_asks_for() -> None:
    assert version("flwr").startswith(FLOWER_VERSION)


def test_the_heartbeat_and_the_window_of_a_signature_are_as_we_say() -> None:
    assert HEARTBEAT_MIN_INTERVAL <= HEARTBEAT_S
    assert HEARTBEAT_PATIENCE == 2
    assert (MOST_BEHIND_S, MOST_AHEAD_S) == (TIMESTAMP_TOLERANCE, SYSTEM_TIME_TOLERANCE - 1)


def test_error_codes_of_the_fleet_are_read_from_answers() -> None:
    codes = ApiErrorCode
    assert codes.FLEET_NODE_ACTIVATION_FAILED == 2004
    assert codes.FLEET_RUN_STATUS_NOT_ALLOWED == 2007
    assert codes.FLEET_GET_RUN_FAILED == 2008
    known = FlowerError.from_json('{"code": 2004, "detail": "no"}')
    assert known is not None and (known.code, known.message) == (2004, "no")
    assert FlowerError.from_json("<html>") is None


def test_the_client_has_the_calls_that_we_make_and_one_http_client_inside() -> None:
    for name in (
        "ActivateNode",
        "DeactivateNode",
        "SendNodeHeartbeat",
        "PullMessages",
        "PullObject",
        "ConfirmMessageReceived",
        "PushMessages",
        "PushObject",
        "GetRun",
        "GetFab",
    ):
        assert list(inspect.signature(getattr(FleetHttpClient, name)).parameters) == [
            "self",
            "request",
        ]
    parameters = list(inspect.signature(ProtobufClient.from_server_address).parameters)
    assert parameters[:4] == [
        "server_address",
        "insecure",
        "root_certificates",
        "interceptors",
    ]


def test_interceptors_sign_and_name_the_version_in_the_order_they_are_given() -> None:
    seen: list[httpx.Headers] = []

    class Last:
        def intercept(self, context, call_next):
            seen.append(context.request.headers)
            return httpx.Response(200, request=context.request, content=b"")

    key = ec.generate_private_key(ec.SECP384R1())
    with FleetHttpClient.from_server_address(
        "localhost:1",
        True,
        None,
        interceptors=[
            RuntimeVersionHttpInterceptor(component_name="SuperNode"),
            NodeAuthHttpInterceptor(key, key.public_key()),
            Last(),
        ],
    ) as client:
        client.ActivateNode(ActivateNodeRequest(public_key=b"", heartbeat_interval=10.0))
    names = {name.lower() for name in seen[0]}
    assert any("signature" in name for name in names)
    assert any("version" in name for name in names)
    assert {"rpc_method", "message", "request"} <= set(ProtobufRequestContext.__dataclass_fields__)


def answering(response: httpx.Response) -> FleetHttpClient:
    client = FleetHttpClient.from_server_address("localhost:1", True, None, interceptors=[])
    old = client._client
    client._client = httpx.Client(
        transport=httpx.MockTransport(lambda request: response), follow_redirects=True
    )
    old.close()
    put_lid_on(client._client)
    return client


REQUEST = ActivateNodeRequest(public_key=b"", heartbeat_interval=10.0)


def test_the_lid_is_on_what_the_client_really_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("client.node.channel.MOST_ANSWER_BYTES", 100)
    stream = httpx.Response(200, stream=httpx.ByteStream(b"\x00" * 200))
    with answering(stream) as client, pytest.raises(httpx.DecodingError, match="too large"):
        client.ActivateNode(REQUEST)


def test_compressed_and_redirected_answers_are_not_taken() -> None:
    zipped = httpx.Response(
        200, headers={"content-encoding": "gzip"}, stream=httpx.ByteStream(b"\x1f\x8b")
    )
    with answering(zipped) as client, pytest.raises(httpx.DecodingError, match="compressed"):
        client.ActivateNode(REQUEST)
    moved = httpx.Response(302, headers={"location": "http://elsewhere/"})
    with answering(moved) as client, pytest.raises(httpx.HTTPStatusError, match="302"):
        client.ActivateNode(REQUEST)


def test_messages_are_named_by_their_content_and_taken_apart_into_known_kinds() -> None:
    TaskIdentity.run_id = TaskIdentity.task_id = TaskIdentity.node_id = 1
    message = Message(RecordDict({"config": ConfigRecord({"x": 1})}), 7, "query.hello")
    tree, parts = take_apart(message)
    assert tree.object_id == message.metadata.message_id
    for name, content in parts.items():
        validate_object_content(content)
        assert get_object_id(content) == name
        assert content.split(b" ", 1)[0].decode() in inflatable_class_registry
    assert "Array" in inflatable_class_registry
    again = inflate_object_from_contents(tree.object_id, dict(parts))
    assert isinstance(again, Message) and again.content == message.content
    bare = message_from_proto(message_to_proto(remove_content_from_message(message)))
    assert bare.metadata.message_id == message.metadata.message_id
    assert not len(bare.content)


def test_answers_have_the_fields_that_we_read() -> None:
    pulled = set(PullMessagesResponse.DESCRIPTOR.fields_by_name)
    assert {"messages_list", "message_object_trees"} <= pulled
    pushed = set(PushMessagesResponse.DESCRIPTOR.fields_by_name)
    assert {"objects_to_push", "session_id"} <= pushed
