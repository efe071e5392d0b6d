"""Keys: a signature holds for one owner and one text, and the private half stays private."""

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from signed_ledgers import KEY, OTHER_KEY

from privacy import PublicKey, SigningKey


def test_a_signature_holds_for_its_owner_and_its_text_only() -> None:
    signature = KEY.sign(b"text")
    assert len(signature) == 64
    assert KEY.public.verify(signature, b"text")
    assert not KEY.public.verify(signature, b"text ")
    assert not OTHER_KEY.public.verify(signature, b"text")
    for broken in (b"", signature[:-1], signature + b"0", bytes(64), signature[::-1]):
        assert not KEY.public.verify(broken, b"text")


def test_a_key_that_is_no_point_verifies_nothing() -> None:
    assert not PublicKey("f" * 64).verify(KEY.sign(b"text"), b"text")


@pytest.mark.parametrize("text", ["", "ab", "g" * 64, "A" * 64, " " * 64, "a" * 65])
def test_a_public_key_is_64_hexadecimal_digits(text: str) -> None:
    with pytest.raises(ValueError, match="public key must be 64 lower-case hexadecimal digits"):
        PublicKey(text)


def test_keys_are_different_unless_they_come_from_the_same_seed() -> None:
    assert SigningKey.generate().public != SigningKey.generate().public
    assert SigningKey.from_seed(b"s" * 32).public == SigningKey.from_seed(b"s" * 32).public
    assert KEY.public.fingerprint != OTHER_KEY.public.fingerprint
    groups = KEY.public.fingerprint.split("-")
    assert [len(group) for group in groups] == [4] * 8


def test_a_key_survives_its_file(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "site.pem"
    KEY.save(path)
    assert SigningKey.load(path).public == KEY.public
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_key_file_is_never_overwritten(tmp_path: Path) -> None:
    KEY.save(tmp_path / "k")
    with pytest.raises(ValueError, match="never overwritten"):
        OTHER_KEY.save(tmp_path / "k")
    assert SigningKey.load(tmp_path / "k").public == KEY.public


def test_a_key_is_not_printed() -> None:
    secret = KEY._key.private_bytes_raw().hex()
    for text in (repr(KEY), str(KEY), f"{KEY}", repr(vars(KEY))):
        assert secret not in text
    assert repr(KEY) == f"SigningKey({KEY.public.fingerprint})"


def pem_of(key, password: bytes | None = None) -> bytes:
    scheme = (
        serialization.BestAvailableEncryption(password)
        if password
        else serialization.NoEncryption()
    )
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, scheme)


def test_other_files_are_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a key")
    (tmp_path / "empty").touch()
    (tmp_path / "rsa").write_bytes(pem_of(generate_private_key(65537, 2048)))
    (tmp_path / "locked").write_bytes(pem_of(KEY._key, b"password"))
    for name in ("text", "empty", "rsa", "locked"):
        with pytest.raises(ValueError, match=f"{name} must hold an unencrypted Ed25519 key"):
            SigningKey.load(tmp_path / name)
    for name in ("missing", "."):
        with pytest.raises(ValueError, match="cannot be read"):
            SigningKey.load(tmp_path / name)
