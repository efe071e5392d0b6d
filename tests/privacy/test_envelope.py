"""Envelopes: what is signed, who has signed, and that no byte of the file is free."""

from __future__ import annotations

import base64
import dataclasses
import json

import pytest

from privacy import Envelope, SigningKey
from privacy.envelope import encode_for_signing

KEY, OTHER = (SigningKey.from_seed(bytes([n]) * 32) for n in (1, 2))
KIND = "application/vnd.in-toto+json"
ENVELOPE = Envelope.sign(KEY, payload_type=KIND, payload=b'{"a": 1}')


def test_what_is_signed_is_that_of_the_specification() -> None:
    signed = encode_for_signing("http://example.com/HelloWorld", b"hello world")
    assert signed == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"


def test_it_comes_back_from_text_and_holds() -> None:
    again = Envelope.from_text(ENVELOPE.to_text())
    assert again == ENVELOPE
    assert again.signers == (KEY.public,)
    assert again.find_false() == ()


def test_it_is_the_json_that_others_read() -> None:
    content = json.loads(ENVELOPE.to_text())
    assert set(content) == {"payload", "payloadType", "signatures"}
    assert base64.b64decode(content["payload"]) == b'{"a": 1}'
    (signature,) = content["signatures"]
    signed = encode_for_signing(KIND, b'{"a": 1}')
    assert KEY.public.verify(base64.b64decode(signature["sig"]), signed)


def test_signing_is_deterministic() -> None:
    assert Envelope.sign(KEY, payload_type=KIND, payload=b'{"a": 1}') == ENVELOPE


@pytest.mark.parametrize("change", [{"payload": b'{"a": 2}'}, {"payload_type": "text/plain"}])
def test_another_payload_or_type_does_not_fit(change: dict[str, object]) -> None:
    assert dataclasses.replace(ENVELOPE, **change).find_false() == (KEY.public,)  # type: ignore[arg-type]


def test_a_second_signature_stands_beside_the_first() -> None:
    both = Envelope.from_text(ENVELOPE.countersign(OTHER).to_text())
    assert both.signers == (KEY.public, OTHER.public)
    assert both.find_false() == ()
    forged = dataclasses.replace(
        both, signatures=(both.signatures[0], (OTHER.public, both.signatures[0][1]))
    )
    assert forged.find_false() == (OTHER.public,)


def test_one_key_signs_once_and_somebody_must() -> None:
    with pytest.raises(ValueError, match="signatures of different keys"):
        ENVELOPE.countersign(KEY)
    with pytest.raises(ValueError, match="1 to 100 signatures"):
        dataclasses.replace(ENVELOPE, signatures=())


def test_every_flipped_bit_of_the_file_is_found() -> None:
    content = ENVELOPE.countersign(OTHER).to_text().encode()
    for position in range(len(content)):
        for bit in range(8):
            changed = bytearray(content)
            changed[position] ^= 1 << bit
            try:
                envelope = Envelope.from_text(changed.decode("ascii"))
            except ValueError:
                continue
            assert envelope.find_false() != (), (position, bit)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"text"',
        "{}",
        "[" * 100_000,
        ENVELOPE.to_text().rstrip(),
        ENVELOPE.to_text() + "\n",
        ENVELOPE.to_text().replace(":", ": "),
        ENVELOPE.to_text().replace("{", '{"more":1,', 1),
        ENVELOPE.to_text().replace('"signatures":[', '"signatures":[{},'),
        ENVELOPE.to_text().replace("payloadType", "type"),
        ENVELOPE.to_text().replace(KEY.public.hex, KEY.public.hex.upper()),
        ENVELOPE.to_text().replace(KEY.public.hex, "north"),
        ENVELOPE.to_text().replace("/vnd", "/\\u00fc"),
        ENVELOPE.to_text()[:-40],
    ],
)
def test_whatever_else_is_no_envelope(text: str) -> None:
    with pytest.raises(ValueError, match="an envelope must hold"):
        Envelope.from_text(text)
