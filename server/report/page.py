"""The report as one self-contained HTML page: no network, no scripts."""

from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from privacy.budget import Unit
from server.report import wording
from server.report.assessment import answer_questions
from server.report.attack_words import explain_absence
from server.report.bars import Bars, choose_bars
from server.report.changes import (
    MEASURES,
    find_row,
    list_changes,
    summarise_changes,
    write_figure,
)
from server.report.consistency import Consistency
from server.report.cost import Round
from server.report.evidence_page import show_attacks, show_audit
from server.report.model import STAMP, Report
from server.report.parts import SIMULATION_MARK, ColumnPicture, Pictures, UtilityRow
from server.report.pictures import draw_bins, draw_differences, draw_distances, draw_levels
from server.report.sites_page import draw_gauge, group_events, group_histories, group_policies

MAX_PICTURED = 36
MAX_ROUNDS = 24
_FILTERS = (
    *(
        "numeral",
        "plural",
        "percent",
        "at_most",
        "at_least",
        "rate",
        "upper",
        "lower",
        "plain",
        "size",
        "duration",
    ),
    *("moment", "unit_words", "adjacency_words", "mechanism_words", "accountant"),
)


def render_html(report: Report) -> str:
    """Return the page; the same report always gives the same text."""
    pictures, utility = report.pictures, report.utility
    changes = list_changes(utility) if utility else ()
    return _template().render(
        report=report,
        promise=report.promise,
        person="record" if report.promise.unit is Unit.RECORD else "person",
        sites=len(report.sites),
        planned=report.is_planned,
        stamp=STAMP,
        epsilon=report.worst_epsilon,
        even=next((belief for belief in report.beliefs if belief.before == 0.5), None),
        gauges=[draw_gauge(site, report.study) for site in report.sites],
        event_groups=group_events(report.sites),
        history_groups=group_histories(report.sites),
        policy_groups=group_policies(report.sites),
        is_adversarial=any(event.steps for site in report.sites for event in site.events),
        **show_audit(report.audit),
        **show_attacks(report.attacks),
        attacks_absent=explain_absence(report) if report.attacks is None else "",
        measures=MEASURES,
        changes=changes,
        changes_summary=summarise_changes(changes),
        released=_released(report),
        real=find_row(utility, "real") if utility else None,
        group_rows=utility.groups if utility else (),
        questions=answer_questions(report),
        purposes=wording.purposes(report.is_of_images),
        consistency=report.consistency,
        target=report.target,
        site_map=_draw_sites(report.consistency),
        images=report.images,
        figures=report.images.figures if report.images else None,
        grids={grid.kind: grid.png for grid in report.images.grids} if report.images else {},
        column_pictures=_draw_columns(pictures) if pictures else [],
        heat_map=_draw_heat_map(pictures) if pictures else None,
        rounds=_shown_rounds(report.cost.rounds),
    )


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("server.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    for name in _FILTERS:
        environment.filters[name] = getattr(wording, name)
    environment.filters["figure"] = write_figure
    environment.globals.update(
        style=Markup(files("server.report").joinpath("style.css").read_text(encoding="utf-8")),
        trained_on=wording.TRAINED_ON,
        explained=wording.EXPLAINED,
        simulation_mark=SIMULATION_MARK,
        hold_out_figures=wording.HOLD_OUT_FIGURES,
        gain_rows=wording.GAIN_ROWS,
        attack_kinds=wording.ATTACK_KINDS,
    )
    return environment.get_template("page.html")


def _draw_sites(consistency: Consistency | None) -> Markup | None:
    if consistency is None or len(consistency.sites) < 3:
        return None
    return draw_differences(
        [site.name for site in consistency.sites],
        consistency.differences,
        "Differences between every two sites, in units of noise",
    )


def _released(report: Report) -> UtilityRow | None:
    """Return the figures of what was published: after the rounds, or else the sketch's."""
    if report.utility is None:
        return None
    return find_row(report.utility, "final") or find_row(report.utility, "sketch")


def _draw_columns(pictures: Pictures) -> list[tuple[ColumnPicture, Bars, Markup]]:
    shown = _most_different(pictures)
    drawn = []
    for column in (pictures.columns[position] for position in shown):
        bars = choose_bars(column)
        label = f"{column.name}: share of rows in each cell, real and synthetic"
        draw = draw_bins if column.is_numeric else draw_levels
        drawn.append((column, bars, draw(bars, label)))
    return drawn


def _draw_heat_map(pictures: Pictures) -> Markup:
    shown = _most_different(pictures)
    return draw_distances(
        [pictures.columns[position].name for position in shown],
        [[pictures.pairwise[row][column] for column in shown] for row in shown],
        "Distances of all pairs of columns between real and synthetic rows, in per cent",
    )


def _most_different(pictures: Pictures) -> list[int]:
    """Return the columns to show: all, or those that differ most where there are too many."""
    positions = range(len(pictures.columns))
    ranked = sorted(positions, key=lambda position: -pictures.columns[position].distance)
    return sorted(ranked[:MAX_PICTURED])


def _shown_rounds(rounds: tuple[Round, ...]) -> list[Round]:
    """Return all rounds, or of many the first, the last and those that lost a reply."""
    if len(rounds) <= MAX_ROUNDS:
        return list(rounds)
    ends = {*range(8), *range(len(rounds) - 8, len(rounds))}
    lost = [index for index, each in enumerate(rounds) if each.rejected or not each.changed]
    return [rounds[index] for index in sorted({*ends, *lost[:MAX_ROUNDS]})]
