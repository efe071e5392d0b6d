"""The registry: who is in, who was, and that nobody comes in twice."""

from __future__ import annotations

from pathlib import Path

import pytest
import tomli_w
from coordinators import make_server
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from fake_node import FakeNode

from server.deploy.admitting import admit, revoke
from server.deploy.folder import ServerFolder
from server.deploy.process_records import PidFile
from server.deploy.registry import (
    Admission,
    AdmittedSite,
    Registry,
    load_registry,
    openssh_line,
    parse_admission,
    read_admission,
)
from server.deploy.status import read_status
from synthesis import InputError


@pytest.fixture
def server(tmp_path: Path) -> ServerFolder:
    return make_server(tmp_path / "server")


def test_a_site_that_is_admitted_waits_for_the_start_when_nothing_runs(
    server: ServerFolder,
) -> None:
    admission = FakeNode(name="clinic").admission
    site = admit(server, admission)
    assert site.node_id is None
    assert load_registry(server).sites == (site,)
    assert load_registry(server).active == (site,)
    status = read_status(server)
    assert status.public_key == server.load_signing_key().public
    assert status.admitted == ("clinic",)
    assert not (status.superlink or status.proxy or status.supervised)


@pytest.mark.parametrize("field", ["name", "node_key", "ledger_key"])
def test_no_name_or_key_is_admitted_twice_not_even_after_revoking(
    server: ServerFolder, field: str
) -> None:
    first, second = FakeNode(name="a").admission, FakeNode(name="b").admission
    admit(server, first)
    same = second.model_copy(update={field: getattr(first, field)})
    for word in ("admitted already", "was revoked"):
        with pytest.raises(InputError, match=word) as error:
            admit(server, same)
        assert error.value.argument == field
        assert revoke(server, "a") is False
    assert len(load_registry(server).sites) == 1


def test_who_is_revoked_stays_in_the_file_and_is_not_active(server: ServerFolder) -> None:
    admit(server, FakeNode(name="a").admission)
    admit(server, FakeNode(name="b").admission)
    revoke(server, "a")
    since = load_registry(server).find("a").revoked
    revoke(server, "a")
    registry = load_registry(server)
    assert [site.name for site in registry.active] == ["b"]
    assert registry.find("a").revoked == since is not None
    with pytest.raises(InputError, match="known are: a, b"):
        revoke(server, "c")


def test_large_node_ids_come_back_as_they_were() -> None:
    site = AdmittedSite.model_validate(
        FakeNode(name="a").admission.model_dump() | {"admitted": "2026-01-01T00:00:00Z"}
    )
    large = site.model_copy(update={"node_id": 2**64 - 1})
    assert Registry((site,)).replace(large).sites[0].node_id == 2**64 - 1


def test_the_fingerprint_is_the_one_that_sites_read_out() -> None:
    made_up = Admission.model_construct(
        name="x", node_key="ecdsa-sha2-nistp384 AAAA", ledger_key="00"
    )
    assert made_up.fingerprint == "17bf-21e8-cab6-2987-7d0b-0fa4-85c6-25aa"


def lines(**changes: object) -> str:
    return tomli_w.dumps(FakeNode(name="clinic").admission.model_dump() | changes)


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "name"),
        ("name = ", "Invalid value"),
        (lines(name="a\nb"), "name"),
        (lines(name=""), "name"),
        (lines(name="x" * 101), "name"),
        (lines(ledger_key="AB" * 32), "ledger_key"),
        (lines(node_key="ssh-rsa AAAA"), "node_key"),
        (lines(node_key=openssh_line(ec.generate_private_key(ec.SECP256R1()).public_key())), "384"),
        (lines(more=1), "more"),
    ],
)
def test_an_admission_of_another_form_is_refused(text: str, word: str) -> None:
    with pytest.raises(InputError, match=word):
        parse_admission(text)


def test_a_comment_behind_a_key_is_refused_for_the_fingerprint_covers_the_line() -> None:
    admission = FakeNode(name="clinic").admission
    text = tomli_w.dumps(admission.model_dump() | {"node_key": f"{admission.node_key} me@here"})
    with pytest.raises(InputError, match="without anything else"):
        parse_admission(text)


def test_an_ed25519_key_is_no_node_key() -> None:
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    with pytest.raises(InputError, match="node_key"):
        parse_admission(lines(node_key=openssh_line(key)))  # type: ignore[arg-type]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        read_admission(tmp_path / "admission.toml")


def test_a_damaged_registry_is_not_taken_for_an_empty_one(server: ServerFolder) -> None:
    for text in ("[[sites]]\nname = 'a'\n", "sites = 3\n", "oops", "other = 1\n"):
        server.sites_file.write_text(text)
        with pytest.raises(InputError, match="restore it"):
            load_registry(server)
    server.sites_file.unlink()
    with pytest.raises(InputError, match="restore it"):
        load_registry(server)


def test_a_process_id_that_is_used_again_is_not_ours(tmp_path: Path) -> None:
    import json
    import os

    file = PidFile(tmp_path / "x.pid")
    file.write(os.getpid())
    assert file.running() == os.getpid()
    content = json.loads(file.path.read_text())
    file.path.write_text(json.dumps(content | {"began": "another boot 1"}))
    assert file.running() is None
    assert file.stop() is False  # and this process still runs
    file.path.write_text("nonsense")
    assert file.running() is None
