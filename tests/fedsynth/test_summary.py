"""The last words on the screen say what is known, and no more."""

from __future__ import annotations

import io
from pathlib import Path

from example_report import example_report
from rich.console import Console

from fedsynth.summary import show_summary
from server.report import Report


def shown(report: Report) -> str:
    console = Console(file=io.StringIO(), width=200, color_system=None)
    show_summary(console, report, Path("out"))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_where_ledgers_were_read_all_that_a_site_spent_is_told() -> None:
    assert shown(example_report()).startswith("Each of 4 sites spent at most epsilon 0.9987 of 1")


def test_what_canaries_showed_is_told_where_there_were_any() -> None:
    report = example_report()
    assert report.audit is not None
    assert "Canaries at" in shown(report) or "REFUTED: canaries" in shown(report)
    assert "anaries" not in shown(report.model_copy(update={"audit": None}))


def test_where_ledgers_stay_at_the_sites_the_study_alone_is_told() -> None:
    report = example_report()
    sites = tuple(site.model_copy(update={"ledger_head": None}) for site in report.sites)
    told = shown(report.model_copy(update={"sites": sites}))
    assert told.startswith("On this study each of 4 sites spent at most epsilon 0.9987 of 1")
