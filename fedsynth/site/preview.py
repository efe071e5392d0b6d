"""What would leave a site in a study: the real replies, with zeros where noisy counts would be.

Shapes and sizes come from the same code that fills them in a study, run over no rows at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from flwr.app import Array, ArrayRecord, ConfigRecord, ConfigRecordValues, RecordDict

from client.evaluating import noise_multipliers_of
from client.hello import answer_hello
from client.settings import StudyRequest
from client.site import Site
from client.training import weights_of
from privacy import SitePlan
from privacy.canaries import Opening
from server.question import hello_of
from server.study import Study
from strategies import protocol
from strategies.fields import fields_of
from strategies.protocol import ARRAYS, CONFIG, DISCRIMINATOR, EVALUATION, SKETCH, STATISTICS
from strategies.wire_field import Direction, WireField, WireFormat
from strategies.wire_format import pack
from synthesis.architecture import GeneratorSettings
from synthesis.evaluation import (
    EvaluationLayout,
    ScoreNetwork,
    compute_one_way,
    compute_scores,
    compute_two_way,
)
from synthesis.generator import Generator
from synthesis.images.generator import ImageGenerator, ImageGeneratorSettings
from synthesis.images.schema import ImageSchema
from synthesis.kinds import VAE, AnySchema, kind_of
from synthesis.kinds.vae import VaeKind
from synthesis.layout import Counts
from synthesis.schema import Schema


@dataclass(frozen=True, kw_only=True, eq=False)
class Leaving:
    """One kind of reply.

    Attributes:
        message: what it answers.
        times: how often it leaves in a study.
        content: records of the right names, types and sizes.
    """

    message: str
    times: int
    content: RecordDict

    @property
    def size(self) -> int:
        """Bytes of one such reply, without its envelope."""
        return sum(field.size for field in self.fields())

    def fields(self) -> Iterator[LeavingField]:
        """Yield what the table of the wire says of each field, with what it would hold."""
        for row in fields_of(self.message, Direction.UP):
            record = self.content.get(row.record)  # a round's answer has one of two
            if isinstance(record, ArrayRecord):
                named = record if row.key == protocol.ANY_NAME else {row.key: record[row.key]}
                yield LeavingField(row=row, arrays=tuple(dict(named).items()))
            elif isinstance(record, ConfigRecord) and row.key in record:
                yield LeavingField(row=row, value=record[row.key])


@dataclass(frozen=True, kw_only=True, eq=False)
class LeavingField:
    """One field of a reply: a value, or arrays by name."""

    row: WireField
    value: ConfigRecordValues | None = None
    arrays: tuple[tuple[str, Array], ...] = ()

    @property
    def size(self) -> int:
        """Bytes of names and values, as Flower counts them."""
        if self.value is None:
            return ArrayRecord(dict(self.arrays)).count_bytes()
        return ConfigRecord({self.row.key: self.value}).count_bytes()

    @property
    def num_values(self) -> int:
        """Numbers in the arrays."""
        return sum(int(np.prod(array.shape)) for _, array in self.arrays)


def preview_replies(site: Site, study: Study, request: StudyRequest) -> tuple[Leaving, ...]:
    """Return every kind of reply in the order of a study.

    Args:
        site: from a rehearsal; its ledger is read.
        study: what the coordinator will ask.
        request: the same as the site understands it.
    """
    plan, schema = request.make_plan(), site.schema
    receipt = site.ledger.receipt().to_text()
    replies = [
        (protocol.QUERY_HELLO, 1, _hello(site, study, request)),
        (protocol.QUERY_SKETCH, 1, _sketch(schema, plan, site.config.canaries)),
    ]
    if request.rounds:
        wire_format = WireFormat(study.wire_format)
        replies.append((protocol.TRAIN, request.rounds, _train(schema, wire_format, request)))
    if request.evaluation and isinstance(schema, Schema):
        replies.append((protocol.QUERY_EVALUATE, 1, _evaluate(schema, plan)))
    if site.config.canaries:
        replies.append((protocol.QUERY_OPEN, 1, _open(_no_coins(site.config.canaries))))
    replies.append((protocol.QUERY_CLOSE, 1, RecordDict({CONFIG: ConfigRecord()})))
    for _, _, content in replies:
        content.config_records[CONFIG][protocol.RECEIPT] = receipt
    return tuple(Leaving(message=m, times=t, content=c) for m, t, c in replies)


def _hello(site: Site, study: Study, request: StudyRequest) -> RecordDict:
    asked = dict(hello_of(study, site.schema))
    return RecordDict({CONFIG: ConfigRecord(answer_hello(site, request, asked))})


def _sketch(schema: AnySchema, plan: SitePlan, canaries: int) -> RecordDict:
    counts = np.zeros(kind_of(schema).layout.dimension)
    public: dict[str, ConfigRecordValues] = {
        protocol.NOISE_MULTIPLIER: float(plan.sketch_noise_multiplier or 0.0),
        protocol.PLAN_EPSILON: float(plan.budget.epsilon),
    }
    if canaries:
        public[protocol.CANARIES] = canaries
        public[protocol.CANARY_COMMITMENT] = _no_coins(canaries).commit()
    return RecordDict(
        {SKETCH: ArrayRecord({STATISTICS: _array(counts)}), CONFIG: ConfigRecord(public)}
    )


def _open(opening: Opening) -> RecordDict:
    words = opening.to_texts()
    public = {protocol.CANARY_SALT: words["salt"], protocol.CANARY_COINS: words["coins"]}
    return RecordDict({CONFIG: ConfigRecord(dict(public))})


def _no_coins(canaries: int) -> Opening:
    return Opening(salt=bytes(32), coins=np.zeros(canaries, dtype=np.bool_))


def _train(schema: AnySchema, wire_format: WireFormat, request: StudyRequest) -> RecordDict:
    rng = torch.Generator()
    if request.returns_discriminator:
        judge = weights_of(kind_of(schema).make_discriminator(rng))
        return RecordDict({DISCRIMINATOR: pack(judge, wire_format), CONFIG: ConfigRecord()})
    if request.model == VAE:
        vae = weights_of(VaeKind(schema).make(rng))
        return RecordDict({ARRAYS: pack(vae, wire_format), CONFIG: ConfigRecord()})
    generator: torch.nn.Module = (
        ImageGenerator(ImageGeneratorSettings.for_schema(schema), rng=rng)
        if isinstance(schema, ImageSchema)
        else Generator(GeneratorSettings.for_schema(schema), rng=rng)
    )
    return RecordDict({ARRAYS: pack(weights_of(generator), wire_format), CONFIG: ConfigRecord()})


def _evaluate(schema: Schema, plan: SitePlan) -> RecordDict:
    layout, none = EvaluationLayout.from_schema(schema), _no_rows(schema)
    network = ScoreNetwork(layout, rng=torch.Generator())
    counts = {
        "evaluation-one-way": compute_one_way(layout, none),
        "evaluation-two-way": compute_two_way(layout, none),
        "evaluation-scores": compute_scores(network, layout, none),
    }
    noise = {protocol.NOISE_OF[p]: float(n) for p, n in noise_multipliers_of(plan).items()}
    arrays = ArrayRecord({purpose: _array(values) for purpose, values in counts.items()})
    return RecordDict({EVALUATION: arrays, CONFIG: ConfigRecord(dict(noise))})


def _no_rows(schema: Schema) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    return np.empty((0, len(schema.columns)), dtype=np.int16)


def _array(counts: Counts) -> Array:
    return Array(counts.astype(np.float32))
