"""Pictures of what was tried against a release: claims beside audits, attacks beside guessing."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from server.report.drawing import (
    BAD,
    BAR,
    INK,
    REST,
    STYLE,
    SYNTHETIC,
    make_figure,
    shorten,
    to_svg,
)
from server.report.evidence import Attack, SiteAudit

_LANE = 46
_WIDTH = 390


def draw_audits(sites: Sequence[SiteAudit], label: str) -> Markup:
    """Return one lane per site: what the audit could show, what it showed, and the claim.

    The wide pale bar ends at the ceiling; the bars on it are the two lower bounds, and the upright
    line is the claim. A bound beyond the claim refutes it.
    """
    farthest = max([0.1, *(max(site.ceiling, site.claim, _bound(site)) for site in sites)])
    with mpl.rc_context(STYLE):
        figure, axes = make_figure(height=46 + _LANE * len(sites), width=_WIDTH)
        for place, site in enumerate(sites):
            _draw_audit(axes, place, site, farthest)
        _finish(axes, len(sites), 1.04 * farthest)
        axes.set_xlabel("epsilon", color=INK, fontsize=11)
        return to_svg(figure, label)


def _draw_audit(axes: Axes, place: int, site: SiteAudit, farthest: float) -> None:
    axes.barh(place, site.ceiling, height=0.32, color=REST)
    colour = BAD if site.refutes else BAR
    for bound, shift in ((site.one_run, -0.085), (site.f_dp, 0.085)):
        if bound is not None:  # a bound of 0 is drawn too, as a line's width
            axes.barh(place + shift, max(bound, 0.006 * farthest), height=0.13, color=colour)
    axes.vlines(site.claim, place - 0.27, place + 0.27, color=SYNTHETIC, linewidth=3)
    said = " (REFUTED)" if site.refutes else " (not opened)" if site.one_run is None else ""
    weight = "bold" if site.refutes else "normal"
    _write(axes, place, f"{shorten(site.site, 40)}{said}", BAD if site.refutes else INK, weight)


def _bound(site: SiteAudit) -> float:
    return max(site.one_run or 0.0, site.f_dp or 0.0)


def draw_attacks(attacks: Sequence[Attack], label: str) -> Markup:
    """Return one lane per attack: its success, what it is compared with, and its control.

    A dot in its interval is the attack, the upright line is guessing or the success without
    training, with its interval where it was measured, the dashed line is the most that the promise
    allows, and a ring is the control.
    """
    with mpl.rc_context(STYLE):
        figure, axes = make_figure(height=30 + _LANE * len(attacks), width=_WIDTH)
        for place, attack in enumerate(attacks):
            _draw_attack(axes, place, attack)
        _finish(axes, len(attacks), 1.0)
        return to_svg(figure, label)


def _draw_attack(axes: Axes, place: int, attack: Attack) -> None:
    is_loud = attack.succeeds and not attack.is_foreseen
    colour = BAD if is_loud else BAR
    if attack.baseline_low is not None and attack.baseline_high is not None:
        wide = attack.baseline_high - attack.baseline_low
        axes.barh(place, wide, left=attack.baseline_low, height=0.3, color=REST)
    axes.vlines(attack.baseline, place - 0.2, place + 0.2, color=SYNTHETIC, linewidth=2.5)
    if attack.allowed is not None:
        axes.vlines(attack.allowed, place - 0.2, place + 0.2, color=INK, linestyles=(0, (2, 1)))
    axes.hlines(place, attack.low, attack.high, color=colour, linewidth=3)
    axes.plot([attack.found], [place], "o", color=colour, markersize=7, clip_on=False)
    if attack.control is not None:
        ring = axes.plot([attack.control], [place], "o", color=INK, markersize=8, clip_on=False)
        ring[0].set_markerfacecolor("none")
    weight = "bold" if attack.succeeds else "normal"
    _write(axes, place, _name(attack), BAD if is_loud else INK, weight)


def _name(attack: Attack) -> str:
    if not attack.succeeds:
        return shorten(attack.name, 44)
    how = "allowed" if attack.is_foreseen else "BEYOND" if attack.is_broken_promise else "SUCCEEDS"
    return f"{shorten(attack.name, 34)} ({how})"


def _write(axes: Axes, place: int, text: str, colour: str, weight: str) -> None:
    axes.text(0, place - 0.24, text, color=colour, fontweight=weight, va="bottom", fontsize=12)


def _finish(axes: Axes, lanes: int, farthest: float) -> None:
    axes.set_xlim(-0.01 * farthest, farthest)
    axes.set_ylim(lanes - 0.55, -0.85)
    axes.set_yticks([])
    axes.tick_params(axis="x", labelsize=11)
    axes.spines["left"].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(5))
