"""Approvals: who agreed to a looser policy, in a form that a ledger keeps and anyone can check."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from privacy.errors import PolicyViolation
from privacy.keys import PublicKey, SigningKey
from privacy.policy import Policy, find_loosened

__all__ = ["Approval", "approve", "check_change"]


@dataclass(frozen=True, kw_only=True)
class Approval:
    """One approver's signature under one change of policy.

    Args:
        public_key: of the approver.
        signature: over the new policy and the digest of the entry that put the old one in force,
            hexadecimal. So it can be used once, there, and nowhere else.
    """

    public_key: PublicKey
    signature: str

    def to_details(self) -> dict[str, str]:
        """Return the approval as details of a ledger entry."""
        return {"approver": self.public_key.hex, "approval": self.signature}


def approve(policy: Policy, *, replacing: str, key: SigningKey) -> Approval:
    """Sign a new policy; `replacing` is `Ledger.policy_digest` of the one in force."""
    return Approval(public_key=key.public, signature=key.sign(_statement(policy, replacing)).hex())


def check_change(old: Policy, details: Mapping[str, str], replacing: str) -> Policy:
    """Return the new policy in the details of an entry, if it may follow the old one.

    Args:
        old: the policy in force.
        details: `policy` as JSON and, if it is looser, an approval's details.
        replacing: digest of the entry that put the old policy in force.

    Raises:
        PolicyViolation: if it is looser and nobody who may has approved it.
        ValueError: if the policy cannot be read, or changes what is fixed for life.
    """
    new = Policy.from_json(details["policy"])
    loosened = find_loosened(old, new)
    if loosened and not _is_approved(old, new, details, replacing):
        who = ", ".join(approver.name for approver in old.approvers) or "nobody"
        raise PolicyViolation(
            ", ".join(loosened), f"it would be looser without an approval, which {who} may give"
        )
    return new


def _is_approved(old: Policy, new: Policy, details: Mapping[str, str], replacing: str) -> bool:
    try:
        signature = bytes.fromhex(details.get("approval", ""))
    except ValueError:
        return False
    statement = _statement(new, replacing)
    return any(
        approver.public_key == details.get("approver") and approver.key.verify(signature, statement)
        for approver in old.approvers
    )


def _statement(policy: Policy, replacing: str) -> bytes:
    return f"fedsynth policy after {replacing}: {policy.to_json()}".encode()
