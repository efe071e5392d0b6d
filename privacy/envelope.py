"""Signed statements for others to keep: DSSE envelopes with Ed25519 signatures.

The key id of a signature is the public key itself, so an envelope can be checked with nothing else
at hand. That shows whose key signed, and not whose key one should trust. There is one way only to
write an envelope, so that no byte of its file can change unseen.

Reference: Dead Simple Signing Envelope, version 1.0.2 (github.com/secure-systems-lab/dsse).
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, replace

from privacy.keys import PublicKey, SigningKey

__all__ = ["Envelope", "encode_for_signing"]

_MOST_SIGNATURES = 100
_NOT_OURS = (
    "an envelope must hold payload, payloadType and signatures as fedsynth writes them: one line "
    "of JSON without spaces, base64 in the standard alphabet, and public keys as key ids"
)


@dataclass(frozen=True, kw_only=True)
class Envelope:
    """Bytes, what they are, and who signed both.

    Args:
        payload_type: media type of the payload, ASCII.
        payload: the bytes that are signed.
        signatures: public key and signature of each signer, in the order of signing.

    Raises:
        ValueError: if the type is not ASCII, there is no signature, or there are two of one key.
    """

    payload_type: str
    payload: bytes
    signatures: tuple[tuple[PublicKey, bytes], ...]

    def __post_init__(self) -> None:
        if not self.payload_type.isascii():
            raise ValueError(f"payload_type must be ASCII, got {self.payload_type!a:.80}")
        keys = [key for key, _ in self.signatures]
        if not 1 <= len(keys) <= _MOST_SIGNATURES or len(set(keys)) < len(keys):
            raise ValueError(
                f"an envelope must hold 1 to {_MOST_SIGNATURES} signatures of different keys, got "
                f"{len(keys)} of {len(set(keys))} keys"
            )

    @classmethod
    def sign(cls, key: SigningKey, *, payload_type: str, payload: bytes) -> Envelope:
        """Return an envelope with one signature."""
        signature = key.sign(encode_for_signing(payload_type, payload))
        return cls(
            payload_type=payload_type, payload=payload, signatures=((key.public, signature),)
        )

    def countersign(self, key: SigningKey) -> Envelope:
        """Return the same envelope with one more signature."""
        signature = key.sign(encode_for_signing(self.payload_type, self.payload))
        return replace(self, signatures=(*self.signatures, (key.public, signature)))

    @property
    def signers(self) -> tuple[PublicKey, ...]:
        """The keys that are said to have signed."""
        return tuple(key for key, _ in self.signatures)

    def find_false(self) -> tuple[PublicKey, ...]:
        """Return the keys whose signature does not fit the payload."""
        signed = encode_for_signing(self.payload_type, self.payload)
        return tuple(key for key, found in self.signatures if not key.verify(found, signed))

    def to_text(self) -> str:
        """Return the envelope as one line of JSON."""
        content = {
            "payload": base64.b64encode(self.payload).decode("ascii"),
            "payloadType": self.payload_type,
            "signatures": [
                {"keyid": key.hex, "sig": base64.b64encode(signature).decode("ascii")}
                for key, signature in self.signatures
            ],
        }
        return json.dumps(content, separators=(",", ":")) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Envelope:
        """Read what `to_text` wrote.

        Raises:
            ValueError: if it is anything else, to the last byte.
        """
        try:
            content = json.loads(text)
            envelope = cls(
                payload_type=str(content["payloadType"]),
                payload=base64.b64decode(content["payload"], validate=True),
                signatures=tuple(
                    (PublicKey(each["keyid"]), base64.b64decode(each["sig"], validate=True))
                    for each in content["signatures"]
                ),
            )
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise ValueError(f"{_NOT_OURS} ({type(error).__name__})") from error
        if envelope.to_text() != text:
            raise ValueError(_NOT_OURS)
        return envelope


def encode_for_signing(payload_type: str, payload: bytes) -> bytes:
    """Return what is signed: type and payload, each behind its length (DSSE's PAE).

    >>> encode_for_signing("http://example.com/HelloWorld", b"hello world")
    b'DSSEv1 29 http://example.com/HelloWorld 11 hello world'
    """
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
