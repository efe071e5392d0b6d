"""A site with a copy of its ledger, so that its own code can decide and nothing can be charged."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from client.site import Site
from privacy.ledger_file import append, create_file, read_rows, transaction


@contextmanager
def rehearse(site: Site) -> Iterator[Site]:
    """Yield the same site with a copy of its ledger and of its last receipt, gone afterwards.

    A policy that was tightened in the site's file is in force in the copy, as it will be in the
    ledger itself when a study comes.

    Args:
        site: the data site; its ledger must be whole.
    """
    # The receipt first: a node that runs here may lengthen the ledger and renew it meanwhile.
    receipt = site.last_receipt
    first, *others = read_rows(site.folder / site.config.ledger)
    with tempfile.TemporaryDirectory(prefix="fedsynth-check-") as scratch:
        copy = Path(scratch).resolve() / "ledger.sqlite"
        held = copy.with_name("last.receipt")
        if receipt is not None:
            held.write_text(receipt.to_text(), encoding="ascii")
        create_file(copy, first)
        with transaction(copy) as connection:
            append(connection, others)
        config = site.config.model_copy(update={"ledger": str(copy)})
        yield replace(site, config=config, receipt_file=str(held))
