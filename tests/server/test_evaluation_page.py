"""The page about hold-outs: beside exact figures in a simulation, alone in a deployment."""

from __future__ import annotations

import html
import re

from example_report import example_evaluation
from report_states import deployed, evaluated, without_pictures

from server.report import Evaluation, Report, render_html


def words(page: str) -> str:
    text = re.sub(r"<style.*?</style>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def too_few_answers() -> Report:
    missing = Evaluation(asked=4, answered=1, synthetic_rows=10_000)
    return deployed().model_copy(update={"evaluation": missing})


def test_figures_of_the_hold_out_stand_beside_the_exact_ones_in_a_simulation() -> None:
    text = words(render_html(without_pictures()))
    beginning = text.index("Measured on hold-out units, under noise")
    for phrase in (
        "3 of 4 sites answered, with about 2,954 hold-out records together (2,871 to 3,037)",
        "only figures about usefulness that leave a site",
        "0.041 0.000 to 0.112 0.022 inside",
        "0.894 0.842 to 0.946 0.901 inside",
        "Not counted: east (no-reply)",
        "46.6 (columns), 80.7 (pairs), 12.9 (scores)",
    ):
        assert phrase in text[beginning:], phrase


def test_an_interval_that_misses_says_so() -> None:
    evaluation = example_evaluation()
    first = evaluation.figures[0].model_copy(update={"exact": 0.2})
    figures = (first, *evaluation.figures[1:])
    missed = evaluation.model_copy(update={"figures": figures})
    text = words(render_html(without_pictures().model_copy(update={"evaluation": missed})))
    assert "0.021 0.000 to 0.048 0.200 outside" in text


def test_an_interval_that_holds_everything_is_said_to_say_nothing() -> None:
    evaluation = example_evaluation()
    auc = evaluation.figures[2].model_copy(update={"low": 0.0, "high": 1.0, "exact": None})
    vague = evaluation.model_copy(update={"figures": (*evaluation.figures[:2], auc)})
    text = words(render_html(evaluated().model_copy(update={"evaluation": vague})))
    assert text.count("says nothing") == 2
    assert "0.000 to 1.000 says nothing: too few held out" in text
    assert "is 0.00 to 1.00 (95 % interval), which says nothing: too few are held out." in text
    assert "never met: too few are held out to tell" in text
    assert "says nothing" not in words(render_html(evaluated()))


def test_a_deployed_study_shows_what_was_measured_under_noise_and_nothing_exact() -> None:
    text = words(render_html(evaluated()))
    assert "0.84 to 0.95 How well a model trained on the invented rows predicts" in text
    assert "0.041 0.000 to 0.112" in text
    assert "inside" not in text and "drawn from real rows" not in text
    assert "the total is the larger of the two parts" in text


def test_an_evaluation_that_too_few_answered_is_said_to_be_missing() -> None:
    text = words(render_html(too_few_answers()))
    assert "Missing: 1 of 4 sites answered, which is fewer than the study needs" in text
