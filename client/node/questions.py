"""Which questions reach a site's program: those of the one study that the site has joined."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flwr.app import Message

from client.node.journal import Value
from client.node.pulled import Pulled
from strategies import protocol
from strategies.parcels import TooLarge, Unusable, put_together
from strategies.protocol import RefusalCode

_log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Joined:
    """What a site agreed to answer.

    Attributes:
        folder: of the site.
        study: name of the study.
        config_hash: digest of its settings.
        bundles: SHA-256 of the bundles under which it may run.
        patience_s: longest time without a word from the coordinator.
    """

    folder: Path
    study: str
    config_hash: str
    bundles: tuple[str, ...]
    patience_s: float


def find_refusal(
    pulled: Pulled, joined: Joined, has_known_bundle: Callable[[int], bool]
) -> RefusalCode | None:
    """Return why a question is not for our program, after giving it its content.

    Args:
        pulled: the question as it came.
        joined: what the site agreed to answer.
        has_known_bundle: says of a run whether its bundle was announced.
    """
    message = pulled.envelope
    try:
        if pulled.problem is not None:
            raise pulled.problem
        if message.metadata.message_type not in protocol.MESSAGE_TYPES:
            _log.warning("refused: a message of an unknown type")
            return RefusalCode.UNKNOWN_MESSAGE
        if not has_known_bundle(message.metadata.run_id):
            _log.warning("refused: a run whose bundle is not in coordinator.toml, or altered")
            return RefusalCode.UNKNOWN_BUNDLE
        put_together(message, pulled.parts)
    except Unusable as problem:
        _log.warning("refused: %s", problem)
        return RefusalCode.TOO_LARGE if isinstance(problem, TooLarge) else RefusalCode.MALFORMED
    records = message.content.config_records
    if protocol.CONFIG not in records:
        _log.warning("refused: a message without settings")
        return RefusalCode.MALFORMED
    config = records[protocol.CONFIG]
    asked = (config.get(protocol.STUDY_ID), config.get(protocol.CONFIG_HASH))
    if asked != (joined.study, joined.config_hash):
        _log.warning("refused: a question of a study that this site has not joined")
        return RefusalCode.NOT_JOINED
    return None


def describe_question(message: Message) -> dict[str, Value]:
    """Return what an event tells of a question."""
    facts: dict[str, Value] = {"type": message.metadata.message_type}
    if message.has_content() and protocol.CONFIG in message.content.config_records:
        config = message.content.config_records[protocol.CONFIG]
        for key in (protocol.SERVER_ROUND, protocol.ROUNDS):
            value = config.get(key)
            if isinstance(value, int):
                facts[key] = value
    return facts
