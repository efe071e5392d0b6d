"""The key by which a coordinator knows a site's node, and the file that introduces both keys.

The node's key opens the door; the ledger's key signs what was spent. A coordinator gets the public
half of both in ``admission.toml``, which is no secret: what must be sure is that it is the right
one, and for that people read its fingerprint out over the telephone.
"""

from __future__ import annotations

from pathlib import Path

import tomli_w
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from privacy import PublicKey
from privacy.keys import fingerprint_of
from privacy.secret_files import read_secret, write_secret
from synthesis import InputError

NODE_KEY_FILE = "keys/node.pem"
ADMISSION_FILE = "admission.toml"
_HEAD = """\
# Give this file to the coordinator of your studies. It holds no secret.
# Read its fingerprint out over the telephone, so that both know that it is the right one.
"""


def make_node_key(folder: Path, *, name: str, ledger_key: PublicKey) -> None:
    """Write a site's new node key and the file that introduces the site.

    Raises:
        ValueError: if there is a key; a key is never overwritten.
    """
    key = ec.generate_private_key(ec.SECP384R1())
    private = key.private_bytes(
        encoding=serialization.Encoding.PEM,
        format=serialization.PrivateFormat.PKCS8,
        encryption_algorithm=serialization.NoEncryption(),
    )
    write_secret(folder / NODE_KEY_FILE, private)
    lines = {"name": name, "node_key": public_line(key), "ledger_key": ledger_key.hex}
    write_secret(folder / ADMISSION_FILE, f"{_HEAD}{tomli_w.dumps(lines)}".encode())


def load_node_key(folder: Path) -> ec.EllipticCurvePrivateKey:
    """Read the node's key.

    Raises:
        InputError: if it is missing, open to others, or no such key.
    """
    path = folder / NODE_KEY_FILE
    try:
        key = serialization.load_pem_private_key(read_secret(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        reason = str(error) if str(path) in str(error) else f"{path} holds no private key"
        raise InputError(
            f"{reason}; restore it from a backup, or found the site anew if it was never admitted.",
            argument="node key",
        ) from None
    if not (isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP384R1)):
        raise InputError(
            f"{path} must hold an ECDSA P-384 key, as 'fedsynth site init' makes it; restore it.",
            argument="node key",
        )
    return key


def public_line(key: ec.EllipticCurvePrivateKey) -> str:
    """Return the public half on one line, as OpenSSH writes it."""
    public = key.public_key().public_bytes(
        encoding=serialization.Encoding.OpenSSH, format=serialization.PublicFormat.OpenSSH
    )
    return public.decode("ascii")


def admission_fingerprint(node_key: str, ledger_key: str) -> str:
    """Return what people read out to compare both public keys of a site."""
    return fingerprint_of(f"{node_key} {ledger_key}".encode())
