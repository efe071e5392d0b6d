"""The connection over which a study talks to its SuperLink."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Sequence

import httpx
from flwr.proto.runtime_pb2 import SendTaskHeartbeatRequest
from flwr.supercore.interceptors import (
    RuntimeTokenHttpInterceptor,
    RuntimeVersionHttpInterceptor,
)
from flwr.supercore.protobuf.client import ProtobufClientInterceptor
from flwr.supercore.retry import RetryInvoker, exponential
from flwr.supercore.runtime import RuntimeHttpClient

from server.deploy.control import reach_loopback_directly, read_authority
from server.deploy.folder import ServerFolder
from strategies.errors import StudyFailed

CALL_S = 15.0
_BEAT_S = 5.0  # the SuperLink gives a task up 60 s after its last sign of life
_PASSING = frozenset({500, 502, 503, 504})  # 500: its database was locked for a moment
_ENDED = frozenset({401, 403})


def connect(
    server: ServerFolder,
    interceptors: Sequence[ProtobufClientInterceptor],
    *,
    retries: RetryInvoker | None = None,
) -> RuntimeHttpClient:
    """Return a client of the SuperLink's Runtime API."""
    reach_loopback_directly()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=read_authority(server).decode("ascii"))
    return RuntimeHttpClient(
        f"https://{server.superlink_address}",
        interceptors=[RuntimeVersionHttpInterceptor(component_name="fedsynth"), *interceptors],
        verify=context,
        timeout=CALL_S,
        retry_invoker=retries,
    )


def connect_task(
    server: ServerFolder, token: str, *, retries: RetryInvoker | None = None
) -> RuntimeHttpClient:
    """Return a client that speaks for the task to which a token belongs."""
    return connect(server, [RuntimeTokenHttpInterceptor(token=token)], retries=retries)


def make_retries(seconds: float) -> RetryInvoker:
    """Return what repeats a call, at most so long, while the SuperLink is away or busy.

    Flower's own repeats without end, and ends the process when a run was stopped.
    """
    return RetryInvoker(
        wait_gen_factory=lambda: exponential(base_delay=0.1, max_delay=1),
        recoverable_exceptions=(httpx.TransportError, httpx.HTTPStatusError),
        max_tries=None,
        max_time=seconds,
        should_giveup=lambda error: not is_passing(error),
    )


def is_passing(error: Exception) -> bool:
    """Return whether a call that failed may succeed when it is made again."""
    if isinstance(error, httpx.HTTPStatusError):
        return error.response.status_code in _PASSING
    return isinstance(error, httpx.TransportError)


def explain(error: httpx.HTTPError) -> StudyFailed:
    """Return what to tell a person about a call that failed for good."""
    if isinstance(error, httpx.HTTPStatusError):
        code = error.response.status_code
        if code in _ENDED:
            return StudyFailed(
                "the run was ended at the SuperLink, by hand or because it was away for more than "
                "a minute; start the study again to go on."
            )
        return StudyFailed(f"the SuperLink refused a call (HTTP {code}); its log says why.")
    return StudyFailed(
        "the SuperLink does not answer any more; see 'fedsynth server status', then start the "
        "study again to go on."
    )


class Heartbeat:
    """Signs of life for a task, from a thread of its own, as long as the ``with`` block lasts.

    Flower's own interrupts the whole process when the task is over.
    """

    def __init__(self, client: RuntimeHttpClient) -> None:
        self._client = client
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Heartbeat:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join(timeout=CALL_S)
        self._client.close()

    def _beat(self) -> None:
        while not self._over.is_set():
            try:
                self._client.SendTaskHeartbeat(SendTaskHeartbeatRequest())
            except httpx.HTTPError:
                pass  # the next one may arrive; the study itself notices when the run is over
            self._over.wait(_BEAT_S)
