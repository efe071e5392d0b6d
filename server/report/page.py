"""The report as one self-contained HTML page: no network, no scripts."""

from functools import cache
from importlib.resources import files

import jinja2
from markupsafe import Markup

from server.report import wording
from server.report.assessment import answer_questions
from server.report.bars import Bars, choose_bars
from server.report.changes import (
    MEASURES,
    find_row,
    list_changes,
    summarise_changes,
    write_figure,
)
from server.report.guarantee import (
    PRIORS,
    compute_belief,
    compute_detection_rate,
    worst_epsilon,
)
from server.report.model import STAMP, Report
from server.report.parts import SIMULATION_MARK, ColumnPicture, Event, Pictures, Policy, Round, Site
from server.report.pictures import draw_bins, draw_distances, draw_levels

MAX_PICTURED = 36
MAX_ROUNDS = 24


def render_html(report: Report) -> str:
    """Return the page; the same report always gives the same text."""
    epsilon, delta = worst_epsilon(report), report.promise.delta
    pictures, utility = report.pictures, report.utility
    changes = list_changes(utility) if utility else ()
    return _template().render(
        report=report,
        stamp=STAMP,
        epsilon=epsilon,
        beliefs=[compute_belief(epsilon, prior) for prior in PRIORS] if epsilon else [],
        even=compute_belief(epsilon, 0.5) if epsilon else None,
        detection=compute_detection_rate(epsilon, delta, 0.01) if epsilon and delta else None,
        event_groups=_group_events(report.sites),
        policy_groups=_group_policies(report.sites),
        measures=MEASURES,
        changes=changes,
        changes_summary=summarise_changes(changes),
        released=_released(report),
        real=find_row(utility, "real") if utility else None,
        questions=answer_questions(report),
        column_pictures=_draw_columns(pictures) if pictures else [],
        heat_map=_draw_heat_map(pictures) if pictures else None,
        rounds=_shown_rounds(report.cost.rounds),
    )


@cache
def _template() -> jinja2.Template:
    folder = files("server.report")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for name in (
        *("numeral", "plural", "percent", "upper", "lower", "plain", "size", "duration", "moment"),
        *("unit_words", "adjacency_words", "mechanism_words", "accountant"),
    ):
        environment.filters[name] = getattr(wording, name)
    environment.filters["figure"] = write_figure
    environment.globals.update(
        style=Markup(folder.joinpath("style.css").read_text(encoding="utf-8")),
        trained_on=wording.TRAINED_ON,
        explained=wording.EXPLAINED,
        purposes=wording.PURPOSES,
        simulation_mark=SIMULATION_MARK,
        hold_out_figures=wording.HOLD_OUT_FIGURES,
    )
    return environment.from_string(folder.joinpath("template.html").read_text(encoding="utf-8"))


def _released(report: Report) -> object:
    """Return the figures of what was published: after the rounds, or else the sketch's."""
    if report.utility is None:
        return None
    return find_row(report.utility, "final") or find_row(report.utility, "sketch")


def _group_events(sites: tuple[Site, ...]) -> list[tuple[list[str], tuple[Event, ...]]]:
    """Put sites with the same ledger together: with sixty sites that is one table, not sixty."""
    groups: dict[tuple[Event, ...], list[str]] = {}
    for site in sites:
        groups.setdefault(site.events, []).append(site.name)
    return [(names, events) for events, names in groups.items()]


def _group_policies(sites: tuple[Site, ...]) -> list[tuple[list[str], Policy]]:
    groups: dict[Policy, list[str]] = {}
    for site in sites:
        if site.policy is not None:
            groups.setdefault(site.policy, []).append(site.name)
    return [(names, policy) for policy, names in groups.items()]


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
