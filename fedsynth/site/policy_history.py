"""Which policies were ever in force in a ledger, since when, and who approved them."""

from __future__ import annotations

from dataclasses import dataclass

from privacy import Policy, State
from privacy.ledger_book import Book


@dataclass(frozen=True, kw_only=True)
class PolicyPeriod:
    """A policy from the moment at which it came into force.

    Attributes:
        since: UTC, ISO 8601.
        policy: what was allowed from then on.
        approver: who signed it; empty if nobody had to.
    """

    since: str
    policy: Policy
    approver: str = ""


def policies_of(book: Book) -> tuple[PolicyPeriod, ...]:
    """Return all policies of a verified ledger, oldest first."""
    found = [PolicyPeriod(since=book.entries[0].time, policy=book.header.policy)]
    for entry in book.entries:
        if entry.state is State.POLICY:
            names = {a.public_key: a.name for a in found[-1].policy.approvers}
            found.append(
                PolicyPeriod(
                    since=entry.time,
                    policy=Policy.from_json(entry.details["policy"]),
                    approver=names.get(entry.details.get("approver", ""), ""),
                )
            )
    return tuple(found)
