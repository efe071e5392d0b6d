"""The page and report.json show what each site counted, where a strategy discounts some."""

from __future__ import annotations

import json

from report_states import without_pictures

from server.report import Report, Strategy, render_html, report_from_json, report_to_json
from server.report.strategy import SiteWeight


def discounted() -> Report:
    weights = (
        SiteWeight(name="north", declared=0.6, used=0.41, distance=4.23),
        SiteWeight(name="south", declared=0.4, used=0.59, distance=None),
    )
    strategy = Strategy(name="similarity", weights=weights)
    return without_pictures().model_copy(update={"strategy": strategy})


def test_the_page_shows_every_sites_weight() -> None:
    page = render_html(discounted())
    assert "<b>similarity</b>" in page
    for words in ("60%", "41%", "4.23", "40%", "59%", "not compared"):
        assert words in page.replace("\N{NO-BREAK SPACE}", "").replace(" %", "%")


def test_a_page_without_discounts_has_no_such_table() -> None:
    assert "Weight in the average" not in render_html(without_pictures())


def test_weights_come_back_from_their_file() -> None:
    text = report_to_json(discounted())
    assert json.loads(text)["strategy"]["weights"][0]["used"] == 0.41
    assert report_from_json(text).strategy == discounted().strategy
