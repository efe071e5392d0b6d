"""What the coordinator keeps of every site's ledger: its last receipt.

With each request a site gets back the last receipt it gave, and refuses to go on if its own ledger
is older: a disk restored from a backup, or a machine rolled back, is found before a second release.
With each reply comes a newer receipt, which must follow the one before.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from flwr.app import ConfigRecord, Message, RecordDict

from privacy import LedgerBroken, PublicKey, Receipt
from strategies.protocol import CONFIG, HELD_RECEIPT, PUBLIC_KEY, RECEIPT

LEDGER_WENT_BACK = "ledger-went-back"
"""Code of a site whose receipt does not follow the one before, or is not signed by its key."""


class ReceiptBook:
    """The sites' public keys and their last receipts, by node.

    Args:
        known: receipts kept from earlier studies, by public key.
    """

    def __init__(self, known: Mapping[PublicKey, Receipt] | None = None) -> None:
        self._known = dict(known or {})
        self._keys: dict[int, PublicKey] = {}

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

    def take(self, node: int, config: Mapping[str, object]) -> bool:
        """Keep the receipt that came with a reply; False if it cannot be true.

        Args:
            node: who replied.
            config: settings of the reply; those of a hello name the public key.
        """
        try:
            key = self._keys.get(node) or PublicKey(str(config[PUBLIC_KEY]))
            receipt = Receipt.from_text(str(config[RECEIPT]))
            if not receipt.is_signed_by(key):
                return False
            if key in self._known:
                receipt.check_follows(self._known[key])
        except (KeyError, ValueError, LedgerBroken):
            return False
        self._keys[node] = key
        self._known[key] = receipt
        return True

    def attach(self, messages: Iterable[Message]) -> list[Message]:
        """Return the messages, each with the receipt held of the node it goes to."""
        attached = []
        for message in messages:
            receipt = self.of(message.metadata.dst_node_id)
            if receipt is not None:
                content = RecordDict(dict(message.content))
                config = dict(content.config_records[CONFIG]) | {HELD_RECEIPT: receipt.to_text()}
                content[CONFIG] = ConfigRecord(config)
                message.content = content
            attached.append(message)
        return attached
