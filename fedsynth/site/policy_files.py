"""Requests and approvals of a policy as files, so that an approver need not sit at the site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from privacy import Approval, Policy, PublicKey
from synthesis import InputError

_Hex64 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class PolicyRequest(BaseModel):
    """What a site asks an approver to sign.

    Attributes:
        format: which kind of file this is.
        site: name of the site.
        dataset: name of its data set.
        replacing: digest of the ledger entry that put the policy in force; a signature holds for
            that place only.
        in_force: the policy now, as the site says.
        asked: the policy to be signed.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal["fedsynth-policy-request-1"] = "fedsynth-policy-request-1"
    site: str
    dataset: str
    replacing: _Hex64
    in_force: Policy
    asked: Policy


class PolicyApproval(BaseModel):
    """An approver's answer.

    Attributes:
        format: which kind of file this is.
        policy: what was signed.
        public_key: of the approver.
        signature: hexadecimal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    format: Literal["fedsynth-policy-approval-1"] = "fedsynth-policy-approval-1"
    policy: Policy
    public_key: _Hex64
    signature: Annotated[str, Field(pattern=r"^[0-9a-f]{128}$")]

    @property
    def approval(self) -> Approval:
        """The signature in the form that a ledger takes."""
        return Approval(public_key=PublicKey(self.public_key), signature=self.signature)


_File = TypeVar("_File", PolicyRequest, PolicyApproval)


def read_policy_file(path: Path, kind: type[_File], *, argument: str) -> _File:
    """Read a request or an approval.

    Raises:
        InputError: if the file is missing or is not one.
    """
    try:
        return kind.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{argument} file {path} cannot be read: {error.strerror}; check the path.",
            argument=argument,
        ) from None
    except (ValidationError, UnicodeDecodeError):
        raise InputError(
            f"{argument} file {path} is not one that 'fedsynth site policy' wrote, or was changed; "
            "ask for it again.",
            argument=argument,
        ) from None


def write_policy_file(content: PolicyRequest | PolicyApproval, path: Path) -> None:
    """Write a request or an approval."""
    path.write_text(content.model_dump_json(indent=2) + "\n", encoding="utf-8")
