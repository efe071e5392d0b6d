"""A report as two files."""

from pathlib import Path

from server.report.model import Report, report_to_json
from server.report.page import render_html


def write_report(report: Report, folder: Path) -> tuple[Path, Path]:
    """Write report.json and report.html into an existing folder and return their paths."""
    content, page = folder / "report.json", folder / "report.html"
    content.write_text(report_to_json(report), encoding="utf-8", newline="\n")
    page.write_text(render_html(report), encoding="utf-8", newline="\n")
    return content, page
