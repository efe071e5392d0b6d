"""A ledger as text for others: JSON with everything, or the receipt alone."""

from __future__ import annotations

import json

from fedsynth.site.reading import LedgerSource, read_ledger
from privacy import Ledger, Receipt
from synthesis import InputError

FORMAT = "fedsynth-ledger-export-1"


def make_export(source: LedgerSource) -> str:
    """Return header, policy, entries and totals of a verified ledger, and a receipt if possible.

    Without the site's key, which lies in its folder, there is no receipt.

    Raises:
        InputError, LedgerBroken: as ``read_ledger``.
    """
    reading = read_ledger(source)
    receipt = _sign(source)
    content = {
        "format": FORMAT,
        "header": reading.book.header.to_details(),
        "policy": reading.book.policy.model_dump(mode="json"),
        "entries": [entry.to_dict() for entry in reading.book.entries],
        "totals": reading.summary.to_dict(),
        "receipt": None if receipt is None else receipt.to_text(),
    }
    return json.dumps(content, indent=2)


def make_receipt(source: LedgerSource) -> str:
    """Return the receipt over the whole ledger as it is now.

    Raises:
        InputError: if the ledger does not lie in its site's folder.
        LedgerBroken: if it was altered.
    """
    read_ledger(source)
    receipt = _sign(source)
    if receipt is None:
        raise InputError(
            "receipt must be signed with the site's key, which lies in the site's folder; name it "
            "with --site.",
            argument="receipt",
        )
    return receipt.to_text()


def _sign(source: LedgerSource) -> Receipt | None:
    if source.site is None:
        return None
    return Ledger.open(source.path, key=source.site.key).receipt()
