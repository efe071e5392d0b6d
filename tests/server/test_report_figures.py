"""Every figure that a person reads on the page is in report.json, where a program finds it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from report_figures import find_unknown_figures, read_numbers
from report_states import STATES

from server.report import Report, render_html, report_to_json


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_every_figure_of_the_page_is_in_report_json(state: Callable[[], Report]) -> None:
    report = state()
    page = render_html(report)
    assert len(read_numbers(page)) > 60
    assert find_unknown_figures(report, page) == set()


@pytest.mark.parametrize(
    ("part", "figure", "change"),
    [
        ("gain", "1.98", {"from_losses": {"true_positive_1_percent": 0.0297}}),
        ("promise", "0.00001", {"delta": 0.00002}),
        ("release", "39,074", {"rows": 39_075}),
    ],
)
def test_a_figure_that_is_on_the_page_alone_is_found(
    part: str, figure: str, change: dict[str, Any]
) -> None:
    report = STATES["deployed"]()
    page = render_html(report)
    content = json.loads(report_to_json(report))
    for name, value in change.items():
        old = content[part][name]
        content[part][name] = {**old, **value} if isinstance(old, dict) else value
    for site in content["sites"]:
        site["delta"] = None
    if content["gain"]:
        content["gain"]["delta"] = content["promise"]["delta"]
    assert figure in find_unknown_figures(Report.model_validate(content), page)
