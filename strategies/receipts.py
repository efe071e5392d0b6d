"""What the coordinator keeps of every site's ledger: its last receipt.

With each request after hello a site gets back the last receipt it gave, and refuses to go on if its
own ledger is older: a disk restored from a backup, or a machine rolled back, is found before a
second release. With each reply comes a newer receipt, which must follow the one before. A release
must also have made the ledger grow, so a receipt copied from elsewhere carries nobody past hello.

Of a copied ledger that was written on to a larger number of entries a receipt says nothing; the
site finds that out by the receipt it gets back, or whoever replays the ledger with the receipt. A
site whose receipts once contradicted each other is not believed again before its next hello.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from enum import StrEnum

from flwr.app import ConfigRecord, Message, RecordDict

from privacy import PublicKey, Receipt
from strategies.collect import Answers
from strategies.protocol import CONFIG, HELD_RECEIPT, PUBLIC_KEY, RECEIPT
from strategies.validation import Rejection, Reply


class ReceiptProblem(StrEnum):
    """Why a reply does not count that is of the right form."""

    NOT_SIGNED = "receipt-not-signed"  # by the key that this site gave at hello
    KEY_CHANGED = "key-changed"
    KEY_SHARED = "key-shared"  # with another node
    LEDGER_REPLACED = "ledger-replaced"
    WENT_BACK = "ledger-went-back"
    FORKED = "ledger-forked"  # two receipts over the same number of entries differ
    STOOD_STILL = "ledger-stood-still"  # a release without a new entry


class ReceiptBook:
    """The sites' public keys and their last receipts, by node.

    Args:
        known: receipts kept from earlier studies, by public key.
    """

    def __init__(self, known: Mapping[PublicKey, Receipt] | None = None) -> None:
        self._known = dict(known or {})
        self._keys: dict[int, PublicKey] = {}
        self._caught: dict[PublicKey, ReceiptProblem] = {}
        self._expects_repeats = False

    @property
    def keys(self) -> Mapping[int, PublicKey]:
        """The public key of every node that has said hello."""
        return dict(self._keys)

    @property
    def latest(self) -> Mapping[PublicKey, Receipt]:
        """The last receipt of every site."""
        return dict(self._known)

    def of(self, node: int) -> Receipt | None:
        """Return the last receipt of a node, if there is one."""
        key = self._keys.get(node)
        return None if key is None else self._known.get(key)

    def expect_repeats(self) -> None:
        """Let answers stand that come with no new entry: sites repeat what they have kept.

        So it is when a study goes on where an earlier life of the coordinator left it.
        """
        self._expects_repeats = True

    def remember(self, keys: Mapping[int, PublicKey]) -> None:
        """Take over the keys of nodes that said hello to an earlier life of the coordinator."""
        self._keys |= keys

    def take(
        self, node: int, config: Mapping[str, object], *, must_grow: bool = True
    ) -> ReceiptProblem | None:
        """Keep the receipt that came with a reply, or return why it cannot be true.

        Args:
            node: who replied.
            config: settings of the reply. Those of a hello name the public key.
            must_grow: whether an answer other than hello comes with a release.
        """
        key = self._keys.get(node)
        if PUBLIC_KEY in config:
            named = PublicKey(str(config[PUBLIC_KEY]))
            if key is not None and key != named:
                return ReceiptProblem.KEY_CHANGED
            if any(named == other for n, other in self._keys.items() if n != node):
                return ReceiptProblem.KEY_SHARED
            key = named
        receipt = _read(config)
        if key is None or receipt is None or not receipt.is_signed_by(key):
            return ReceiptProblem.NOT_SIGNED
        is_hello = PUBLIC_KEY in config
        problem = self._compare(
            key,
            receipt,
            is_hello=is_hello,
            must_grow=must_grow and not (is_hello or self._expects_repeats),
        )
        if problem is None:
            self._keys[node], self._known[key] = key, receipt
        return problem

    def _compare(
        self, key: PublicKey, receipt: Receipt, *, is_hello: bool, must_grow: bool
    ) -> ReceiptProblem | None:
        if not is_hello and key in self._caught:
            return self._caught[key]
        self._caught.pop(key, None)
        held = self._known.get(key)
        problem = None if held is None else _find_contradiction(receipt, held)
        if problem is not None:
            self._caught[key] = problem  # in its own signature, so it stays true
        elif must_grow and receipt == held:
            return ReceiptProblem.STOOD_STILL
        return problem

    def vet(self, node: int, reply: Reply, *, must_grow: bool = True) -> Reply | Rejection:
        """Keep the receipt of a valid reply to anything but hello, or reject the reply."""
        problem = self.take(node, reply.config, must_grow=must_grow)
        return reply if problem is None else Rejection(code=problem.value)

    def screen(self, answers: Answers, *, must_grow: bool = True) -> Answers:
        """Keep the receipts of valid replies, and reject those whose receipt cannot be true.

        Args:
            answers: to one question.
            must_grow: whether answers other than to hello come with a release.

        Of nodes that say hello with the same key none is believed: who has copied whom is not for
        a program to guess.
        """
        claims = Counter(reply.config.get(PUBLIC_KEY) for reply in answers.valid.values())
        bad: dict[int, str] = {}
        for node, reply in answers.valid.items():
            key = reply.config.get(PUBLIC_KEY)
            is_shared = key is not None and claims[key] > 1
            problem = (
                ReceiptProblem.KEY_SHARED
                if is_shared
                else self.take(node, reply.config, must_grow=must_grow)
            )
            if problem is not None:
                bad[node] = problem.value
        return replace(
            answers,
            valid={node: reply for node, reply in answers.valid.items() if node not in bad},
            rejected=dict(answers.rejected) | bad,
        )

    def attach(self, messages: Iterable[Message]) -> list[Message]:
        """Return the messages, each with the receipt held of the node it goes to."""
        attached = []
        for message in messages:
            receipt = self.of(message.metadata.dst_node_id)
            if receipt is not None:
                content = RecordDict(dict(message.content))  # its own, for messages share one
                config = dict(content.config_records[CONFIG]) | {HELD_RECEIPT: receipt.to_text()}
                content[CONFIG] = ConfigRecord(config)
                message.content = content
            attached.append(message)
        return attached


def _read(config: Mapping[str, object]) -> Receipt | None:
    try:
        return Receipt.from_text(str(config.get(RECEIPT)))
    except ValueError:
        return None


def _find_contradiction(newer: Receipt, older: Receipt) -> ReceiptProblem | None:
    """Return why ``newer`` cannot be of the same ledger at the same time or later, or None."""
    if newer.ledger != older.ledger:
        return ReceiptProblem.LEDGER_REPLACED
    if newer.entries < older.entries:
        return ReceiptProblem.WENT_BACK
    if newer.entries == older.entries and newer.head != older.head:
        return ReceiptProblem.FORKED
    return None
