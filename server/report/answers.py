"""Answers that sum up a report's figures, and those of a release without a promise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from server.report.attack_words import describe_attacks
from server.report.changes import find_row
from server.report.evidence import Audit
from server.report.images import ImageFigures
from server.report.model import Report
from server.report.parts import Group, Utility
from server.report.wording import lower, numeral, plural


def join(sentences: Iterable[str]) -> str:
    """Return sentences as one text."""
    return " ".join(sentence for sentence in sentences if sentence)


def largest_total(report: Report) -> float:
    """Return the most that any site's events cost, by PLD; 0 if there are none."""
    return max((site.total.pld for site in report.sites if site.total is not None), default=0.0)


def find_audit_words(report: Report) -> Iterator[str]:
    """Say what canaries and attacks showed, the bad first."""
    audited = describe_audit(report.audit)
    if report.attacks is None:
        yield audited
        return
    attacked = describe_attacks(report.attacks)
    is_broken = any(attack.is_broken_promise for attack in report.attacks.attacks)
    yield from (attacked, audited) if is_broken else (audited, attacked)


def describe_audit(audit: Audit | None) -> str:
    """Say what canaries showed."""
    if audit is None or not audit.sites:
        return (
            "No site planted canaries, so this report holds no audit from within. Audits give "
            "lower bounds only and never prove that a promise is kept."
        )
    refuted = [site.site for site in audit.sites if site.refutes]
    if refuted:
        return (
            f"REFUTED: canaries at {_list(refuted)} were guessed too well for the claimed epsilon. "
            "Do not rely on the promise before the cause is found."
        )
    opened = [site for site in audit.sites if site.one_run is not None]
    if not opened:
        return "Sites planted canaries and none opened its coins, so nothing was audited."
    best = max(max(site.one_run or 0, site.f_dp or 0) for site in opened)
    return (
        f"Canaries at {numeral(len(opened))} {plural(len(opened), 'site')} refute no claim: the "
        f"largest lower bound on epsilon is {lower(best)}, where 0 means no violation shown. That "
        "is no proof that the promise is kept."
    )


def find_usefulness_words(report: Report) -> Iterator[str]:
    """Say how good the release is, and where it is worst."""
    if report.utility is not None:
        yield from _utility_words(report.utility)
    elif report.images is not None and report.images.figures is not None:
        yield f"{describe_images(report.images.figures)} (in a simulation, without noise)."
        yield "Classes were not compared."
    elif report.evaluation is not None and report.evaluation.figures:
        for figure in report.evaluation.figures:
            if figure.kind == "auc":
                yield (
                    "Measured under noise on units that nothing was trained on: the AUC of a model "
                    f"trained on the release is {figure.low:.2f} to {figure.high:.2f} (95 % "
                    "interval)"
                    f"{', which says nothing: too few are held out' if figure.is_vacuous else ''}."
                )
        yield "Groups were not looked at: each more count of real rows would cost budget."
    else:
        things = "images" if report.is_of_images else "rows"
        yield (
            f"Not measured: nobody may see the real {things} of all sites. A site can compare the "
            f"release with its own {things}, on its own screen."
        )
    if report.sketch_noise is not None and report.sketch_noise.is_drowned:
        whole = "images are" if report.is_of_images else "table is"
        yield f"At this noise the {whole} mostly noise; see below."


def describe_images(figures: ImageFigures) -> str:
    """Say what a classifier learns from published images, beside what it learns from real ones."""
    rows = {row.kind: row for row in figures.rows}
    release, real = rows.get("final") or rows["sketch"], rows["real"]
    return (
        f"A classifier trained on these images tells {100 * release.accuracy:.1f} % of real test "
        f"images right, and {100 * real.accuracy:.1f} % if trained on real images"
    )


def _utility_words(utility: Utility) -> Iterator[str]:
    real, release = (
        find_row(utility, "real"),
        find_row(utility, "final") or find_row(utility, "sketch"),
    )
    if release is not None and release.boosting_auc is not None:
        beside = (
            f", and {real.boosting_auc:.3f} if trained on real rows"
            if real is not None and real.boosting_auc is not None
            else ""
        )
        yield (
            f"A model trained on the release predicts real rows with an AUC of "
            f"{release.boosting_auc:.3f}{beside} (in a simulation, without noise)."
        )
    worst = max(utility.groups, key=_loss_of, default=None)
    if worst is None or worst.auc is None or worst.real_auc is None:
        yield "Groups were not compared."
        return
    yield (
        f"Of the groups looked at, {worst.column} {worst.level} loses most: {worst.auc:.3f}, where "
        f"a model from real rows reaches {worst.real_auc:.3f}."
    )


def _loss_of(group: Group) -> float:
    return -1.0 if group.auc is None or group.real_auc is None else group.real_auc - group.auc


def not_private_answers(report: Report) -> list[str]:
    """Return what to answer to each of the fourteen questions when nothing is promised."""
    command = f"To repeat it: {report.command}. " if report.command else ""
    return [
        "There is no bound: this release is not differentially private.",
        "Nobody. One record may show in the release as it is.",
        "No two tables need to look alike.",
        "No. Nothing was counted, in this study or before it.",
        "No noise was added, so there is no mechanism and nothing to account for.",
        "There was no budget, so everything was learned from private data outside of one.",
        "No. Nothing is counted, however often it runs.",
        "Whoever gets what a site sends may learn its records from it, alone or with others.",
        "No. There is no noise whose source could matter.",
        "No. There is no promise that an audit could hold it to. "
        + join([] if report.attacks is None else [describe_attacks(report.attacks)]),
        join(find_usefulness_words(report)),
        "No protection goes with the release: guard it as you guard the records themselves.",
        f"Nothing is promised. {report.stamp}: this run exists for comparison only.",
        f"{command}There is nothing to verify: a release without a promise is not signed.",
    ]


def _list(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
