"""The HTTP client of Flower's Fleet API, with a lid on whatever comes back.

Flower's client reads any answer whole, follows redirects and unpacks compression. A site does
none of this for a coordinator it cannot be sure of: an answer has a size and a time.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx
from cryptography.hazmat.primitives.asymmetric import ec
from flwr.supercore.error import ApiErrorCode, FlowerError
from flwr.supercore.interceptors.http.runtime_version import RuntimeVersionHttpInterceptor
from flwr.supercore.protobuf.client import ProtobufCall, ProtobufRequestContext
from flwr.supernode.fleet_http_client import FleetHttpClient
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor

from client.node.coordinator_file import Coordinator
from client.node.trouble import explain

MOST_ANSWER_BYTES: Final = 64 * 1024 * 1024 + 1024 * 1024  # one object and its envelope
LONGEST_ANSWER_S: Final = 300.0
TIMEOUT: Final = httpx.Timeout(30.0, connect=10.0)


class Watch:
    """What is learnt from every answer: when it came and what time it is over there.

    Attributes:
        last_heard: when the coordinator last answered well, on the monotonic clock.
        clock_ahead_s: by how much this computer's clock is ahead of the coordinator's.
    """

    def __init__(self) -> None:
        self.last_heard = time.monotonic()
        self.clock_ahead_s = 0.0

    def intercept(self, context: ProtobufRequestContext, call_next: ProtobufCall) -> httpx.Response:
        """Note an answer; stand before Flower's own check, which would end the process."""
        response = call_next(context)
        self._compare_clocks(response)
        if not response.is_error:
            self.last_heard = time.monotonic()
            return response
        known = FlowerError.from_json(response.text)
        if known is not None and known.code == ApiErrorCode.RUNTIME_VERSION_INCOMPATIBLE:
            refused = httpx.HTTPStatusError("", request=context.request, response=response)
            raise explain(refused, context.request.url.netloc.decode("ascii"))
        return response

    def _compare_clocks(self, response: httpx.Response) -> None:
        try:
            there = parsedate_to_datetime(response.headers.get("date", ""))
        except ValueError:
            return
        if there.tzinfo is not None:
            self.clock_ahead_s = (datetime.now(UTC) - there).total_seconds()


def open_channel(
    coordinator: Coordinator, key: ec.EllipticCurvePrivateKey, watch: Watch
) -> FleetHttpClient:
    """Return a client that signs every call as this site and trusts that coordinator only."""
    client = FleetHttpClient.from_server_address(
        coordinator.address,
        False,
        coordinator.certificate.encode("ascii"),
        interceptors=[
            RuntimeVersionHttpInterceptor(component_name="SuperNode"),
            NodeAuthHttpInterceptor(key, key.public_key()),
            watch,
        ],
    )
    put_lid_on(client._client)
    return client


def put_lid_on(client: httpx.Client) -> None:
    """Bound every answer, leave compression and redirects out, and let no call wait for ever."""
    client.timeout = TIMEOUT
    client.follow_redirects = False
    client.headers["accept-encoding"] = "identity"
    client.event_hooks = {"request": [], "response": [_bound]}


def hurry(client: FleetHttpClient) -> None:
    """Give the last calls little time, for somebody waits for this process to end."""
    client._client.timeout = httpx.Timeout(5.0)


def _bound(response: httpx.Response) -> None:
    if response.headers.get("content-encoding", "identity") != "identity":
        raise httpx.DecodingError("compressed answers are not taken", request=response.request)
    if isinstance(response.stream, httpx.SyncByteStream):
        response.stream = _BoundedStream(response.stream, response.request)


class _BoundedStream(httpx.SyncByteStream):
    """A body that may neither grow nor last without end."""

    def __init__(self, stream: httpx.SyncByteStream, request: httpx.Request) -> None:
        self._stream = stream
        self._request = request

    def __iter__(self) -> Iterator[bytes]:
        size, started = 0, time.monotonic()
        for chunk in self._stream:
            size += len(chunk)
            if size > MOST_ANSWER_BYTES:
                raise httpx.DecodingError("the answer is too large", request=self._request)
            if time.monotonic() - started > LONGEST_ANSWER_S:
                raise httpx.ReadTimeout("the answer takes too long", request=self._request)
            yield chunk

    def close(self) -> None:
        """Close the body below."""
        self._stream.close()
