"""What the page says of audits, attacks, refusals and budgets: the bad is loud."""

from __future__ import annotations

import html
import re

from example_report import example_report
from report_states import (
    STATES,
    deployed,
    evaluated,
    failed_audit,
    foreseen_attack,
    persons,
    refused_site,
    succeeding_attack,
    without_pictures,
)

from server.report import Phase, Refusal, SiteAudit, build_refusals, render_html
from server.report.attack_words import ATTACKS_PHASE
from server.report.evidence_page import MAX_LANES, show_audit


def words(page: str) -> str:
    text = re.sub(r"<(style|svg).*?</\1>", " ", page, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", text)).split())


def test_a_refuted_claim_is_loud_at_the_top_in_the_picture_and_in_the_table() -> None:
    page = render_html(failed_audit())
    text = words(page)
    assert text.index("REFUTED. The audit at south") < text.index("Fourteen questions What NIST")
    assert "south 0.822 2.417 2.903 3.491 97 of 100 500 REFUTED" in text
    drawing = page[page.index("Claimed epsilon of each site") : page.index("lower bounds:")]
    assert "south (REFUTED)" in drawing and "var(--bad)" in drawing


def test_an_audit_without_findings_is_no_proof() -> None:
    text = words(render_html(evaluated()))
    assert "REFUTED" not in text and "empirical" not in text
    assert "A bound of 0 means no violation shown" in text
    assert "north 0.822 0 0.041 3.491 57 of 100 500 no violation shown" in text
    assert "95 %" in text


def test_a_site_that_did_not_open_is_named() -> None:
    text = words(render_html(evaluated()))
    assert "east did not open its coins" in text
    assert "2.781 \N{EN DASH} of 50 250 did not open its coins" in text


def test_without_canaries_one_sentence_says_so() -> None:
    assert "Claimed against audited No site planted canaries" in words(render_html(deployed()))


def test_of_many_audited_sites_those_that_matter_are_drawn() -> None:
    audit = example_report().audit
    assert audit is not None
    first, second, silent = audit.sites
    refuted = second.model_copy(update={"site": "bad", "refutes": True})

    def named(number: int) -> SiteAudit:
        return first.model_copy(update={"site": f"s{number}"})

    sites = (*(named(number) for number in range(60)), silent, refuted)
    shown = show_audit(audit.model_copy(update={"sites": sites}))["audits"]
    assert len(shown) == MAX_LANES and refuted in shown and silent in shown


def test_an_attack_that_finds_more_than_the_promise_allows_is_loud() -> None:
    page = render_html(succeeding_attack())
    text = words(page)
    first = "distance to the closest published row found 0.731 (at least 0.714)"
    assert f"MORE THAN THE PROMISE ALLOWS. {first}, and the promise allows 0.576" in text
    assert "MORE THAN THE PROMISE ALLOWS was found by distance to the closest" in text
    assert "0.731 0.714 to 0.748 0.500 guessing 0.576 0.987 2,000 BEYOND THE PROMISE" in text
    assert "(BEYOND)" in page and "Within the promise" not in text
    quiet = words(render_html(without_pictures()))
    assert "SUCCE" not in quiet and "BEYOND" not in quiet and "MORE THAN" not in quiet


def test_success_that_the_promise_allows_is_called_that_and_is_no_alarm() -> None:
    page = render_html(foreseen_attack())
    text = words(page)
    assert "Within the promise: an attack with real records did better than chance" in text
    assert "1 of 4 attacks succeeded, within what the promise allows" in text
    assert "0.576 0.987 2,000 succeeds, within the promise" in text
    assert "BEYOND" not in text and "SUCCEEDS" not in text and 'class="alarm' not in page


def test_an_attack_that_cannot_win_its_control_is_no_evidence() -> None:
    text = words(render_html(foreseen_attack()))
    assert "0.576 0.502 2,000 shows nothing: loses its control" in text
    assert "Nothing follows from the silence of density of published rows" in text
    assert "Nothing follows" not in words(render_html(without_pictures()))


def test_the_page_says_whether_a_control_was_tried_and_what_that_means() -> None:
    report = without_pictures()
    assert report.attacks is not None
    for control, said in ((None, "No control was tried: an attack that cannot"), (True, "all of ")):
        changes = {"control_succeeds": control}
        attacks = tuple(each.model_copy(update=changes) for each in report.attacks.attacks)
        changed = report.attacks.model_copy(update={"attacks": attacks})
        text = words(render_html(report.model_copy(update={"attacks": changed})))
        assert said in text
        assert ("all of them win" in text) == (control is True)


def test_success_is_loud_where_nobody_knows_what_the_promise_allows() -> None:
    report = foreseen_attack()
    assert report.attacks is not None
    first, *others = report.attacks.attacks
    attacks = (first.model_copy(update={"allowed": None}), *others)
    unknown = report.attacks.model_copy(update={"attacks": attacks})
    text = words(render_html(report.model_copy(update={"attacks": unknown})))
    assert "AN ATTACK SUCCEEDED. distance to the closest published row" in text
    assert "0.987 2,000 SUCCEEDS" in text


def test_copies_beyond_the_promise_are_loud_too() -> None:
    report = without_pictures()
    assert report.attacks is not None
    *others, copies = report.attacks.attacks
    for low, said in ((0.1, "BEYOND THE PROMISE"), (0.05, "More than chance, within the promise")):
        found = {"found": 0.11, "low": low, "high": 0.12, "succeeds": True}
        attacks = (*others, copies.model_copy(update=found))
        changed = report.attacks.model_copy(update={"attacks": attacks})
        text = words(render_html(report.model_copy(update={"attacks": changed})))
        assert f"{said} , which allows 6.7" in text
        assert ("MORE THAN THE PROMISE ALLOWS. rows that are equal" in text) == (low == 0.1)


def test_where_none_were_tried_the_page_says_why() -> None:
    assert "only a simulation, or a site by itself, has them" in words(render_html(deployed()))
    report = without_pictures().model_copy(update={"attacks": None})
    assert "switched off in this simulation (--no-attacks)" in words(render_html(report))
    tried = Phase(name=ATTACKS_PHASE, seconds=0.1)
    cost = report.cost.model_copy(update={"phases": (*report.cost.phases, tried)})
    few = words(render_html(report.model_copy(update={"cost": cost})))
    assert "too few rows were held out" in few and "--no-attacks" not in few
    lacking = report.sites[0].model_copy(update={"missing_columns": ("age",)})
    update = {"sites": (lacking, *report.sites[1:])}
    assert "None were tried, because some sites lack columns" in words(
        render_html(report.model_copy(update=update))
    )


def test_attacks_stand_beside_baseline_and_control_and_are_marked() -> None:
    page = render_html(without_pictures())
    part = words(page[page.index('id="attacks"') : page.index('id="promise"')])
    assert "simulation: drawn from real rows" in part
    assert "0.846 0.829 to 0.861 0.842 0.825 to 0.857 guessing 0.761 0.889 0.992" in part
    assert "0.992 2,000 no more than chance" in part
    assert "0.014 to 0.026 \N{EN DASH} \N{EN DASH} 2,000" in part


def test_copies_are_a_duplicate_check_and_no_figure_of_privacy() -> None:
    for state in (without_pictures, succeeding_attack):
        page = render_html(state())
        text = words(page)
        assert "Duplicate check, which is no measure of privacy" in text
        assert not re.search(r"\bDCR\b|privacy score|empirical epsilon", page)
        table = page[page.index(">Attack</th>") : page.index("Duplicate check")]
        assert "equal in all columns" not in table


def test_the_forbidden_word_and_score_occur_in_no_state() -> None:
    for state in STATES.values():
        page = render_html(state().model_copy(update={"pictures": None}))
        assert "anonym" not in page.lower() and "DCR" not in page


def test_sites_that_were_lost_are_named_with_their_code_and_its_meaning() -> None:
    text = words(render_html(refused_site()))
    assert "Not in this release: west, island" in text
    assert "west whether it takes part no-reply no answer came in time" in text
    assert "refused-budget-exceeded its budget for life has too little left" in text
    assert "every site that was asked took part" in words(render_html(deployed()))
    unknown = deployed().model_copy(update={"refusals": None})
    assert "Not recorded in this report" in words(render_html(unknown))


def test_refusals_keep_the_order_in_which_sites_were_lost() -> None:
    left_out = {"sketch": {5: "refused-policy-models"}, "hello": {9: "expired"}, "fit": {1: "x"}}
    found = build_refusals(left_out, {9: "north"})
    assert [(each.site, each.phase) for each in found] == [("north", "hello"), ("5", "sketch")]
    assert found[1].meaning.startswith("its policy")
    assert Refusal(site="a", phase="hello", reason="odd").meaning == ""


def test_a_budget_shows_earlier_studies_this_one_and_what_is_left() -> None:
    page = render_html(persons())
    text = words(page)
    assert "older 2025-02-03 1.524 1.524" in text
    assert "this study 2026-11-22 0.999 1.903" in text
    assert '<i style="width:63.4%"></i><i class="earlier" style="width:50.8%"></i>' in page
    assert "hold this study alone, reserved on 2026-11-22" in words(render_html(without_pictures()))


def test_groups_are_compared_with_real_rows_and_small_ones_named() -> None:
    text = words(render_html(without_pictures()))
    assert "race: Other 41 too few rows to say" in text
    assert "gender: Female 3,221 0.902 0.949 0.0391 0.0331" in text


def test_it_says_whether_every_site_added_canaries() -> None:
    report = evaluated()
    assert report.audit is not None
    some = report.audit.model_copy(update={"sites": report.audit.sites[:1]})
    names = {site.site for site in report.audit.sites}
    theirs = tuple(site for site in report.sites if site.name in names)
    assert "Some sites added canaries" in words(
        render_html(report.model_copy(update={"audit": some}))
    )
    assert "Every site added canaries" in words(
        render_html(report.model_copy(update={"sites": theirs}))
    )


def test_every_mark_of_the_drawing_of_attacks_is_explained() -> None:
    page = render_html(foreseen_attack())
    assert "interval of the baseline, where measured" in words(page)
    assert "(allowed)” after a name: it succeeds, within what the promise allows" in words(page)
    assert "after a name" not in words(render_html(example_report()))


def test_limits_point_to_those_that_stand_elsewhere() -> None:
    page = render_html(example_report())
    limits = page[page.index('id="limits"') : page.index('id="software"')]
    for target in re.findall(r'href="#([\w-]+)"', limits):
        assert f'id="{target}"' in page
    assert "What is not promised?" in words(page[page.index('id="question-13"') :])[:60]
    assert "More limits stand where they belong" in words(limits)
