"""Receipts of a release lie in files that every system can hold."""

from __future__ import annotations

from pathlib import Path

import pytest
from example_report import SITES, example_report

from privacy import Receipt
from server.release import write_receipts
from server.report import Report


def report_of(names: tuple[str, ...]) -> Report:
    report = example_report()
    sites = [
        site.model_copy(update={"name": name})
        for site, name in zip(report.sites, names, strict=True)
    ]
    return report.model_copy(update={"sites": tuple(sites)})


def written(folder: Path, report: Report) -> dict[str, str]:
    write_receipts(report, folder / "receipts")
    return {path.name: path.read_text() for path in (folder / "receipts").iterdir()}


def test_each_receipt_is_one_line_in_a_file_called_by_its_site(tmp_path: Path) -> None:
    report = example_report()
    files = written(tmp_path, report)
    assert set(files) == {f"{name}.txt" for name in SITES}
    for site in report.sites:
        assert site.receipt is not None
        assert files[f"{site.name}.txt"] == site.receipt.text + "\n"
        assert Receipt.from_text(files[f"{site.name}.txt"]).head == site.receipt.head


@pytest.mark.parametrize(
    "odd", ["../north", "a/b", "..", ".hidden", "Süd", "x" * 100, "South", "a:b", "end ", ""]
)
def test_names_that_cannot_be_files_give_way_to_numbers(tmp_path: Path, odd: str) -> None:
    files = written(tmp_path, report_of(("north", "south", "east", odd)))
    assert set(files) == {f"site-{number}.txt" for number in (1, 2, 3, 4)}
    assert [path.name for path in tmp_path.iterdir()] == ["receipts"]


def test_without_receipts_there_is_no_folder(tmp_path: Path) -> None:
    report = example_report()
    sites = [site.model_copy(update={"receipt": None}) for site in report.sites]
    write_receipts(report.model_copy(update={"sites": tuple(sites)}), tmp_path / "receipts")
    assert list(tmp_path.iterdir()) == []
