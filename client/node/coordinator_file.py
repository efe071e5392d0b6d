"""``coordinator.toml``: where a site's coordinator is, and by what the site knows it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Annotated

from cryptography import x509
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from synthesis import InputError
from synthesis.durable_file import replace_file
from synthesis.rule_words import say_finding

COORDINATOR_FILE = "coordinator.toml"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:.]+\])"
_ADDRESS = re.compile(rf"^{_HOST}:(\d{{1,5}})$")
_MOST_BYTES = 1_000_000
Hex = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Coordinator(BaseModel):
    """The content of ``coordinator.toml``, which ``fedsynth server init`` writes.

    Attributes:
        address: ``host:port`` of the coordinator, reached by TLS.
        bundles: SHA-256 of every bundle under which its studies may run.
        public_key: Ed25519 key with which the coordinator signs.
        certificate: PEM of the authority that signed the coordinator's certificate.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    address: str
    bundles: Annotated[tuple[Hex, ...], Field(min_length=1)]
    public_key: Hex
    certificate: str

    @field_validator("address")
    @classmethod
    def _check_address(cls, address: str) -> str:
        found = _ADDRESS.match(address)
        if found is None or not 0 < int(found.group(1)) < 65536:
            raise ValueError(f"it must be host:port, such as study.example.org:8443: {address!r}")
        return address

    @field_validator("certificate")
    @classmethod
    def _check_certificate(cls, certificate: str) -> str:
        try:
            x509.load_pem_x509_certificates(certificate.encode("ascii"))
        except ValueError:
            raise ValueError("it must be a certificate in PEM form") from None
        return certificate


def load_coordinator(path: Path) -> Coordinator:
    """Read a coordinator's file.

    Raises:
        InputError: if it is missing, or says something it must not.
    """
    return _parse(_read(path), path)


def adopt_coordinator(source: Path, folder: Path) -> Coordinator:
    """Check a coordinator's file and copy it into a site's folder.

    Raises:
        InputError: if it cannot be used; nothing is written.
    """
    content = _read(source)
    coordinator = _parse(content, source)
    replace_file(folder / COORDINATOR_FILE, content)
    return coordinator


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_MOST_BYTES)
    except OSError as error:
        raise InputError(
            f"coordinator file must be at {path}, and it cannot be read ({error.strerror}); ask "
            f"the coordinator for {COORDINATOR_FILE} and put it there.",
            argument="coordinator",
        ) from None


def _parse(content: bytes, path: Path) -> Coordinator:
    try:
        return Coordinator.model_validate(tomllib.loads(content.decode("utf-8")))
    except ValidationError as error:
        reason = say_finding(error.errors(include_url=False)[0])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reason = f"it is not valid TOML: {error}"
    raise InputError(
        f"coordinator file {path} cannot be used: {reason}; ask the coordinator for it again.",
        argument="coordinator",
    )
