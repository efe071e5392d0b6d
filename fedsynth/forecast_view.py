"""A forecast on the screen: noise, cost, what to expect, and what speaks against it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console

from fedsynth.console import add_row, format_bytes, make_table, say
from server.planning import (
    MEASURES,
    Band,
    Circumstances,
    Forecast,
    ImageCircumstances,
    ImageForecast,
    Reference,
)
from server.planning.expectation import strength_of
from server.study import Study

_MEASURES = {
    "two_way": ("two-way distance", "0"),
    "gain_kept": ("AUC gain kept", "1"),
    "two_sample_auc": ("two-sample AUC", "0.5"),
}
_RANGES = {"two_way": (0.0, 1.0), "gain_kept": (0.0, 1.0), "two_sample_auc": (0.5, 1.0)}


def show_forecast(console: Console, study: Study, forecast: Forecast, reference: Reference) -> None:
    """Print everything that can be told before the study runs."""
    where = forecast.circumstances
    console.print()
    say(console, f"With {_sites(where)} ({where.basis}; nothing was read):")
    _show_noise(console, forecast)
    _show_cost(console, study, forecast)
    _show_bands(console, forecast, reference)
    show_concerns(console, forecast.concerns)


def show_image_forecast(console: Console, study: Study, forecast: ImageForecast) -> None:
    """Print what can be told before a study on images runs."""
    where = forecast.circumstances
    console.print()
    say(console, f"With {_sites(where)} ({where.basis}; nothing was read):")
    heads = ["± images", "of images"]
    table = make_table("Noise in the number of images of each class", ["of"], heads)
    one = len(set(where.units)) == 1
    named = [("each site", where.units[0])] if one else _number(where.units)
    for name, units in named:
        add_row(table, [name, f"{forecast.site_std:,.1f}", f"{units:,}"])
    pooled = f"{forecast.pooled_std:,.1f}"
    add_row(table, ["all sites together", pooled, f"{where.total_units:,}"])
    console.print(table)
    rounds = ", and weights of a network in every round" if study.rounds else ""
    say(
        console,
        f"Each site sends its sketch once: {forecast.numbers:,} numbers, "
        f"{format_bytes(forecast.sketch_bytes)}{rounds}. What quality to expect of images is not "
        "foretold; docs/images.md has what was seen on public ones.",
    )
    show_concerns(console, forecast.concerns)


def _number(units: Sequence[int]) -> list[tuple[str, int]]:
    return [(f"site {number}", each) for number, each in enumerate(units, start=1)]


def show_concerns(console: Console, concerns: Sequence[str]) -> None:
    """Print what speaks against a study, a paragraph each."""
    for concern in concerns:
        console.print()
        say(console, f"Warning: {concern}")


def _sites(where: Circumstances | ImageCircumstances) -> str:
    noun = "images" if isinstance(where, ImageCircumstances) else where.noun
    if len(set(where.units)) == 1:
        return f"{where.num_sites} sites of {where.units[0]:,} {noun} each"
    listed = ", ".join(f"{units:,}" for units in where.units)
    return f"{where.num_sites} sites of {listed} {noun}"


def _show_noise(console: Console, forecast: Forecast) -> None:
    noise, where = forecast.noise, forecast.circumstances
    heads = [f"± {where.noun}", f"of {where.noun}", "signal"]
    table = make_table("Noise in each count of the sketch", ["of"], heads)
    if len(set(where.units)) == 1:
        named = [("each site", where.units[0], noise.site_signals[0])]
    else:
        pairs = zip(where.units, noise.site_signals, strict=True)
        named = [(f"site {i}", units, signal) for i, (units, signal) in enumerate(pairs, 1)]
    rows = [(name, noise.site_std, units, signal) for name, units, signal in named]
    rows.append(("all sites together", noise.pooled_std, where.total_units, noise.signal))
    for name, std, units, signal in rows:
        add_row(table, [name, f"{std:,.1f}", f"{units:,}", f"{signal:,.2f}"])
    console.print(table)
    say(
        console,
        f"{noise.cells:,} counts in {noise.blocks:,} tables, each by the label and over all "
        f"labels. Signal: {where.noun} over the noise of the total of a table of average size; "
        "below 1 there is more noise than data.",
    )


def _show_cost(console: Console, study: Study, forecast: Forecast) -> None:
    cost = forecast.cost
    console.print()
    table = make_table("What it takes", [""], ["a site\nsends", "a site\nreceives"])
    add_row(table, ["the sketch", format_bytes(cost.sketch_up), ""])
    if study.rounds:
        sizes = [format_bytes(cost.round_up), format_bytes(cost.first_round_down)]
        add_row(table, ["the first round", *sizes])
    if study.rounds > 1:
        sizes = [format_bytes(cost.round_up), format_bytes(cost.round_down)]
        add_row(table, ["each later round", *sizes])
    add_row(table, ["in all", format_bytes(cost.site_up), format_bytes(cost.site_down)])
    console.print(table)
    say(
        console,
        f"Roughly {_seconds(cost.site_s)} of processor time and {cost.site_memory / 1e6:,.0f} MB "
        f"of memory at a site, and at most {_seconds(cost.coordinator_s)} at the coordinator, as "
        "measured on one core of one machine.",
    )


def _show_bands(console: Console, forecast: Forecast, reference: Reference) -> None:
    console.print()
    signal = forecast.noise.signal
    names = ", ".join(reference.tables)
    if not any(forecast.bands.values()):
        say(
            console,
            f"What to expect at a signal of {signal:,.2f} is not known: too few of the public "
            f"tables ({names}) were measured with so {_how_much(signal, reference)} noise, and "
            "nothing is extrapolated.",
        )
        return
    table = make_table(
        f"What to expect at a signal of {signal:,.2f}", ["figure"], ["band", "best is", "tables"]
    )
    for measure in MEASURES:
        name, best = _MEASURES[measure]
        add_row(table, [name, *_band(forecast.bands[measure], best, _RANGES[measure])])
    console.print(table)
    held = min(reference.held[strength_of(signal)].values())
    say(
        console,
        f"So public tables (of {names}) came out with as much signal, by the sketch alone. Bands "
        "are so wide that, each table left out in turn, those of the others held "
        f"{10 * held:.0f} of 10 of its figures; your table may still be unlike all of "
        "them. AUC gain kept is the AUC above 0.5 of boosting "
        "trained on synthetic rows, as a share of what real rows give.",
    )


def _how_much(signal: float, reference: Reference) -> str:
    known = sorted(point.signal for point in reference.points)
    return "much" if signal < known[len(known) // 2] else "little"


def _band(band: Band | None, best: str, possible: tuple[float, float]) -> list[str]:
    """Return the cells of a band; one that rounds to all that is possible tells nothing."""
    if band is None:
        return ["not known", best, "0"]
    low, high = round(band.low, 2), round(band.high, 2)
    if low <= possible[0] and high >= possible[1]:
        return ["anything", best, str(band.tables)]
    return [f"{low:.2f} to {high:.2f}", best, str(band.tables)]


def _seconds(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.0f} h"
