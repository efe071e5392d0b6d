"""The node's files: keys, the coordinator's file, the lock, the journal, and the environment."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import tomli_w
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from real_superlink import write_certificates

from client.node import journal as journals
from client.node.coordinator_file import COORDINATOR_FILE, adopt_coordinator, load_coordinator
from client.node.environment import check_flower
from client.node.journal import Journal, is_alive, read_status, start_log, stop_log
from client.node.keys import (
    ADMISSION_FILE,
    NODE_KEY_FILE,
    admission_fingerprint,
    load_node_key,
    make_node_key,
    public_line,
)
from client.node.lock import hold_site
from privacy import SigningKey
from synthesis import InputError

ROOT = Path(__file__).parents[3]
LEDGER_KEY = SigningKey.generate().public


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> str:
    return write_certificates(tmp_path_factory.mktemp("tls"))


def test_the_admission_introduces_both_keys_and_no_secret(tmp_path: Path) -> None:
    make_node_key(tmp_path, name="clinic-a", ledger_key=LEDGER_KEY)
    text = (tmp_path / ADMISSION_FILE).read_text()
    content = tomllib.loads(text)
    key = load_node_key(tmp_path)
    assert content == {
        "name": "clinic-a",
        "node_key": public_line(key),
        "ledger_key": LEDGER_KEY.hex,
    }
    loaded = serialization.load_ssh_public_key(content["node_key"].encode())
    assert isinstance(loaded, ec.EllipticCurvePublicKey)
    assert loaded == key.public_key() and loaded.curve.name == "secp384r1"
    assert "PRIVATE" not in text


def test_two_admissions_have_two_fingerprints() -> None:
    one = admission_fingerprint("ecdsa a", "00")
    assert one != admission_fingerprint("ecdsa a", "01")
    assert one != admission_fingerprint("ecdsa b", "00")
    assert len(one) == 39


def test_a_node_key_that_others_may_read_is_refused(tmp_path: Path) -> None:
    make_node_key(tmp_path, name="a", ledger_key=LEDGER_KEY)
    (tmp_path / NODE_KEY_FILE).chmod(0o640)
    with pytest.raises(InputError, match="closed to others"):
        load_node_key(tmp_path)


@pytest.mark.parametrize("kind", ["text", "ed25519", "p256"])
def test_a_node_key_of_another_kind_is_refused(tmp_path: Path, kind: str) -> None:
    make_node_key(tmp_path, name="a", ledger_key=LEDGER_KEY)
    content = b"no key"
    if kind != "text":
        ed, p256 = ed25519.Ed25519PrivateKey.generate(), ec.generate_private_key(ec.SECP256R1())
        content = (ed if kind == "ed25519" else p256).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    (tmp_path / NODE_KEY_FILE).write_bytes(content)
    with pytest.raises(InputError, match=r"node\.pem"):
        load_node_key(tmp_path)


def write_coordinator(path: Path, pem: str, **changes: Any) -> Path:
    content: dict[str, Any] = {
        "address": "study.example.org:8443",
        "bundles": ["ab" * 32],
        "public_key": "cd" * 32,
        "certificate": pem,
    }
    path.write_text(tomli_w.dumps(content | changes))
    return path


@pytest.mark.parametrize("address", ["study.example.org:8443", "127.0.0.1:1", "[::1]:8443"])
def test_a_coordinators_file_is_copied_as_it_is(
    tmp_path: Path, certificate: str, address: str
) -> None:
    source = write_coordinator(tmp_path / "given.toml", certificate, address=address)
    (tmp_path / "site").mkdir()
    adopt_coordinator(source, tmp_path / "site")
    copy = tmp_path / "site" / COORDINATOR_FILE
    assert copy.read_bytes() == source.read_bytes()
    assert load_coordinator(copy).address == address


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"address": "https://study.example.org"}, "host:port"),
        ({"address": "study.example.org:0"}, "host:port"),
        ({"address": "study.example.org:99999"}, "host:port"),
        ({"address": "user@host:1"}, "host:port"),
        ({"bundles": []}, "bundles"),
        ({"bundles": ["xy"]}, "bundles"),
        ({"public_key": ""}, "public_key"),
        ({"certificate": "none"}, "PEM"),
        ({"more": 1}, "more"),
    ],
)
def test_a_coordinators_file_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, certificate: str, changes: dict[str, Any], words: str
) -> None:
    path = write_coordinator(tmp_path / "given.toml", certificate, **changes)
    with pytest.raises(InputError, match=r"given\.toml") as caught:
        adopt_coordinator(path, tmp_path)
    assert words in str(caught.value)
    assert not (tmp_path / COORDINATOR_FILE).exists()


def test_a_coordinators_file_that_is_not_there_or_no_toml(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="ask the coordinator"):
        load_coordinator(tmp_path / "none")
    (tmp_path / "bad").write_bytes(b"\xff=")
    with pytest.raises(InputError, match="not valid TOML"):
        load_coordinator(tmp_path / "bad")


def test_a_second_node_in_the_same_folder_is_refused_until_the_first_is_gone(
    tmp_path: Path,
) -> None:
    with hold_site(tmp_path):
        with pytest.raises(InputError, match="has joined a study in another process"):
            with hold_site(tmp_path):
                pass
    with hold_site(tmp_path):
        pass


def test_events_and_status_are_private_and_events_start_anew_when_they_are_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journals, "MOST_BYTES", 500)
    journal = Journal(tmp_path, study="s", coordinator="there:1")
    for number in range(20):
        journal.event("question", type="train", number=number)
    journal.state("waiting", "waiting")
    journal.close()
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert len(files) > 3
    assert {stat.S_IMODE(p.stat().st_mode) for p in files} == {0o600}
    assert all(p.stat().st_size <= 500 for p in (tmp_path / "logs").iterdir())
    for line in (tmp_path / "logs/events.jsonl").read_text().splitlines():
        assert {"time", "event", "study", "type"} <= set(json.loads(line))


def test_a_state_begins_when_it_begins(tmp_path: Path) -> None:
    journal = Journal(tmp_path, study="s", coordinator="there:1", restarts=2)
    assert read_status(tmp_path) is None
    journal.state("waiting", "one")
    first = read_status(tmp_path)
    journal.state("waiting", "two")
    second = read_status(tmp_path)
    journal.close()
    assert first is not None and second is not None
    assert (first.since, first.restarts) == (second.since, 2)
    assert second.detail == "two"
    assert is_alive(second.pid)


def test_headers_of_http_libraries_never_reach_the_log(tmp_path: Path) -> None:
    handler = start_log(tmp_path)
    try:
        logging.getLogger("client.node.x").warning("ours")
        for name in ("httpx", "httpcore", "httpcore.http11", "flwr", "pandas"):
            logging.getLogger(name).debug("authorization: secret")
            logging.getLogger(name).error("authorization: secret")
    finally:
        stop_log(handler)
    text = (tmp_path / "logs/site.log").read_text()
    assert "ours" in text and "secret" not in text


def test_another_flower_is_refused_with_the_way_out() -> None:
    check_flower("1.41.7")
    with pytest.raises(InputError, match=r"1\.42\.0 is installed; install it with"):
        check_flower("1.42.0")


def test_switches_are_set_before_flower_reads_them(tmp_path: Path) -> None:
    text = (
        "import sys; from pathlib import Path;"
        "from client.node.environment import prepare_environment;"
        "assert 'flwr' not in sys.modules;"
        f"prepare_environment(Path({str(tmp_path)!r}));"
        "import flwr.supercore.telemetry as t, os; print(t.FLWR_TELEMETRY_ENABLED,"
        "os.environ['FLWR_DISABLE_UPDATE_CHECK'], os.environ['FLWR_HOME'])"
    )
    clean = {k: v for k, v in os.environ.items() if not k.startswith("FLWR_")}
    done = subprocess.run(
        [sys.executable, "-c", text],
        cwd=ROOT,
        env=clean | {"FLWR_TELEMETRY_ENABLED": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["0", "1", str(tmp_path.resolve() / "state/flower")]
