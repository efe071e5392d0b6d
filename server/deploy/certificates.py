"""The coordinator's own certificate authority and the certificate it shows to sites.

Sites trust this authority and no other, so no public one can let a stranger in between.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_DAYS = 3652
_EARLY = timedelta(days=1)  # a site's clock may be slow
_EVERYWHERE = ("localhost", "127.0.0.1")


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A certificate and its private key, both in PEM form; the key is secret."""

    certificate: bytes
    key: bytes

    def __repr__(self) -> str:
        return "Issued()"


def make_authority(name: str) -> Issued:
    """Return a new authority that may sign servers' certificates and nothing below them."""
    key = ec.generate_private_key(ec.SECP384R1())
    subject = _name(f"fedsynth coordinator {name}")
    builder = (
        _start(subject, subject, key, days=AUTHORITY_DAYS)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _issue(builder, key, key)


def make_server_certificate(authority: Issued, hosts: Sequence[str], *, days: int) -> Issued:
    """Return a new server certificate, with a new key, for all names and addresses it has.

    Args:
        authority: from `make_authority`.
        hosts: names and IP addresses; those of the machine itself are added.
        days: how long it is valid from today.
    """
    signer = x509.load_pem_x509_certificate(authority.certificate)
    signing_key = serialization.load_pem_private_key(authority.key, password=None)
    if not isinstance(signing_key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key of the authority must be an elliptic-curve key; restore it")
    key = ec.generate_private_key(ec.SECP384R1())
    names = list(dict.fromkeys([*hosts, *_EVERYWHERE]))
    builder = (
        _start(_name(hosts[0][:64]), signer.subject, key, days=days)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(list(map(_alternative, names))), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing_key.public_key()),
            critical=False,
        )
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )
    return _issue(builder, key, signing_key)


def last_day(certificate: bytes) -> datetime:
    """Return until when a certificate in PEM form is valid."""
    return x509.load_pem_x509_certificate(certificate).not_valid_after_utc


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text[:64])])


def _start(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int
) -> x509.CertificateBuilder:
    today = datetime.now(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - _EARLY)
        .not_valid_after(today + timedelta(days=days))
    )


def _issue(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    signing_key: ec.EllipticCurvePrivateKey,
) -> Issued:
    certificate = builder.sign(signing_key, hashes.SHA384())
    return Issued(
        certificate=certificate.public_bytes(serialization.Encoding.PEM),
        key=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
    )


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
