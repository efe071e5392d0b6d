"""The folder of a coordinator: what lies where, and the settings in ``server.toml``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from privacy import SigningKey
from privacy.secret_files import check_secret, read_secret
from synthesis import InputError
from synthesis.rule_words import say_place, say_rule

SERVER_FILE = "server.toml"
LOOPBACK = "127.0.0.1"
_HOST = re.compile(r"^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|[0-9A-Fa-f:.]+)$")
Port = Annotated[int, Field(ge=1, le=65535)]


class ServerConfig(BaseModel):
    """The content of ``server.toml``.

    Attributes:
        name: how the coordinator calls itself.
        host: name or address under which sites reach it.
        addresses: further names and addresses in its certificate.
        port: where sites reach it.
        listen: address of this machine that the proxy listens on.
        superlink_port: where the SuperLink listens, on the loopback interface only.
        days: how long a server certificate is valid.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=100)]
    host: str
    addresses: tuple[str, ...] = ()
    port: Port = 8443
    listen: str = "0.0.0.0"
    superlink_port: Port = 18443
    days: Annotated[int, Field(ge=1, le=3650)] = 825

    @field_validator("name")
    @classmethod
    def _check_name(cls, name: str) -> str:
        if not (name.strip() and name.isprintable()):
            raise ValueError("it must be printable characters on one line")
        return name

    @field_validator("host", "listen")
    @classmethod
    def _check_host(cls, host: str) -> str:
        if _HOST.match(host) is None:
            raise ValueError(f"it must be a host name or an IP address, got {host!r:.80}")
        return host

    @field_validator("addresses")
    @classmethod
    def _check_addresses(cls, addresses: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(cls._check_host, addresses))

    @field_validator("superlink_port")
    @classmethod
    def _check_ports(cls, port: int, info: object) -> int:
        if getattr(info, "data", {}).get("port") == port:
            raise ValueError(f"it must differ from port, got {port} for both")
        return port

    @property
    def address(self) -> str:
        """``host:port`` as sites use it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, kw_only=True)
class ServerFolder:
    """A coordinator's folder: absolute path and settings; the rest follows from them."""

    path: Path
    config: ServerConfig

    @property
    def authority(self) -> Path:
        """The coordinator's own certificate authority; sites trust it and no other."""
        return self.path / "ca" / "ca.pem"

    @property
    def authority_key(self) -> Path:
        """Its private key."""
        return self.path / "ca" / "ca.key"

    @property
    def certificate(self) -> Path:
        """The certificate that proxy and SuperLink show."""
        return self.path / "tls" / "server.pem"

    @property
    def certificate_key(self) -> Path:
        """Its private key."""
        return self.path / "tls" / "server.key"

    @property
    def signing_key_file(self) -> Path:
        """The key with which the coordinator signs."""
        return self.path / "keys" / "coordinator.pem"

    @property
    def secret_file(self) -> Path:
        """What lets a process take over a run at the SuperLink."""
        return self.path / "keys" / "superexec.secret"

    @property
    def handout(self) -> Path:
        """The file that sites get."""
        return self.path / "coordinator.toml"

    @property
    def sites_file(self) -> Path:
        """Who is admitted."""
        return self.path / "sites.toml"

    @property
    def nginx_file(self) -> Path:
        """The proxy's configuration."""
        return self.path / "nginx" / "nginx.conf"

    @property
    def superlink(self) -> Path:
        """The SuperLink's own folder."""
        return self.path / "superlink"

    @property
    def logs(self) -> Path:
        """Logs of both processes."""
        return self.path / "logs"

    @property
    def run(self) -> Path:
        """Process ids and locks."""
        return self.path / "run"

    @property
    def studies(self) -> Path:
        """One folder for each study: checkpoint and events."""
        return self.path / "studies"

    @property
    def superlink_address(self) -> str:
        """Where this machine reaches the SuperLink."""
        return f"{LOOPBACK}:{self.config.superlink_port}"

    def load_signing_key(self) -> SigningKey:
        """Read the key with which the coordinator signs.

        Raises:
            InputError: if it is missing, open to others, or no such key.
        """
        try:
            return SigningKey.load(self.signing_key_file)
        except ValueError as error:
            raise InputError(f"{error}.", argument="server") from None

    def read_superexec_secret(self) -> bytes:
        """Read what lets this process take over a run.

        Raises:
            InputError: if it is missing or open to others.
        """
        try:
            return read_secret(self.secret_file)
        except ValueError as error:
            raise InputError(f"{error}.", argument="server") from None

    def check_secrets(self) -> None:
        """Raise InputError if a private file is missing or open to others."""
        private = [
            self.authority_key,
            self.certificate_key,
            self.signing_key_file,
            self.secret_file,
        ]
        try:
            for path in private:
                check_secret(path)
        except ValueError as error:
            raise InputError(f"{error}.", argument="server") from None


def load_server(folder: str | Path) -> ServerFolder:
    """Read a coordinator's folder.

    Raises:
        InputError: if there is none, or its settings cannot be used.
    """
    path = Path(folder).resolve()
    file = path / SERVER_FILE
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"server must be a folder made by 'fedsynth server init', and {file} cannot be read "
            f"({error.strerror}).",
            argument="server",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{file} is not valid TOML: {error}; correct it.", argument="server"
        ) from None
    return ServerFolder(path=path, config=parse_server_config(content, where=str(file)))


def parse_server_config(content: object, *, where: str) -> ServerConfig:
    """Return checked settings.

    Raises:
        InputError: naming the first setting that cannot be used.
    """
    try:
        return ServerConfig.model_validate(content)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = say_place(first["loc"]) or "settings"
        said = say_rule(first) if first["type"] == "value_error" else f"it {say_rule(first)}"
        raise InputError(
            f"{name} in {where} cannot be used: {said}; correct it.",
            argument=name,
        ) from None
