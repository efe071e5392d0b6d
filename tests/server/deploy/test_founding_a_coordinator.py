"""A coordinator's folder: certificates that sites can verify, settings that hold, secrets kept."""

from __future__ import annotations

import ipaddress
import socket
import stat
import subprocess
import tomllib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import tomli_w
from coordinators import free_ports, make_server
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError
from services import need

from privacy import PublicKey
from server.deploy.bundle import build_bundle, bundle_hash
from server.deploy.certificates import make_authority, make_server_certificate
from server.deploy.folder import load_server
from server.deploy.founding import refresh_handout, renew_certificate
from server.deploy.parts import Part, proxy_part, superlink_part
from server.deploy.proxy import find_nginx, render_nginx
from server.deploy.server_file import render_server_file
from synthesis import InputError


def verify(authority: bytes, certificate: bytes, host: str, when: datetime | None = None) -> None:
    store = Store([x509.load_pem_x509_certificate(authority)])
    try:
        subject: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        subject = x509.DNSName(host)
    verifier = (
        PolicyBuilder()
        .store(store)
        .time((when or datetime.now(UTC)).replace(tzinfo=None))
        .build_server_verifier(subject)
    )
    verifier.verify(x509.load_pem_x509_certificate(certificate), [])


@pytest.mark.parametrize("host", ["study.example.org", "10.1.2.3", "::1", "localhost", "127.0.0.1"])
def test_sites_can_verify_the_certificate_under_every_name(host: str) -> None:
    authority = make_authority("lab")
    hosts = ["study.example.org", "10.1.2.3", "::1"]
    issued = make_server_certificate(authority, hosts, days=825)
    verify(authority.certificate, issued.certificate, host)
    slow_clock = datetime.now(UTC) - timedelta(hours=23)
    verify(authority.certificate, issued.certificate, host, when=slow_clock)


def test_a_certificate_holds_for_no_other_name_time_or_authority() -> None:
    authority = make_authority("lab")
    issued = make_server_certificate(authority, ["study.example.org"], days=30)
    for host, signer, days in (
        ("other.example.org", authority, 0),
        ("study.example.org", make_authority("lab"), 0),
        ("study.example.org", authority, 31),
        ("study.example.org", authority, -2),
    ):
        with pytest.raises(VerificationError):
            when = datetime.now(UTC) + timedelta(days=days)
            verify(signer.certificate, issued.certificate, host, when=when)


def test_the_authority_signs_servers_only_and_lasts_ten_years() -> None:
    certificate = x509.load_pem_x509_certificate(make_authority("lab").certificate)
    basic = certificate.extensions.get_extension_for_class(x509.BasicConstraints)
    assert basic.critical and basic.value.ca and basic.value.path_length == 0
    assert isinstance(certificate.public_key(), ec.EllipticCurvePublicKey)
    years = (certificate.not_valid_after_utc - datetime.now(UTC)) / timedelta(days=365.25)
    assert 9.9 < years < 10.1


def test_everything_in_a_new_folder_is_closed_to_others(tmp_path: Path) -> None:
    server = make_server(tmp_path / "server")
    for path in [server.path, *server.path.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path
    server.check_secrets()
    server.secret_file.chmod(0o640)
    with pytest.raises(InputError, match="0600"):
        server.check_secrets()


def test_settings_come_back_as_they_were_written(tmp_path: Path) -> None:
    server = make_server(tmp_path / "server", addresses=["study.example.org", "10.1.2.3"])
    assert load_server(server.path) == server
    text = (server.path / "server.toml").read_text()
    assert text == render_server_file(server.config)
    assert text.count("\n# ") >= len(type(server.config).model_fields)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("port = 70000", "port"),
        ("port = 1\nsuperlink_port = 1", "superlink_port"),
        ('host = "a b"', "host"),
        ('host = "x;}"', "host"),
        ('listen = "0.0.0.0; include /etc/passwd"', "listen"),
        ("color = 1", "color"),
        ('name = "a\\nb"', "name"),
    ],
)
def test_settings_that_cannot_be_used_are_named(tmp_path: Path, line: str, word: str) -> None:
    content = {"name": "a", "host": "b"} | tomllib.loads(line)
    (tmp_path / "server.toml").write_text(tomli_w.dumps(content))
    with pytest.raises(InputError, match=word) as error:
        load_server(tmp_path)
    assert error.value.argument == word


def test_nothing_is_ever_overwritten(tmp_path: Path) -> None:
    server = make_server(tmp_path / "server")
    before = server.signing_key_file.read_bytes()
    with pytest.raises(InputError, match="new or empty"):
        make_server(server.path)
    assert server.signing_key_file.read_bytes() == before


def test_sites_get_address_bundle_key_and_authority(tmp_path: Path) -> None:
    server = make_server(tmp_path / "server", host="10.1.2.3", port=9443)
    handout = tomllib.loads(server.handout.read_text())
    assert handout == {
        "address": "10.1.2.3:9443",
        "bundles": [bundle_hash()],
        "public_key": server.load_signing_key().public.hex,
        "certificate": server.authority.read_text(),
    }
    PublicKey(handout["public_key"])
    assert not refresh_handout(server)
    server.handout.unlink()
    assert refresh_handout(server)


def test_a_renewed_certificate_has_a_new_key_and_the_old_authority(tmp_path: Path) -> None:
    server = make_server(tmp_path / "server")
    old, authority = server.certificate_key.read_bytes(), server.authority.read_bytes()
    until = renew_certificate(server)
    assert server.certificate_key.read_bytes() != old
    assert server.authority.read_bytes() == authority
    assert until > datetime.now(UTC) + timedelta(days=820)
    verify(authority, server.certificate.read_bytes(), "localhost")
    assert stat.S_IMODE(server.certificate_key.stat().st_mode) == 0o600


def test_nginx_accepts_its_configuration(tmp_path: Path) -> None:
    need("nginx")
    server = make_server(tmp_path / "server")
    command = [find_nginx(), "-t", "-e", str(server.logs / "proxy-error.log"), "-c"]
    ended = subprocess.run([*command, str(server.nginx_file)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "warn" not in ended.stderr
    assert "client_max_body_size 16m" in render_nginx(server)


def test_a_path_that_nginx_would_misread_is_refused_before_anything_is_written(
    tmp_path: Path,
) -> None:
    with pytest.raises(InputError, match="without spaces"):
        make_server(tmp_path / "my server")
    assert not (tmp_path / "my server").exists()


def test_the_bundle_has_the_same_bytes_every_time() -> None:
    assert build_bundle() == build_bundle()
    assert len(build_bundle()) < 5000
    assert b"the installed package runs" in build_bundle().lower()


def test_a_port_that_is_taken_is_named(tmp_path: Path) -> None:
    server = make_server(tmp_path / "server")
    with socket.socket() as other:
        other.bind(("127.0.0.1", server.config.superlink_port))
        other.listen()
        with pytest.raises(InputError, match=f"{server.config.superlink_port} on 127.0.0.1"):
            superlink_part(server).check_port()
    superlink_part(server).check_port()


def test_the_superlink_listens_on_loopback_and_asks_sites_who_they_are(tmp_path: Path) -> None:
    command = superlink_part(make_server(tmp_path / "server")).command
    assert command[command.index("--host") + 1] == "127.0.0.1"
    assert command[command.index("--isolation") + 1] == "process"
    assert {"--enable-supernode-auth", "--disable-runtime-dependency-installation"} <= {*command}
    assert "--insecure" not in command


def test_without_nginx_a_sentence_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = make_server(tmp_path / "server")
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr("server.deploy.proxy._PLACES", ())
    with pytest.raises(InputError, match="apt-get install nginx"):
        proxy_part(server)


def test_what_a_process_said_last_is_kept_closed_to_others(tmp_path: Path) -> None:
    server = make_server(tmp_path / "server")
    part = Part(
        name="teller",
        command=("sh", "-c", "echo first; echo last >&2; touch made"),
        environment={},
        server=server,
        address=("127.0.0.1", free_ports(1)[0]),
        answers=lambda: False,
    )
    assert part.launch().wait() == 0
    assert part.last_words(1) == "last"
    assert stat.S_IMODE(part.log.stat().st_mode) == 0o600
    assert stat.S_IMODE((server.path / "made").stat().st_mode) == 0o600
    assert part.pid_file.running() is None
