"""Ed25519 keys: a site's own, with which it signs its ledger, and those of people who approve.

The private key is a PEM file that only its owner may read; the public key is 64 hexadecimal digits
that may be printed, compared and sent.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from privacy.secret_files import check_secret, write_secret

__all__ = ["PublicKey", "SigningKey"]

_FINGERPRINT = 32
_HEX_DIGITS = frozenset("0123456789abcdef")


@dataclass(frozen=True)
class PublicKey:
    """The key with which others check a signature.

    Args:
        hex: the 32 bytes of the key as 64 lower-case hexadecimal digits.

    Raises:
        ValueError: if it is anything else.
    """

    hex: str

    def __post_init__(self) -> None:
        if len(self.hex) != 64 or not set(self.hex) <= _HEX_DIGITS:
            raise ValueError(
                "a public key must be 64 lower-case hexadecimal digits, as 'fedsynth site init' "
                f"prints it, got {self.hex!r:.80}"
            )

    @property
    def fingerprint(self) -> str:
        """A short name to read out and compare."""
        return fingerprint_of(bytes.fromhex(self.hex))

    def verify(self, signature: bytes, data: bytes) -> bool:
        """Return whether the owner of this key signed these bytes."""
        try:
            key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(self.hex))
            key.verify(signature, data)
        except (InvalidSignature, ValueError):
            return False
        return True


def fingerprint_of(content: bytes) -> str:
    """Return what people read out to compare public files: half of a SHA-256, in groups of 4.

    >>> fingerprint_of(b"")
    'e3b0-c442-98fc-1c14-9afb-f4c8-996f-b924'
    """
    digits = hashlib.sha256(content).hexdigest()[:_FINGERPRINT]
    return "-".join(digits[i : i + 4] for i in range(0, _FINGERPRINT, 4))


class SigningKey:
    """A private key. It is never printed, logged or sent.

    Args:
        key: from `generate`, `load` or `from_seed`.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        public = key.public_key().public_bytes_raw()
        self._public = PublicKey(public.hex())

    def __repr__(self) -> str:
        return f"SigningKey({self._public.fingerprint})"

    @classmethod
    def generate(cls) -> SigningKey:
        """Return a new key from the operating system's entropy."""
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def from_seed(cls, seed: bytes) -> SigningKey:
        """Return the key that belongs to 32 bytes; for simulations, where keys repeat."""
        return cls(Ed25519PrivateKey.from_private_bytes(seed))

    @classmethod
    def load(cls, path: str | Path) -> SigningKey:
        """Read a key from a PEM file.

        Raises:
            ValueError: if there is no file, others may read it, or it holds no unencrypted
                Ed25519 key.
        """
        try:
            content = Path(path).read_bytes()
        except OSError as error:
            raise ValueError(f"key file {path} cannot be read: {error.strerror}") from None
        try:
            key = serialization.load_pem_private_key(content, password=None)
        except (ValueError, TypeError):
            key = None
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError(f"key file {path} must hold an unencrypted Ed25519 key in PEM form")
        check_secret(path)
        return cls(key)

    @property
    def public(self) -> PublicKey:
        """The public half."""
        return self._public

    def sign(self, data: bytes) -> bytes:
        """Return the 64 bytes of a signature over the data."""
        return self._key.sign(data)

    def save(self, path: str | Path) -> None:
        """Write a PEM file that only its owner may read.

        Raises:
            ValueError: if the path exists; a key is never overwritten.
        """
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        write_secret(path, pem)
