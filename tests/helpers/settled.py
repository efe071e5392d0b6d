"""What must hold when a study is over, whatever happened to it on the way."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from federation import Federation

from privacy import LedgerEntry, State
from server.report import Report, report_from_json
from server.study import load_study


def report_of(lab: Federation, study: str) -> Report:
    return report_from_json((lab.release(study) / "report.json").read_text(encoding="utf-8"))


def rounds_of(lab: Federation, study: str) -> list[list[str]]:
    """Sites whose answer counted, round by round."""
    finished = ("round-finished", "round-void")
    return [sorted(e["valid"]) for e in lab.events(study) if e["event"] in finished]


def rejections_of(lab: Federation, study: str) -> list[dict[str, str]]:
    """What the report says of the sites that did not count, round by round."""
    rounds = report_of(lab, study).cost.rounds
    return [{no.site: no.reason for no in each.rejected} for each in rounds if each.number > 0]


def check_release(lab: Federation, study: str) -> None:
    """The release is whole, and nothing half-written lies beside it or in the checkpoint."""
    assert (lab.release(study) / "synthetic.parquet").exists()
    assert report_of(lab, study).release.rows > 0
    checkpoint = lab.server / "studies" / study / "checkpoint"
    assert all(path.suffix in (".safetensors", ".json") for path in checkpoint.iterdir())
    check_nothing_half_written(lab)


def check_nothing_half_written(lab: Federation) -> None:
    releases = lab.server / "releases"
    assert not list(releases.glob(".*")) if releases.exists() else True


def check_paid_once(lab: Federation, study: Path, *sites: str) -> None:
    """Each site's ledger holds the study once, at its planned price, and every answer once."""
    settings = load_study(study)
    plan = settings.make_plan()
    for site in sites:
        entries = entries_of(lab, site, settings.name)
        reserved = [entry for entry in entries if entry.state is State.RESERVED]
        assert len({entry.reservation for entry in reserved}) == 1
        assert tuple(entry.event for entry in reserved) == tuple(plan.events())
        kept = Counter(entry.note for entry in entries if entry.note.endswith("-kept"))
        assert set(kept.values()) <= {1}, (site, kept)


def check_closed(lab: Federation, study: Path, *sites: str) -> None:
    """Each site took part to the end and paid once."""
    check_paid_once(lab, study, *sites)
    for site in sites:
        assert entries_of(lab, site, load_study(study).name)[-1].state is State.DONE


def check_epsilon(lab: Federation, site: str, study: Path) -> None:
    """A site that took part in one study alone has spent what that planned."""
    planned = load_study(study).make_plan().epsilon
    assert lab.ledger(site).epsilon() == pytest.approx(planned, rel=1e-6)


def entries_of(lab: Federation, site: str, study: str) -> list[LedgerEntry]:
    """What a site's ledger holds of one study, verified."""
    entries = lab.ledger(site).entries()
    reserved = {e.reservation for e in entries if e.state is State.RESERVED and e.study == study}
    return [entry for entry in entries if entry.reservation in reserved]
