"""Every trouble of the line is told apart, and its sentence names the way out."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest
from fake_fleet import refusal
from flwr.proto.fleet_pb2 import ActivateNodeRequest
from flwr.supercore.error import ApiErrorCode
from flwr.supercore.protobuf.client import ProtobufRequestContext

from client.node.channel import Watch
from client.node.trouble import Kind, LinkTrouble, explain


def caused(by: Exception) -> httpx.ConnectError:
    error = httpx.ConnectError("failed")
    error.__cause__ = by
    return error


def not_verified() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError("failed")
    error.verify_message = "self-signed certificate"
    return error


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (httpx.ConnectError("Connection refused"), Kind.UNREACHABLE, "Connection refused"),
        (httpx.ConnectTimeout(""), Kind.UNREACHABLE, "no answer in time"),
        (caused(not_verified()), Kind.CERTIFICATE, "present coordinator.toml"),
        (caused(ssl.SSLError(1, "WRONG_VERSION_NUMBER")), Kind.CERTIFICATE, "does not speak TLS"),
        (refusal(401), Kind.NOT_ADMITTED, "Send the site's admission.toml"),
        (refusal(400, 2004), Kind.NOT_ADMITTED, "Send the site's admission.toml"),
        (refusal(503), Kind.BUSY, "HTTP 503"),
        (refusal(500), Kind.BUSY, "HTTP 500"),
        (refusal(403), Kind.REFUSED, "Check the address"),
        (refusal(403, 2007), Kind.RUN_OVER, "over"),
        (ValueError("Invalid protobuf response payload"), Kind.BUSY, "no answer of a coordinator"),
    ],
)
def test_a_trouble_is_told_apart_with_the_way_out(error: Exception, kind: Kind, words: str) -> None:
    trouble = explain(error, "study.example.org:8443")
    assert trouble.kind is kind
    assert words in trouble.sentence


@pytest.mark.parametrize(
    ("ahead_s", "words"),
    [(-420, "7 minutes behind"), (600, "10 minutes ahead of"), (12, "12 seconds ahead of")],
)
def test_a_clock_that_differs_is_said_with_the_amount(ahead_s: float, words: str) -> None:
    trouble = explain(refusal(401), "there:1", ahead_s)
    assert trouble.kind is Kind.CLOCK
    assert words in trouble.sentence


@pytest.mark.parametrize("ahead_s", [-200, 0, 2])
def test_a_clock_that_is_near_enough_is_not_blamed(ahead_s: float) -> None:
    assert explain(refusal(401), "there:1", ahead_s).kind is Kind.NOT_ADMITTED


def see(watch: Watch, response: httpx.Response) -> httpx.Response:
    request = httpx.Request("POST", "https://there:1/")
    response.request = request
    context = ProtobufRequestContext(
        rpc_method="/x", message=ActivateNodeRequest(), request=request
    )
    return watch.intercept(context, lambda _: response)


def test_the_watch_reads_the_clock_over_there() -> None:
    watch = Watch()
    there = format_datetime(datetime.now(UTC) - timedelta(minutes=7), usegmt=True)
    see(watch, httpx.Response(401, headers={"date": there}))
    assert 415 < watch.clock_ahead_s < 425
    see(watch, httpx.Response(401, headers={"date": "yesterday"}))
    assert 415 < watch.clock_ahead_s < 425


def test_only_a_good_answer_counts_as_heard() -> None:
    watch = Watch()
    watch.last_heard = 0.0
    see(watch, httpx.Response(401))
    assert watch.last_heard == 0.0
    see(watch, httpx.Response(200))
    assert watch.last_heard > 0


def test_a_wrong_version_is_raised_before_flower_would_end_the_process() -> None:
    wrong = refusal(400, ApiErrorCode.RUNTIME_VERSION_INCOMPATIBLE)
    with pytest.raises(LinkTrouble) as caught:
        see(Watch(), wrong.response)
    assert caught.value.kind is Kind.VERSION
