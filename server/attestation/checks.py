"""What is checked of a statement by hashes and signatures alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from privacy import Envelope, PublicKey, Receipt
from server.attestation.folder import FolderContent
from server.attestation.predicate import Predicate, SiteClaim, Statement
from server.attestation.verdict import Check, Signer, TrustedKeys


def shown(name: str) -> str:
    """Write a name from a foreign folder so that it cannot play with a terminal."""
    return name if name.isprintable() else ascii(name)


def check_files(statement: Statement, content: FolderContent) -> Check:
    """Compare every file with its digest, and name those too many or missing."""
    stated = {subject.name: subject.digest.sha256 for subject in statement.subject}
    there = content.digests.keys() | content.unfit.keys()
    problems = [f"{shown(name)} {reason}" for name, reason in sorted(content.unfit.items())]
    problems += [
        f"{shown(name)} was altered"
        for name, digest in content.digests.items()
        if name in stated and digest != stated[name]
    ]
    problems += [f"{shown(name)} is missing" for name in sorted(stated.keys() - there)]
    problems += [f"{shown(name)} is one file too many" for name in sorted(there - stated.keys())]
    return Check(name="files", found=f"{len(stated)} files by SHA-256", problems=tuple(problems))


def check_envelope(envelope: Envelope, predicate: Predicate) -> Check:
    """Check every signature of the envelope, and that the coordinator's is among them."""
    coordinator = PublicKey(predicate.coordinator.public_key)
    problems = [
        f"the signature of key {key.fingerprint} does not fit the statement"
        for key in envelope.find_false()
    ]
    if coordinator not in envelope.signers:
        problems.append(
            f"the coordinator that the statement names, {coordinator.fingerprint}, has not signed "
            "it"
        )
    return Check(
        name="signatures",
        found=f"the statement, signed by {len(envelope.signers)}",
        problems=tuple(problems),
    )


def check_receipts(predicate: Predicate) -> Check:
    """Check that each receipt was signed with the key that is stated for its site."""
    held = [site for site in predicate.sites if site.receipt is not None]
    problems = [problem for site in held for problem in _receipt_problems(site)]
    keys = [site.public_key for site in held]
    keys.append(predicate.coordinator.public_key)
    if len(set(keys)) < len(keys):
        problems.append("two of the coordinator and the sites have the same key")
    names = [site.name for site in predicate.sites]
    if len(set(names)) < len(names):
        problems.append("two sites have the same name")
    return Check(
        name="receipts",
        found=f"{len(held)} of {len(names)} sites' ledgers have a signed receipt",
        problems=tuple(problems),
    )


def _receipt_problems(site: SiteClaim) -> Iterator[str]:
    try:
        receipt = Receipt.from_text(site.receipt or "")
        if not receipt.is_signed_by(PublicKey(site.public_key or "")):
            yield f"the receipt of site {shown(site.name)} was not signed with its key"
    except ValueError:
        yield f"the receipt of site {shown(site.name)} is none"
        return
    least = 1 + len(site.events)  # the entry that opened the ledger, and one for each event
    if receipt.entries < least:
        yield (
            f"the receipt of site {shown(site.name)} is over {receipt.entries} entries, too few "
            f"for the {len(site.events)} events stated"
        )


def check_settings(predicate: Predicate) -> Check:
    """Check that the study's digest is that of its settings, and its name and bound are theirs."""
    study, guarantee = predicate.study, predicate.guarantee
    canonical = json.dumps(study.settings, sort_keys=True)
    problems = []
    if hashlib.sha256(canonical.encode()).hexdigest() != study.digest:
        problems.append("the study's digest is not that of its settings")
    stated = {"name": study.name, "epsilon": guarantee.epsilon, "delta": guarantee.delta}
    problems += [
        f"the study's settings and the statement differ in {name}"
        for name, value in stated.items()
        if study.settings.get(name) != value
    ]
    return Check(
        name="study",
        found=f"settings of study {shown(study.name)}, digest {study.digest[:16]}...",
        problems=tuple(problems),
    )


def find_signers(
    envelope: Envelope, predicate: Predicate, trusted: TrustedKeys | None
) -> tuple[Signer, ...]:
    """Return everybody who signed something, and whether the reader trusts each."""
    coordinator = PublicKey(predicate.coordinator.public_key)
    found = [Signer(role="coordinator", name=predicate.coordinator.name, key=coordinator)]
    found += [
        Signer(role="site", name=site.name, key=PublicKey(site.public_key))
        for site in predicate.sites
        if site.public_key is not None
    ]
    found += [
        Signer(role="further", name="", key=key) for key in envelope.signers if key != coordinator
    ]
    if trusted is None:
        return tuple(found)
    return tuple(
        Signer(role=each.role, name=each.name, key=each.key, trusted=_is_trusted(each, trusted))
        for each in found
    )


def _is_trusted(signer: Signer, trusted: TrustedKeys) -> bool:
    if signer.key not in trusted:
        return False
    return signer.role == "further" or trusted[signer.key] in (None, signer.name)


def check_trust(signers: Sequence[Signer], trusted: TrustedKeys | None) -> Check:
    """Name the signers that are not among the keys a reader trusts."""
    if trusted is None:
        return Check(name="trust", found="keys were not compared with any that you trust")
    problems = []
    for signer in signers:
        if signer.trusted:
            continue
        who = f"{signer.role} {shown(signer.name)}".strip()
        owner = trusted.get(signer.key)
        problems.append(
            f"key {signer.key.fingerprint} of {who} is not among those you trust"
            if owner is None
            else f"the key of {who} is {owner}'s among those you trust"
        )
    return Check(
        name="trust",
        found=f"{len(signers)} signers beside {len(trusted)} keys you trust",
        problems=tuple(problems),
    )
