"""The last act of a release: the coordinator states what the files are, and signs it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from privacy import Adjacency, Envelope, Event, SigningKey, compute_epsilon
from server.attestation.folder import read_folder
from server.attestation.predicate import (
    ENVELOPE_FILE,
    PAYLOAD_TYPE,
    CoordinatorClaim,
    Gaussian,
    Guarantee,
    Predicate,
    SampledGaussian,
    Sampling,
    Sha256,
    SiteClaim,
    Statement,
    StudyClaim,
    Subject,
    VersionClaim,
)

if TYPE_CHECKING:  # a reader of a release takes neither Flower nor pictures
    from server.report import Report
    from server.report import Site as SiteReport
    from server.study import Study

_NEVER_SHOWN: Final = (
    "That a site added the noise that it or the study names, or read its records as declared.",
    "That no site gave away anything besides this release; its own ledger holds the whole.",
)
_PLANNED: Final = (
    "That a site's ledger holds the events stated here: a receipt signs the digest of a ledger "
    "and shows none of its entries. The events are those of the study that each site was asked to "
    "run; whoever gets a site's ledger can replay it against the receipt with 'fedsynth audit "
    "ledger'."
)
_SIMULATED: Final = (
    "Any protection: one machine played all sites, with keys of its own and noise from a seed. "
    "This is a simulation only."
)


@dataclass(frozen=True, kw_only=True)
class SiteEvents:
    """What one site ran in the study.

    Attributes:
        events: in the order of the site's ledger.
        ledger: path of that ledger in the release; None where events are those of the study's plan.
    """

    events: Sequence[Event]
    ledger: str | None = None


@dataclass(frozen=True, kw_only=True)
class Attestation:
    """What a signature of a release takes besides its files and its report.

    Attributes:
        key: the coordinator's.
        coordinator: how the coordinator calls itself.
        study: the study's settings.
        schema_digest: of the public schema.
        seed: with which the table was drawn.
        sites: one entry for each site of the report, in that order.
    """

    key: SigningKey
    coordinator: str
    study: Study
    schema_digest: str
    seed: int
    sites: Sequence[SiteEvents]


def sign_release(folder: Path, report: Report, attestation: Attestation) -> None:
    """Write the signed statement about all files that lie in a release folder.

    Args:
        folder: the release, complete but for the envelope.
        report: what ``report.json`` in the folder says.
        attestation: what else the statement says.

    Raises:
        ValueError: if the report makes no promise, or something in the folder is no plain file.
    """
    content = read_folder(folder)
    if content.unfit:
        raise ValueError(f"a release must hold plain files only, and {min(content.unfit)} is none")
    statement = Statement(
        subject=tuple(
            Subject(name=name, digest=Sha256(sha256=digest))
            for name, digest in content.digests.items()
        ),
        predicate=_state(report, attestation),
    )
    envelope = Envelope.sign(
        attestation.key, payload_type=PAYLOAD_TYPE, payload=statement.to_bytes()
    )
    (folder / ENVELOPE_FILE).write_text(envelope.to_text(), encoding="ascii", newline="\n")


def _state(report: Report, attestation: Attestation) -> Predicate:
    promise = report.promise
    if not report.private or promise.epsilon is None or promise.delta is None:
        raise ValueError("only a release with a promise of privacy can be signed")
    study, is_simulated = attestation.study, promise.randomness == "seeded"
    return Predicate(
        kind="simulation" if is_simulated else "federation",
        created=report.created,
        dataset=report.dataset,
        guarantee=Guarantee(
            epsilon=promise.epsilon,
            delta=promise.delta,
            unit=promise.unit,
            adjacency=promise.adjacency,
            randomness=promise.randomness,
        ),
        study=StudyClaim(
            name=study.name,
            settings=study.model_dump(mode="json"),
            digest=study.digest(),
            schema_digest=attestation.schema_digest,
        ),
        sampling=Sampling(rows=report.release.rows, seed=attestation.seed),
        software=tuple(
            VersionClaim(name=each.name, version=each.version) for each in report.software
        ),
        coordinator=CoordinatorClaim(
            name=attestation.coordinator, public_key=attestation.key.public.hex
        ),
        sites=tuple(
            _claim(site, ran, promise.delta, promise.adjacency)
            for site, ran in zip(report.sites, attestation.sites, strict=True)
        ),
        not_shown=(_SIMULATED if is_simulated else _PLANNED, *_NEVER_SHOWN),
    )


def _claim(site: SiteReport, ran: SiteEvents, delta: float, adjacency: Adjacency) -> SiteClaim:
    return SiteClaim(
        name=site.name,
        events=tuple(map(_describe, ran.events)),
        source="study-plan" if ran.ledger is None else "site-ledger",
        epsilon=compute_epsilon(ran.events, delta, adjacency=adjacency),
        public_key=site.receipt.public_key if site.receipt else None,
        receipt=site.receipt.text if site.receipt else None,
        ledger=ran.ledger,
    )


def _describe(event: Event) -> Gaussian | SampledGaussian:
    fields = event.to_dict()
    kind = Gaussian if fields["mechanism"] == "gaussian" else SampledGaussian
    return kind.model_validate(fields, strict=False)  # names of parts are plain text there
