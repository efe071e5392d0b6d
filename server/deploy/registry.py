"""Who is admitted: ``sites.toml``, and the file by which a site introduces itself.

A site that was admitted stays in the file for good: a key that was once revoked may never come
back, and receipts of old studies must keep their names.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import tomli_w
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from privacy.keys import fingerprint_of
from server.deploy.folder import ServerFolder
from server.deploy.lock import locked
from server.deploy.server_file import NO_SITES
from synthesis import InputError
from synthesis.durable_file import replace_file
from synthesis.rule_words import say_finding


class Admission(BaseModel):
    """The content of ``admission.toml``, by which a site introduces itself; nothing is secret.

    Attributes:
        name: how the site calls itself.
        node_key: its node's ECDSA P-384 key on one line, as OpenSSH writes it.
        ledger_key: the Ed25519 key that signs its ledger, as 64 hexadecimal digits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=100)]
    node_key: Annotated[str, Field(max_length=1000)]
    ledger_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not (name.strip() and name.isprintable()):
            raise ValueError("it must be printable characters on one line")
        return name

    @field_validator("node_key")
    @classmethod
    def _check_node_key(cls, line: str) -> str:
        if openssh_line(parse_node_key(line)) != line:
            raise ValueError("it must be key type and key on one line, without anything else")
        return line

    @property
    def fingerprint(self) -> str:
        """What people read out to compare both public keys."""
        return fingerprint_of(f"{self.node_key} {self.ledger_key}".encode())


class AdmittedSite(Admission):
    """A site in the registry.

    Attributes:
        node_id: its number at the SuperLink, once it is registered there.
        admitted: when it was admitted.
        revoked: since when it may no longer take part.
    """

    node_id: int | None = None
    admitted: datetime
    revoked: datetime | None = None

    @property
    def public_key(self) -> ec.EllipticCurvePublicKey:
        """The node's key."""
        return parse_node_key(self.node_key)


@dataclass(frozen=True)
class Registry:
    """All sites that were ever admitted, in that order."""

    sites: tuple[AdmittedSite, ...] = ()

    @property
    def active(self) -> tuple[AdmittedSite, ...]:
        """Those that are not revoked."""
        return tuple(site for site in self.sites if site.revoked is None)

    def find(self, name: str) -> AdmittedSite:
        """Return the site of that name.

        Raises:
            InputError: if there is none.
        """
        for site in self.sites:
            if site.name == name:
                return site
        known = ", ".join(site.name for site in self.sites) or "no site yet"
        raise InputError(
            f"name must be that of an admitted site, got {name!r:.100}; known are: {known}.",
            argument="name",
        )

    def add(self, admission: Admission) -> Registry:
        """Return the registry with one more site.

        Raises:
            InputError: if its name or one of its keys is known already.
        """
        for site in self.sites:
            for field in ("name", "node_key", "ledger_key"):
                if getattr(site, field) == getattr(admission, field):
                    state = "was revoked" if site.revoked else "is admitted already"
                    raise InputError(
                        f"{field} must be new, and that of the site {site.name!r} is the same, "
                        f"which {state}; a site that comes back needs new keys and a new name.",
                        argument=field,
                    )
        now = datetime.now(UTC).replace(microsecond=0)
        new = AdmittedSite(
            **admission.model_dump(include=set(Admission.model_fields)), admitted=now
        )
        return Registry((*self.sites, new))

    def revoke(self, name: str) -> Registry:
        """Return the registry with a site revoked; one that was revoked before stays as it is."""
        site = self.find(name)
        since = site.revoked or datetime.now(UTC).replace(microsecond=0)
        return self.replace(site.model_copy(update={"revoked": since}))

    def replace(self, site: AdmittedSite) -> Registry:
        """Return the registry with the site of that name replaced."""
        return Registry(tuple(site if s.name == site.name else s for s in self.sites))


def load_registry(server: ServerFolder) -> Registry:
    """Read ``sites.toml``.

    Raises:
        InputError: if it is missing or cannot be used.
    """
    file = server.sites_file
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
        sites = content.pop("sites", [])
        if content or not isinstance(sites, list):
            raise InputError(
                f"{file} must hold [[sites]] and nothing else; restore it.", argument="sites"
            )
        return Registry(tuple(map(AdmittedSite.model_validate, sites)))
    except ValidationError as error:
        reason = say_finding(error.errors(include_url=False)[0])
    except OSError as error:
        reason = str(error.strerror)
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        reason = str(error)
    raise InputError(f"{file} cannot be used ({reason}); restore it.", argument="sites")


@contextmanager
def changing(server: ServerFolder) -> Iterator[list[Registry]]:
    """Hold the registry for a change: a list of one, which is written at the end if it differs."""
    with locked(server.run / "sites.lock"):
        before = load_registry(server)
        held = [before]
        yield held
        if held[0] != before:
            replace_file(server.sites_file, _render(held[0]).encode())


def parse_admission(text: str) -> Admission:
    """Return what a site hands over.

    Raises:
        InputError: if it is not of that form.
    """
    try:
        return Admission.model_validate(tomllib.loads(text))
    except ValidationError as error:
        reason = say_finding(error.errors(include_url=False)[0])
    except tomllib.TOMLDecodeError as error:
        reason = str(error)
    raise InputError(
        f"admission must hold name, node_key and ledger_key, as in the admission.toml of a site, "
        f"and it cannot be used ({reason}); ask the site for it again.",
        argument="admission",
    )


def parse_node_key(line: str) -> ec.EllipticCurvePublicKey:
    """Return a node's public key from its OpenSSH line.

    Raises:
        ValueError: if it is no ECDSA P-384 key.
    """
    try:
        key = serialization.load_ssh_public_key(line.encode("ascii"))
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP384R1)):
        raise ValueError("it must be a line that begins with ecdsa-sha2-nistp384")
    return key


def openssh_line(key: ec.EllipticCurvePublicKey) -> str:
    """Return a public key on one line, as OpenSSH writes it."""
    return key.public_bytes(
        serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH
    ).decode("ascii")


def read_admission(file: Path) -> Admission:
    """Read the file that a site handed over.

    Raises:
        InputError: if it cannot be read or used.
    """
    try:
        return parse_admission(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no text"
        raise InputError(
            f"admission must be a file that can be read, and {file} is not ({reason}).",
            argument="admission",
        ) from None


def _render(registry: Registry) -> str:
    sites = [site.model_dump(exclude_none=True) for site in registry.sites]
    return NO_SITES + tomli_w.dumps({"sites": sites})
