"""A rehearsal beside a node that runs, and what it still refuses."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tiny_sites import write_site

from client.site import Site, load_site
from fedsynth.site import rehearsal
from fedsynth.site.rehearsal import rehearse
from privacy import LedgerBroken


def lengthen(site: Site) -> None:
    """Do what a running node does: add to the ledger and renew the receipt."""
    tighter = site.ledger.policy.model_copy(
        update={"epsilon": site.ledger.policy.epsilon * 0.9, "epsilon_per_study": None}
    )
    site.ledger.change_policy(tighter)
    site.give_receipt()


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = write_site(tmp_path / "north")
    site.give_receipt()
    return site


def test_a_ledger_that_grows_after_it_was_copied_is_no_alarm(site: Site) -> None:
    tight = site.config.policy.model_copy(
        update={"epsilon": site.config.policy.epsilon * 0.5, "epsilon_per_study": None}
    )
    asked = replace(site, config=site.config.model_copy(update={"policy": tight}))
    with rehearse(asked) as rehearsed:
        lengthen(site)
        assert rehearsed.ledger.policy.epsilon == tight.epsilon
    assert site.last_receipt is not None and site.last_receipt.entries == len(site.ledger.entries())


def test_a_ledger_that_grows_between_receipt_and_copy_is_no_alarm(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_rows = rehearsal.read_rows

    def read_late(path: Path) -> object:
        rows = read_rows(path)
        lengthen(site)
        return rows

    monkeypatch.setattr(rehearsal, "read_rows", read_late)
    with rehearse(replace(site)) as rehearsed:
        assert rehearsed.ledger.entries()


def test_a_ledger_that_was_put_back_is_refused_in_a_rehearsal_too(site: Site) -> None:
    path = site.folder / site.config.ledger
    old = path.read_bytes()
    lengthen(site)
    path.write_bytes(old)
    for left in site.folder.glob(f"{path.name}-*"):
        left.unlink()
    with rehearse(replace(site)) as rehearsed, pytest.raises(LedgerBroken, match="receipt"):
        rehearsed.ledger  # noqa: B018


def test_a_receipt_given_in_a_rehearsal_stays_in_it(site: Site) -> None:
    held = site.last_receipt
    with rehearse(replace(site)) as rehearsed:
        lengthen(rehearsed)
    assert load_site(site.folder).last_receipt == held
