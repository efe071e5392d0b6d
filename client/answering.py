"""From a question to the answer that leaves: made once, checked, kept, and only then sent."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack

import torch
from flwr.app import ArrayRecord, Message, RecordDict

from client.kept import KeptAnswers
from client.phases import (
    EVALUATION_PHASE,
    SKETCH_PHASE,
    keep_phase,
    round_phase,
    spoil_phase,
)
from client.settings import StudyRequest
from client.site import Site
from client.study_folder import study_folder
from client.training import weights_of
from privacy import Receipt
from strategies import protocol
from strategies.gate import check_outgoing
from strategies.protocol import (
    ARRAYS,
    CONFIG,
    DISCRIMINATOR,
    QUERY_EVALUATE,
    QUERY_SKETCH,
    TRAIN,
)
from strategies.wire_format import format_of, pack
from synthesis.kinds import kind_of


def phase_of(message: Message) -> str | None:
    """Return the phase that a question belongs to; None if its answer tells nothing of records."""
    kind = message.metadata.message_type
    if kind == TRAIN:
        number = message.content.config_records[CONFIG][protocol.SERVER_ROUND]
        return round_phase(int(str(number)))
    return {QUERY_SKETCH: SKETCH_PHASE, QUERY_EVALUATE: EVALUATION_PHASE}.get(kind)


def answer_once(
    site: Site, request: StudyRequest, message: Message, work: Callable[[], RecordDict]
) -> RecordDict:
    """Return the answer to a question: the one that is kept, or else one that is made and kept.

    Args:
        site: the data site.
        request: the study's settings.
        message: the question.
        work: makes the answer; it is called at most once.

    Raises:
        AlreadyReleased: if this phase had another question before.
        ValueError: if the answer must not leave.
        OSError: if there is no room to keep it; it does not leave then.
    """
    phase = phase_of(message)
    if phase is None:
        content = work()
    else:
        kept = KeptAnswers(study_folder(site.folder, request.study))
        with kept.alone():
            found = kept.find(phase, message)
            content = found or _make(site, request, phase, message, work)
            if found is None:
                kept.keep(phase, message, content)
            keep_phase(site, request, phase)
    return _attest(site, content, message, site.give_receipt())


def _make(
    site: Site, request: StudyRequest, phase: str, message: Message, work: Callable[[], RecordDict]
) -> RecordDict:
    def spoil(kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, Exception):
            spoil_phase(site, request, phase, error)

    with ExitStack() as stack:
        stack.push(spoil)
        return _attest(site, work(), message, site.ledger.receipt())


def _attest(site: Site, content: RecordDict, message: Message, receipt: Receipt) -> RecordDict:
    """Add a receipt to an answer, and return it if it may leave."""
    content.config_records[CONFIG][protocol.RECEIPT] = receipt.to_text()
    withheld = () if site.ledger.policy.row_count_public else (protocol.UNIT_COUNT,)
    form = _form_of_discriminator(site, message) if DISCRIMINATOR in content else None
    check_outgoing(content, message, withheld=withheld, discriminator=form)
    return content


def _form_of_discriminator(site: Site, message: Message) -> ArrayRecord:
    """Return weights of a discriminator for the public schema, in the format of the question."""
    asked = format_of(message.content.array_records[ARRAYS])
    return pack(weights_of(kind_of(site.schema).make_discriminator(torch.Generator())), asked)
