import html
import re
import time
from collections.abc import Callable
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

import pytest
from example_report import STUDY, example_cost, example_report
from report_states import deployed, not_private, without_pictures

from server.report import (
    STAMP,
    Event,
    Report,
    Totals,
    UtilityRow,
    render_html,
    report_from_json,
    write_report,
)

VOID = {"meta", "br", "use", "path"}


@pytest.fixture(scope="module")
def page() -> str:
    return rendered("simulated")


@cache
def rendered(name: str) -> str:
    return render_html(VARIANTS[name]())


VARIANTS: dict[str, Callable[[], Report]] = {
    "simulated": example_report,
    "deployed": deployed,
    "not private": not_private,
}
every_variant = pytest.mark.parametrize("variant", VARIANTS)


def words(page: str) -> str:
    """Return what a person reads: no style, no tags, single spaces."""
    text = re.sub(r"<style.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


class TagChecker(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.ids += [values["id"] or ""] if "id" in values else []
        self.links += [values["href"] or ""] if "href" in values else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag


@every_variant
def test_pages_are_well_formed_and_their_links_lead_somewhere(variant: str) -> None:
    checker = TagChecker()
    checker.feed(rendered(variant))
    assert checker.open == []
    inner = [link for link in checker.links if link.startswith("#")]
    assert {link[1:] for link in inner} <= set(checker.ids)


@every_variant
def test_pages_load_nothing_and_run_nothing(variant: str) -> None:
    text = rendered(variant)
    assert "default-src 'none'" in text
    assert not re.search(r"<(script|img|link|iframe|image|object)\b", text)
    assert not re.search(r"\bon\w+=|url\((?!#)|@import", text)
    outside = {link for link in re.findall(r'(?:href|src)="([^"]*)"', text) if link[0] != "#"}
    assert outside == set()


@every_variant
def test_the_word_that_promises_too_much_never_occurs(variant: str) -> None:
    assert "anonym" not in rendered(variant).lower()


def test_the_same_report_gives_the_same_page_quickly(page: str) -> None:
    start = time.perf_counter()
    again = render_html(example_report())
    assert time.perf_counter() - start < 5
    assert again == page


def test_the_first_words_say_what_epsilon_means(page: str) -> None:
    text = words(page)
    beginning = text[: text.index("1. How large is the privacy loss?")]
    assert "Four sites made this table together: 39,074 invented rows with 13 columns" in beginning
    assert "ε = 1" in beginning
    assert "50 % → 73.2 %" in beginning
    assert "at most 0.999 at any site" in beginning
    assert "0.899 of 0.928" in beginning
    assert "This is a simulation" in beginning
    assert "6 of 7 better" in beginning and "one became worse" in beginning


def test_the_promise_is_whole(page: str) -> None:
    text = words(page)
    for phrase in (
        "1 and 0.00001, at each site",
        "one record (one row of a site's table, or one image)",
        "add or remove one",
        "pays the sum of theirs",
        "PLD, from the events",
        "seeded simulation",
        "even if they work together",
        "What is not promised",
        "it finds while it wrongly accuses 1 % of the others 1 % 1.98 % 2.72 %",
    ):
        assert phrase in text


def test_all_figures_are_on_the_page_rounded_to_the_safe_side(page: str) -> None:
    text = words(page)
    for figure in ("0.999", "1.105", "1.009", "0.001", "30 %", "4.459", "0.0262", "240", "0.498"):
        assert figure in text
    for figure in ("0.928", "0.0334", "0.0311", "0.764", "10.4 MB", "3 of 4", "no-reply"):
        assert figure in text


def test_what_the_rounds_changed_is_said_up_and_down(page: str) -> None:
    text = words(page)
    assert "worsened two-sample AUC" in text
    assert "Two-sample AUC 0.761 0.764 +0.003 ▼ worse" in text
    assert "Two-way distance 0.0334 0.0311 \N{MINUS SIGN}0.0023 ▲ better" in text


def test_everything_drawn_from_real_rows_is_marked(page: str) -> None:
    assert page.count("simulation: drawn from real rows") >= 4
    assert page.count("<svg") == 17
    assert "exactly 0" in page


def test_a_deployed_study_says_in_words_what_it_cannot_show() -> None:
    text = words(rendered("deployed"))
    assert "Not measured" in text
    assert "in a deployed study nobody may, so this page has none" in text
    assert "Pictures of real rows beside synthetic ones are drawn only in simulations" in text
    assert "drawn from real rows" not in text and "This is a simulation" not in text
    assert "Randomness the operating system's entropy" in text


def test_a_plan_is_not_told_as_a_ledger_that_was_read() -> None:
    text, simulated = words(rendered("deployed")), words(rendered("simulated"))
    for planned, read in (
        ("Everything that leaves a site for this study", "in the whole life of its data set"),
        ("events that the study planned for each site", "from the events in each site's ledger"),
        ("What each site spent on this study", "Site Budget Spent (PLD) RDP PRV Left"),
        ("Site Study's budget Planned (PLD) RDP PRV Adversarial", "Spent in all: at most"),
        ("from everything released for this study,", "from everything released, whatever else"),
        ("Planned for this study: at most 0.999 at any site.", "Events in the ledgers of"),
        ("Events that the study planned for north, south", "list of events in each site's ledger"),
        ("from the list of events that the study planned.", "Yes: the ledgers hold this study"),
    ):
        assert planned in text and read not in text
        assert planned not in simulated and read in simulated


def test_without_privacy_every_part_says_so() -> None:
    text = rendered("not private")
    assert text.count(STAMP) >= 6
    assert f"<title>{STAMP}" in text
    assert "Do not publish" in text
    assert "73.2" not in words(text) and "ε =" not in text


def test_titles_and_categories_cannot_break_out_of_the_page() -> None:
    report = example_report()
    assert report.pictures is not None
    column = report.pictures.columns[1]
    labels = ("<script>alert(1)</script>", "a$b$^2", *column.labels[2:])
    evil = column.model_copy(update={"labels": labels, "name": '"><script>'})
    pictures = report.pictures.model_copy(update={"columns": (evil, *report.pictures.columns[1:])})
    text = render_html(report.model_copy(update={"title": "<script>", "pictures": pictures}))
    assert "<script" not in text
    assert "a$b$^2" in text


def test_a_ledger_with_earlier_studies_sets_the_figures() -> None:
    report = without_pictures().model_copy(update={"gain": None})
    older = Event(
        study="older", purpose="sketch", mechanism="gaussian", noise_multiplier=2, epsilon=1.9
    )
    north = report.sites[0].model_copy(
        update={
            "budget": 3.0,
            "left": 0.8,
            "events": (older, *report.sites[0].events),
            "total": Totals(pld=2.2),
        }
    )
    text = words(render_html(report.model_copy(update={"sites": (north, *report.sites[1:])})))
    assert "What epsilon 2.2 means for a belief" in text
    assert "50 % → 90.1 %" in text
    assert "earlier study older" in text
    assert "the ledgers also hold one earlier study" in text
    assert "Events in the ledgers of south, east and west" in text


def test_spending_above_the_budget_is_called_out() -> None:
    report = without_pictures()
    north = report.sites[0].model_copy(update={"total": Totals(pld=1.2), "left": 0.0})
    text = words(render_html(report.model_copy(update={"sites": (north, *report.sites[1:])})))
    assert "1.2 over budget" in text


def test_large_epsilon_is_called_weak() -> None:
    report = without_pictures()
    promise = report.promise.model_copy(update={"epsilon": 60.0})
    assert "This is a weak promise" in render_html(report.model_copy(update={"promise": promise}))


def test_long_studies_show_the_ends_and_lost_replies() -> None:
    text = words(render_html(without_pictures().model_copy(update={"cost": example_cost(300)})))
    assert "Rounds: 16 of 300" in text
    assert "no-reply" in text


def test_a_sketch_alone_is_a_release_without_changes() -> None:
    report = without_pictures()
    assert report.utility is not None
    rows = tuple(row for row in report.utility.rows if row.kind != "final")
    utility = report.utility.model_copy(update={"rows": rows})
    text = words(render_html(report.model_copy(update={"utility": utility})))
    assert "0.895 of 0.928" in text
    assert "What the adversarial rounds changed" not in text


def test_an_almost_empty_report_is_a_page() -> None:
    report = without_pictures()
    bare = report.model_copy(
        update={
            "utility": report.utility.model_copy(update={"rows": (UtilityRow(kind="final"),)})
            if report.utility
            else None,
            "cost": example_cost(2).model_copy(update={"phases": (), "rounds": (), "traffic": ()}),
            "limits": (),
            "software": (),
            "sites": (),
            "command": None,
        }
    )
    assert "None were stated" in render_html(bare)


def test_files_hold_the_report_and_nothing_of_this_machine(tmp_path: Path) -> None:
    content, page = write_report(example_report(), tmp_path)
    assert report_from_json(content.read_text(encoding="utf-8")) == example_report()
    assert page.read_bytes() == rendered("simulated").encode()
    assert str(tmp_path) not in page.read_text(encoding="utf-8")
    assert STUDY in page.read_text(encoding="utf-8")
