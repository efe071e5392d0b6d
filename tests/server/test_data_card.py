"""The card of a release: one page that promises no more than the report."""

from __future__ import annotations

from example_report import SITES, example_report

from server.data_card import render_data_card


def test_it_says_what_the_release_is_promises_and_is_not() -> None:
    card = render_data_card(example_report())
    assert card.startswith("# Synthetic census from four sites\n")
    for title in ("What it is", "What is promised", "How it was made", "How good it is"):
        assert f"\n## {title}\n" in card
    assert "epsilon at most 1 at delta 0.00001, for one record" in card
    assert ", ".join(SITES) in card
    assert "A simulation only" in card
    assert "0.899; trained on real rows: 0.928 (simulation: drawn from real rows)" in card
    assert "95 % interval 0.842 to 0.946" in card
    assert "can spoil the quality of the release" in card
    assert "fedsynth verify" in card


def test_it_never_says_anonymous_and_stays_a_page() -> None:
    card = render_data_card(example_report())
    assert "anonym" not in card.lower()
    assert len(card.splitlines()) <= 60


def test_without_a_promise_it_says_so_first() -> None:
    promise = example_report().promise.model_copy(update={"epsilon": None, "delta": None})
    bare = example_report().model_copy(
        update={"private": False, "stamp": "NOT DIFFERENTIALLY PRIVATE", "promise": promise}
    )
    card = render_data_card(bare)
    assert card.splitlines()[2] == "**NOT DIFFERENTIALLY PRIVATE**"
    assert "epsilon at most" not in card


def test_without_measurements_it_invents_none() -> None:
    blind = example_report().model_copy(update={"utility": None, "evaluation": None})
    assert "Not measured" in render_data_card(blind)


def test_names_are_read_as_they_are() -> None:
    release = example_report().release.model_copy(update={"columns": ("a_b", "<b>x</b>")})
    card = render_data_card(example_report().model_copy(update={"release": release}))
    assert r"a\_b, \<b\>x\</b\>" in card


def test_a_distance_stands_beside_that_of_real_rows_where_it_is_known() -> None:
    report = example_report()
    assert report.utility is not None
    assert "; of other real rows: 0." in render_data_card(report)
    rows = tuple(row for row in report.utility.rows if row.kind != "floor")
    alone = report.utility.model_copy(update={"rows": rows})
    assert ", best is 0" in render_data_card(report.model_copy(update={"utility": alone}))
