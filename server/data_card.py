"""A release on one page of Markdown, for people who meet the table far from its report."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from server.report import Evaluation, Report, Utility
from server.report.answers import describe_images, find_audit_words
from server.report.wording import (
    HOLD_OUT_FIGURES,
    adjacency_words,
    plain,
    plural,
    purposes,
    rate,
    unit_words,
    upper,
)

DATA_CARD_FILE: Final = "DATA_CARD.md"
_MOST_COLUMNS: Final = 40
_MARKS: Final = re.compile(r"([\\`*_<>\[\]|#])")


def write_data_card(folder: Path, report: Report) -> None:
    """Write the card of a release into its folder."""
    (folder / DATA_CARD_FILE).write_text(render_data_card(report), encoding="utf-8", newline="\n")


def render_data_card(report: Report) -> str:
    """Return the card as Markdown: what it is, the promise, how it was made, quality, limits."""
    sections = {
        "What it is": _what(report),
        "What is promised": _promise(report),
        "How it was made": _making(report),
        "What was tried against it": find_audit_words(report),
        "How good it is": _quality(report),
        "What it is not": [*report.promise.not_promised, *report.limits],
        "How to check it": [
            "`fedsynth verify DIR` checks files, signatures and epsilon of the release folder "
            "offline; `report.html` says all of this in full."
        ],
    }
    parts = [f"# {_escape(report.title)}"]
    if report.stamp:
        parts.append(f"**{report.stamp}**")
    for title, lines in sections.items():
        parts += [f"## {title}", "\n".join(f"- {line}" for line in lines)]
    return "\n\n".join(parts) + "\n"


def _escape(text: str) -> str:
    """Let a name be read as it is."""
    return _MARKS.sub(r"\\\1", text)


def _what(report: Report) -> Iterator[str]:
    release = report.release
    names = [_escape(name) for name in release.columns]
    more = f" and {len(names) - _MOST_COLUMNS} more" if len(names) > _MOST_COLUMNS else ""
    if report.images is not None:
        _, height, width = report.images.shape
        yield (
            f"{release.rows:,} synthetic images of {_escape(report.dataset)}, {height} x {width} "
            f"pixels, of {len(report.images.classes)} classes: "
            f"{', '.join(map(_escape, report.images.classes))}."
        )
    else:
        yield (
            f"{release.rows:,} synthetic rows of {_escape(report.dataset)} with {len(names)} "
            f"columns: {', '.join(names[:_MOST_COLUMNS])}{more}. The label is "
            f"{_escape(release.label)}."
        )
    yield (
        f"Made on {report.created:%Y-%m-%d} in study {_escape(report.study)} by "
        f"{len(report.sites)} sites: {', '.join(_escape(site.name) for site in report.sites)}."
    )
    if report.creator is not None:
        yield f"Published by {_escape(report.creator)}."
    if report.licence is not None:
        yield f"Licence: {_escape(report.licence)}."
    yield "Evidence for your own assessment of it, which it does not replace."


def _promise(report: Report) -> Iterator[str]:
    promise = report.promise
    if not report.private or promise.epsilon is None or promise.delta is None:
        yield "Nothing: this release is not differentially private."
        return
    yield (
        f"At each site: epsilon at most {upper(promise.epsilon)} at delta {plain(promise.delta)}, "
        f"for {unit_words(promise)}."
    )
    yield f"What must look alike: {adjacency_words(promise, report.is_of_images)}."
    yield (
        "In words: whatever anybody concludes about one of them was at most e^epsilon "
        "times as likely as without them, but for a chance of delta."
    )
    totals = [site.total.pld for site in report.sites if site.total is not None]
    if totals:
        spent = "what each site planned" if report.is_planned else "what each ledger holds"
        yield f"Computed from {spent}: epsilon {upper(max(totals))} at the site that spent most."
    if report.gain is not None:
        most = report.gain.from_losses
        yield (
            "The best test for whether one took part finds at most "
            f"{rate(most.true_positive_1_percent)} of those who did while it wrongly accuses 1 % "
            f"of the others, and answers {rate(most.right_guesses)} rightly where a coin has 50 %."
        )
    if promise.randomness == "seeded":
        yield "**A simulation only**: noise came from a seed, so nobody is protected."


def _making(report: Report) -> Iterator[str]:
    yield _escape(report.promise.trust_model)
    found = dict.fromkeys(event.purpose for site in report.sites for event in site.events)
    meaning = purposes(report.is_of_images)
    yield (
        "What left each site, under noise: "
        f"{'; '.join(meaning.get(purpose, _escape(purpose)) for purpose in found)}."
    )
    rounds = len(report.cost.rounds)
    yield f"{rounds} adversarial {plural(rounds, 'round')}."
    yield f"Software: {', '.join(f'{each.name} {each.version}' for each in report.software)}."


def _quality(report: Report) -> Sequence[str]:
    found = []
    if report.utility is not None:
        found += list(_exact_figures(report.utility))
    if report.images is not None and report.images.figures is not None:
        figures = report.images.figures
        found.append(f"{describe_images(figures)} ({figures.mark}).")
    if report.evaluation is not None:
        found += list(_noised_figures(report.evaluation))
    things = "images" if report.is_of_images else "rows"
    return found or [f"Not measured: nobody may see all real {things}."]


def _exact_figures(utility: Utility) -> Iterator[str]:
    """Say how a model that learned from the release does beside one that learned from real rows."""
    rows = {row.kind: row for row in utility.rows}
    real, release = rows.get("real"), rows.get("final") or rows.get("sketch")
    floor = rows.get("floor")
    if release is None:
        return
    if release.boosting_auc is not None and real is not None and real.boosting_auc is not None:
        yield (
            f"AUC of a model trained on these rows, on real rows: {release.boosting_auc:.3f}; "
            f"trained on real rows: {real.boosting_auc:.3f} ({utility.mark})."
        )
    if release.two_way is not None:
        beside = (
            f"; of other real rows: {floor.two_way:.3f}, which is chance alone"
            if floor is not None and floor.two_way is not None
            else ", best is 0"
        )
        yield (
            f"Mean distance of pairs of columns to real rows: {release.two_way:.3f}{beside} "
            f"({utility.mark})."
        )


def _noised_figures(evaluation: Evaluation) -> Iterator[str]:
    for figure in evaluation.figures:
        title, meaning = HOLD_OUT_FIGURES[figure.kind]
        yield (
            f"{title}, measured under noise on units that nothing was trained on: "
            f"{figure.value:.3f}, 95 % interval {figure.low:.3f} to {figure.high:.3f} ({meaning})"
            f"{': it says nothing, too few units are held out' if figure.is_vacuous else ''}."
        )
