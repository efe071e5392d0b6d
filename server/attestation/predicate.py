"""What the coordinator states about a release, as an in-toto statement.

Reference: in-toto attestation framework, Statement v1
(github.com/in-toto/attestation/blob/main/spec/v1/statement.md).
"""

from __future__ import annotations

import json
from typing import Annotated, Final, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from privacy.budget import Adjacency, Part, Unit
from privacy.events import MOST_STEPS, Event, event_from_dict

STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
PREDICATE_FAMILY: Final = "urn:fedsynth:release:"
PREDICATE_TYPE: Final = "urn:fedsynth:release:1"
ENVELOPE_FILE: Final = "release.intoto.json"

Digest = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Positive = Annotated[float, Field(gt=0)]
Line = Annotated[str, Field(min_length=1)]


class Fields(BaseModel):
    """What all parts share: frozen, no unknown fields, no other types, finite numbers."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        json_schema_serialization_defaults_required=True,
    )


class Guarantee(Fields):
    """What every site was promised."""

    epsilon: Positive
    """No site's events of this study cost one unit more."""
    delta: Annotated[float, Field(gt=0, lt=1)]
    """The failure probability."""
    unit: Unit
    """Whom one neighbouring change adds or removes: a record, or a person with all their rows."""
    adjacency: Adjacency
    """When two tables count as neighbours."""
    accountant: Literal["pld"] = "pld"
    """How epsilon is computed from events: privacy loss distributions."""
    randomness: Literal["system", "seeded"]
    """Where noise came from; with seeded noise the release is a simulation and protects nobody."""


class StudyClaim(Fields):
    """The study that made the release."""

    name: Line
    """Its identifier in every site's ledger."""
    settings: dict[str, str | int | float | bool | None]
    """All of its public settings."""
    digest: Digest
    """SHA-256 of the settings as JSON with sorted keys, as it stands in every site's ledger."""
    schema_digest: Digest
    """Digest of the public schema, as it stands in every site's ledger."""


class Sampling(Fields):
    """How the table was drawn from the generator; that is post-processing and costs nothing."""

    rows: Annotated[int, Field(ge=0)]
    """Rows drawn."""
    seed: Annotated[int, Field(ge=0)]
    """Seed of the draw."""
    conditions: tuple[str, ...] = ()
    """What every row had to meet; nothing if empty."""


class VersionClaim(Fields):
    """One piece of software at the coordinator."""

    name: Line
    """Its name."""
    version: Line
    """Its version."""


class Gaussian(Fields):
    """One release with Gaussian noise."""

    mechanism: Literal["gaussian"]
    """Always the same word."""
    noise_multiplier: Positive
    """Noise standard deviation divided by the L2 sensitivity."""
    purpose: Line
    """What it was for."""
    part: Part
    """The units it may touch."""


class SampledGaussian(Fields):
    """Several releases with Gaussian noise, each on a fresh Poisson sample of the units."""

    mechanism: Literal["poisson-sampled-gaussian"]
    """Always the same word."""
    noise_multiplier: Positive
    """Noise standard deviation divided by the L2 sensitivity."""
    sample_rate: Annotated[float, Field(gt=0, le=1)]
    """Probability that a unit enters a step."""
    steps: Annotated[int, Field(ge=1, le=MOST_STEPS)]
    """Number of releases."""
    purpose: Line
    """What they were for."""
    part: Part
    """The units they may touch."""


class SiteClaim(Fields):
    """One site: what it ran in this study, and what it signed."""

    name: Line
    """The site's public name."""
    events: Annotated[
        tuple[Annotated[Gaussian | SampledGaussian, Field(discriminator="mechanism")], ...],
        Field(min_length=1, max_length=100),
    ]
    """The mechanisms of this study at this site, from which epsilon follows."""
    source: Literal["study-plan", "site-ledger"]
    """Who says so: the study that every site was asked to run, so the coordinator alone; or the
    site's own ledger, which is then in the release and can be replayed."""
    epsilon: Annotated[float, Field(ge=0)]
    """What the events cost one unit, at the guarantee's delta."""
    public_key: Digest | None
    """Ed25519 key of the site, hexadecimal; None if no receipt is held."""
    receipt: Annotated[str, Field(max_length=400)] | None
    """The last receipt of the site's ledger that the coordinator holds: digest of the first entry,
    number of entries, digest of the last, signature. It shows no event."""
    ledger: str | None = None
    """Path of the site's ledger in the release, where it is there."""

    @model_validator(mode="after")
    def _check_pairs(self) -> Self:
        if (self.public_key is None) != (self.receipt is None):
            raise ValueError("public_key and receipt must both be given or both be null")
        if (self.source == "site-ledger") != (self.ledger is not None):
            raise ValueError("ledger must be given exactly when source is 'site-ledger'")
        return self

    def read_events(self) -> tuple[Event, ...]:
        """Return the events as accountants take them.

        Raises:
            ValueError: if one is out of range.
        """
        return tuple(event_from_dict(each.model_dump(mode="json")) for each in self.events)


class CoordinatorClaim(Fields):
    """Who signs the statement."""

    name: Line
    """How the coordinator calls itself."""
    public_key: Digest
    """Its Ed25519 key, hexadecimal."""


class Predicate(Fields):
    """What the coordinator states about the files of a release."""

    kind: Literal["federation", "simulation"]
    """Whether sites took part, or one machine played them all; then keys and noise are made up."""
    created: AwareDatetime
    """When the report was written."""
    dataset: Line
    """The schema's name."""
    guarantee: Guarantee
    """What every site was promised."""
    study: StudyClaim
    """The study that made the release."""
    sampling: Sampling
    """How the table was drawn."""
    software: tuple[VersionClaim, ...]
    """What the coordinator ran."""
    coordinator: CoordinatorClaim
    """Who signs."""
    sites: Annotated[tuple[SiteClaim, ...], Field(min_length=1, max_length=100_000)]
    """The sites whose results are in the release."""
    not_shown: tuple[str, ...]
    """What the signatures do not show, one sentence each."""

    @model_validator(mode="after")
    def _check_kind(self) -> Self:
        if (self.kind == "simulation") != (self.guarantee.randomness == "seeded"):
            raise ValueError("randomness must be 'seeded' exactly when kind is 'simulation'")
        return self


class Sha256(Fields):
    """The digest of one file."""

    sha256: Digest
    """SHA-256 of its bytes."""


class Subject(Fields):
    """One file of the release."""

    name: Annotated[str, Field(min_length=1)]
    """Its path from the release folder, with / between folders."""
    digest: Sha256
    """What its bytes must hash to."""


class Statement(Fields):
    """An in-toto statement about the files of a release."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(
        default=STATEMENT_TYPE, validation_alias="_type", serialization_alias="_type"
    )
    """The form of the statement."""
    subject: Annotated[tuple[Subject, ...], Field(min_length=1)]
    """Every file of the release but the envelope itself."""
    predicate_type: Literal["urn:fedsynth:release:1"] = Field(
        default=PREDICATE_TYPE,
        validation_alias="predicateType",
        serialization_alias="predicateType",
    )
    """The form of the predicate."""
    predicate: Predicate
    """What is stated about the files."""

    @model_validator(mode="after")
    def _check_subject(self) -> Self:
        names = [subject.name for subject in self.subject]
        if len(set(names)) < len(names):
            raise ValueError("subject must name each file once")
        return self

    def to_bytes(self) -> bytes:
        """Return the statement as JSON, the bytes that are signed."""
        return self.model_dump_json(by_alias=True).encode()


def render_json_schema() -> str:
    """Return the JSON Schema of a statement, as it is shipped beside this module."""
    content = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": PREDICATE_TYPE,
        **Statement.model_json_schema(by_alias=True, mode="serialization"),
    }
    return json.dumps(content, indent=2) + "\n"
