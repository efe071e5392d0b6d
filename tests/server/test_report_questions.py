"""The fourteen questions of an evaluator: each has its heading and an answer in every report."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

import pytest
from example_report import example_report
from report_states import (
    STATES,
    deployed,
    evaluated,
    failed_audit,
    foreseen_attack,
    not_private,
    persons,
    succeeding_attack,
    without_pictures,
)

from server.report import Report, render_html
from server.report.assessment import answer_questions

TOPICS = (
    *("privacy loss", "protect", "alike", "total", "mechanism", "pre-processing", "failed"),
    *("work together", "floating point", "audited", "useful", "secured", "not promised"),
    "command",
)


def answers(report: Report) -> list[str]:
    return [question.answer for question in answer_questions(report)]


@pytest.mark.parametrize("state", STATES.values(), ids=STATES)
def test_each_question_has_a_heading_and_an_answer_in_words(state: Callable[[], Report]) -> None:
    page = render_html(state().model_copy(update={"pictures": None}))
    found = re.findall(r'<h3 id="question-(\d+)">(.*?)</h3><p>(.*?)</p>', page, re.DOTALL)
    assert [int(number) for number, _, _ in found] == list(range(1, 15))
    for (number, title, answer), topic in zip(found, TOPICS, strict=True):
        assert html.unescape(title).startswith(f"{number}. ") and topic in title
        assert 5 <= len(re.sub(r"<[^>]+>", "", answer).split()) <= 130
        assert answer.rstrip().endswith(".")


def test_they_come_first_and_then_what_an_attacker_gains() -> None:
    page = render_html(without_pictures())
    places = [page.index(f'<section id="{name}"') for name in ("questions", "gain", "audit")]
    assert places == sorted(places)
    assert page.index("<section") < places[0] < page.index('<section id="promise"')


def test_answers_come_from_the_reports_own_fields() -> None:
    loss, _, neighbours, total, mechanism, *_, command = answers(example_report())
    assert "epsilon 1 at delta 0.00001" in loss and "more than 0.999" in loss
    assert "about 39,120, counted under noise" in loss
    assert "add or remove one" in neighbours and "this study only" in total
    assert "Poisson sample" in mechanism and "in each site's ledger" in mechanism
    assert example_report().command is not None and example_report().command in command
    assert "fedsynth verify DIR" in command


def test_a_sketch_alone_samples_nothing() -> None:
    report = example_report()
    sites = tuple(s.model_copy(update={"events": s.events[:1]}) for s in report.sites)
    assert "nothing is sampled" in answers(report.model_copy(update={"sites": sites}))[4]


def test_persons_are_told_from_records() -> None:
    one, other = answers(example_report()), answers(persons())
    assert "with several rows is protected less" in one[1]
    assert "However many rows a person has" in other[1]
    assert "one earlier study" in other[3]


def test_what_is_planned_is_not_told_as_a_total() -> None:
    found = answers(deployed())
    assert found[3].startswith("No: this page counts this study only")
    assert "that the study planned" in found[4]
    assert "operating system" in found[8] and "seed" not in found[8]
    assert found[13].startswith("It cannot be repeated")


def test_side_channels_are_named() -> None:
    trust, randomness, *_ = answers(deployed())[7:]
    assert "even if they work together" in trust
    assert "last digits" in randomness and "how long a site takes" in randomness


def test_audits_and_attacks_are_told_the_bad_first() -> None:
    assert "No site planted canaries" in answers(deployed())[9]
    good = answers(example_report())[9]
    assert "lower bound on epsilon is 0.203" in good and "0 means no violation shown" in good
    assert "None of 4 attacks" in good
    assert answers(failed_audit())[9].startswith("REFUTED: canaries at south")
    assert answers(succeeding_attack())[9].startswith("MORE THAN THE PROMISE ALLOWS was found by")
    assert "1 of 4 attacks succeeded, within" in answers(foreseen_attack())[9]
    report = evaluated()
    assert report.audit is not None
    silent = report.audit.model_copy(update={"sites": report.audit.sites[2:]})
    assert "none opened" in answers(report.model_copy(update={"audit": silent}))[9]


def test_the_group_that_is_served_worst_is_named() -> None:
    assert (
        "race Amer-Indian-Eskimo loses most: 0.853, where a model from real rows reaches 0.924"
        in answers(example_report())[10]
    )
    assert "0.84 to 0.95" in answers(evaluated())[10]
    assert answers(deployed())[10].startswith("Not measured")


def test_without_privacy_most_answers_are_no_in_words() -> None:
    found = answers(not_private())
    assert sum(bool(re.match(r"No\b|Nobody|Nothing|There (is|was) no", a)) for a in found) >= 9
    assert "epsilon" not in " ".join(found[:13])
