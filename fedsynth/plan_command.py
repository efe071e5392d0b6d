"""What a study would cost each site and may be worth, before anything runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console

from fedsynth.console import say
from fedsynth.event_cells import make_event_table
from fedsynth.forecast_view import show_forecast, show_image_forecast
from fedsynth.plan_inputs import find_circumstances, outlook_of, study_of
from privacy import SitePlan, compute_epsilon
from server.planning import (
    Circumstances,
    Forecast,
    ImageCircumstances,
    ImageForecast,
    RoundsOutlook,
    forecast_images,
    leave_open,
    load_reference,
    make_forecast,
)
from server.study import AUTO, Study
from simulations.settings import plan_of, read_settings
from strategies.rules import usual_settings

_MORE = (
    "Give --schema FILE and --rows N (what a site declares, an order of magnitude) and --sites N "
    "to see noise, traffic and what quality to expect."
)
_OPEN = (
    "This study names nothing of adversarial rounds: a simulation chooses them by the rows of its "
    "sites, so what is above may change with --rows."
)


def show_plan(
    console: Console,
    path: Path,
    *,
    schema: Path | None = None,
    sites: int | None = None,
    rows: str | None = None,
    as_json: bool = False,
) -> None:
    """Print the plan that every site would compute from this study, and what it promises.

    Raises:
        InputError: if the study file or an option cannot be used, also where the file is about a
            simulation.
    """
    content, settings = read_settings(path, study={}, simulation={})
    where = find_circumstances(content, settings, schema=schema, sites=sites, rows=rows)
    study = study_of(content, settings, where)
    plan = plan_of(study)
    for epsilon in settings.site_epsilons:
        plan_of(study, epsilon)
    outlook = outlook_of(content, settings, where)
    forecast: Forecast | ImageForecast | None = None
    if isinstance(where, ImageCircumstances):
        forecast = forecast_images(study, plan, where)
    elif where is not None:
        forecast = make_forecast(study, plan, where, load_reference())
    if as_json:
        text = json.dumps(_to_dict(study, plan, outlook, forecast), indent=2)
        console.print(text, markup=False, highlight=False, soft_wrap=True)
        return
    _show_events(console, study, plan)
    if content.get("adversarial_share") == AUTO:
        say(
            console,
            f"The split that was chosen: adversarial_share = {study.adversarial_share:g} and "
            f"rounds = {study.rounds}. Write these into a study that sites are to see.",
        )
    if outlook is not None and isinstance(where, Circumstances):
        say(console, _describe_outlook(study, outlook, where.noun))
    say(console, _describe_strategy(study))
    if forecast is None:
        say(console, _MORE)
        if settings.model_fields_set and leave_open(content) != content:
            say(console, _OPEN)
    elif isinstance(forecast, ImageForecast):
        show_image_forecast(console, study, forecast)
    else:
        show_forecast(console, study, forecast, load_reference())


def _show_events(console: Console, study: Study, plan: SitePlan) -> None:
    title = f"Study {study.name}: what each site would spend"
    console.print(make_event_table(title, plan.events(), study.delta))
    total, rdp = plan.epsilon, compute_epsilon(plan.events(), study.delta, "rdp")
    say(
        console,
        f"All together: epsilon {total:.4f} of {study.epsilon:g} at delta {study.delta:g} "
        f"(PLD; RDP says {rdp:.4f}), one record, or person, added or removed. "
        "Epsilons of single events do not add up. Nothing has run and nothing was spent.",
    )


def _describe_outlook(study: Study, outlook: RoundsOutlook, noun: str) -> str:
    """Return what the planner chose, and by which numbers."""
    return (
        f"Adversarial rounds: {study.rounds or 'none'}; a site's own sketch of "
        f"{outlook.nominal_units:,} {noun} would have a signal of {outlook.site_signal:,.1f} with "
        f"the whole budget, and rounds pay from {outlook.rounds_pay_from:g} on."
    )


def _describe_strategy(study: Study) -> str:
    """Return by which rule sites' results would become one, and what it stands."""
    settings = usual_settings(study.strategy)
    given = ", ".join(f"{name} = {getattr(study, name):g}" for name in settings)
    stands = (
        f"a study with at least {study.minimum_sites} sites stands {study.bad_sites} that answer "
        "whatever they like; the coordinator holds all replies of a round."
        if "bad_sites" in settings
        else "one bad site can spoil what comes of it."
    )
    return f"Strategy: {study.strategy}{f' ({given})' if given else ''}; {stands}"


def _to_dict(
    study: Study,
    plan: SitePlan,
    outlook: RoundsOutlook | None,
    forecast: Forecast | ImageForecast | None,
) -> dict[str, Any]:
    """Return plan and forecast as plain values."""
    return {
        "study": study.model_dump(mode="json"),
        "epsilon": plan.epsilon,
        "events": [event.to_dict() for event in plan.events()],
        "rounds_chosen_by": None if outlook is None else asdict(outlook),
        "forecast": None if forecast is None else forecast.to_dict(),
    }
