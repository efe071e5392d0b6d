"""What can stand between a site and its coordinator, each in one sentence with the way out."""

from __future__ import annotations

import ssl
from enum import StrEnum
from typing import Final

import httpx
from flwr.supercore.error import ApiErrorCode, FlowerError


class Kind(StrEnum):
    """Kinds of trouble; all pass by themselves or when somebody mends something, but VERSION."""

    UNREACHABLE = "unreachable"
    CERTIFICATE = "certificate"
    NOT_ADMITTED = "not-admitted"
    STILL_ONLINE = "still-online"
    CLOCK = "clock"
    VERSION = "version"
    BUSY = "busy"
    RUN_OVER = "run-over"
    REFUSED = "refused"
    DISK = "disk"


class LinkTrouble(Exception):
    """Report why a call to the coordinator came to nothing.

    Attributes:
        kind: what it is.
        sentence: what a person at the site should know and can do.
    """

    def __init__(self, kind: Kind, sentence: str) -> None:
        super().__init__(sentence)
        self.kind = kind
        self.sentence = sentence


MOST_BEHIND_S: Final = 300  # Flower takes a signature that is at most so old ...
MOST_AHEAD_S: Final = 4  # ... and from a clock that is ahead by less than 5 seconds
_RETRY_LATER: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
_FLOWER_KINDS: Final = {
    ApiErrorCode.FLEET_RUN_STATUS_NOT_ALLOWED: Kind.RUN_OVER,
    ApiErrorCode.FLEET_GET_RUN_FAILED: Kind.RUN_OVER,
    ApiErrorCode.FLEET_GET_FAB_FAILED: Kind.RUN_OVER,
    ApiErrorCode.FLEET_NODE_ACTIVATION_FAILED: Kind.NOT_ADMITTED,
    ApiErrorCode.RUNTIME_VERSION_INCOMPATIBLE: Kind.VERSION,
}


def explain(error: Exception, address: str, clock_ahead_s: float = 0.0) -> LinkTrouble:
    """Return the trouble that an error of a call stands for.

    Args:
        error: what the call raised.
        address: of the coordinator, for the sentence.
        clock_ahead_s: by how much this computer's clock is ahead of the coordinator's.
    """
    if isinstance(error, LinkTrouble):
        return error
    if isinstance(error, httpx.HTTPStatusError):
        return _explain_status(error.response, address, clock_ahead_s)
    secure = _cause(error, ssl.SSLError)
    if isinstance(secure, ssl.SSLCertVerificationError):
        return LinkTrouble(
            Kind.CERTIFICATE,
            f"the certificate of {address} is not one of the coordinator's in coordinator.toml "
            f"({secure.verify_message.rstrip('.')}); somebody else may be answering there. Ask the "
            "coordinator for the present coordinator.toml, and send nothing until it is clear.",
        )
    if secure is not None:
        why = getattr(secure, "reason", None) or secure
        return LinkTrouble(
            Kind.CERTIFICATE,
            f"{address} does not speak TLS as the coordinator must ({why}); "
            "check address and port in coordinator.toml.",
        )
    if isinstance(error, httpx.TimeoutException):
        return _unreachable(address, "no answer in time")
    if isinstance(error, httpx.HTTPError):
        return _unreachable(address, str(error) or type(error).__name__)
    return LinkTrouble(
        Kind.BUSY, f"{address} answered what is no answer of a coordinator ({error}); trying again."
    )


def _unreachable(address: str, why: str) -> LinkTrouble:
    return LinkTrouble(
        Kind.UNREACHABLE,
        f"the coordinator at {address} cannot be reached ({why}); trying again. If it lasts, check "
        "this site's network and firewall, and ask the coordinator whether it runs.",
    )


def _cause(error: BaseException, kind: type[ssl.SSLError]) -> ssl.SSLError | None:
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, kind):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _explain_status(response: httpx.Response, address: str, clock_ahead_s: float) -> LinkTrouble:
    known = FlowerError.from_json(response.text)
    if known is not None and known.code in _FLOWER_KINDS:
        return _explain_code(_FLOWER_KINDS[ApiErrorCode(known.code)], known)
    status = response.status_code
    if status == 401:
        return _clock(clock_ahead_s) or not_admitted()
    if status in _RETRY_LATER:
        return LinkTrouble(
            Kind.BUSY, f"the coordinator at {address} is not ready (HTTP {status}); trying again."
        )
    return LinkTrouble(
        Kind.REFUSED,
        f"{address} refuses this site's calls (HTTP {status}); what answers there may not be the "
        "coordinator. Check the address in coordinator.toml with the coordinator.",
    )


def _explain_code(kind: Kind, known: FlowerError) -> LinkTrouble:
    if kind is Kind.NOT_ADMITTED:
        return not_admitted()
    if kind is Kind.VERSION:
        return LinkTrouble(
            kind,
            f"the coordinator runs another version of Flower ({known.message.rstrip('.')}); "
            "install the version that it names on both sides.",
        )
    return LinkTrouble(kind, "this run of the study is over")


def no_room(error: OSError) -> LinkTrouble:
    """Return the trouble of a site that cannot write into its own folder."""
    return LinkTrouble(
        Kind.DISK,
        f"this site's folder cannot be written to ({error.strerror}); make room there or mend the "
        "disk. The coordinator's question waits a minute for it, and is asked again later.",
    )


def not_admitted() -> LinkTrouble:
    """Return the trouble of a site whose key the coordinator does not take."""
    return LinkTrouble(
        Kind.NOT_ADMITTED,
        "the coordinator does not admit this site: its key is not in the coordinator's list, or "
        "was taken off it. Send the site's admission.toml to the coordinator and read its "
        "fingerprint out over the telephone; this site keeps trying.",
    )


def still_online() -> LinkTrouble:
    """Return the trouble of a site whose last session the coordinator has not given up yet."""
    return LinkTrouble(
        Kind.STILL_ONLINE,
        "the coordinator still holds this site's last session and gives it up within 90 seconds; "
        "waiting. If it lasts, another process uses this site's key: find and stop it.",
    )


def _clock(ahead_s: float) -> LinkTrouble | None:
    if -MOST_BEHIND_S < ahead_s < MOST_AHEAD_S:
        return None
    way, size = ("ahead of", ahead_s) if ahead_s > 0 else ("behind", -ahead_s)
    amount = f"{size / 60:.0f} minutes" if size >= 90 else f"{size:.0f} seconds"
    return LinkTrouble(
        Kind.CLOCK,
        f"this computer's clock is {amount} {way} the coordinator's, and calls signed so far off "
        "are refused; set the clock (by NTP), or ask the coordinator to set theirs.",
    )
