"""The part of a report about sites that were asked and are not in the release."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from server.report.parts import Part

_MEANING: Final[Mapping[str, str]] = {
    "already-released": "it has answered this study before, or was interrupted too often",
    "budget-exceeded": "its budget for life has too little left",
    "expired": "no answer came in time",
    "ledger-broken": "its ledger was altered, or is older than a receipt it gave",
    "local-failure": "something failed there; its own log says what",
    "no-reply": "no answer came in time",
    "node-unavailable": "it could not be reached",
    "study-changed": "it knows a study of this name with other settings",
}


class Refusal(Part):
    """One site that was asked and whose records are not in the release."""

    site: str
    """The site's public name."""
    phase: Literal["hello", "sketch"]
    """At which question it was lost: whether it takes part, or its noisy statistics."""
    reason: str
    """A fixed code; never the site's own text."""

    @property
    def meaning(self) -> str:
        """What the code says in words; empty if it says all by itself."""
        code = self.reason.removeprefix("refused-")
        if code.startswith("policy-"):
            return "its policy does not allow what the study asks for"
        return _MEANING.get(code, "")


def build_refusals(
    left_out: Mapping[str, Mapping[int, str]], site_names: Mapping[int, str]
) -> tuple[Refusal, ...]:
    """Return who did not take part, in the order in which they were lost.

    Args:
        left_out: fixed code per node, by question.
        site_names: the public name of each node.
    """
    return tuple(
        Refusal(site=site_names.get(node, str(node)), phase=phase, reason=reason)
        for phase in ("hello", "sketch")
        for node, reason in sorted(left_out.get(phase, {}).items())
    )
