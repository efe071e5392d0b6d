"""``fedsynth site check``: a study rehearsed at a site, without a word sent or a bit of budget."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from client.phases import KEPT
from client.refusals import refusal_of
from client.reserving import check_study, fit_to_policy
from client.settings import StudyRequest
from client.site import Site, load_site
from fedsynth.console import say, screen
from fedsynth.event_cells import make_event_table
from fedsynth.forecast_view import show_concerns
from fedsynth.site.data import read_data, show_data
from fedsynth.site.leaving_view import show_leaving
from fedsynth.site.preview import preview_replies
from fedsynth.site.reading import LedgerReading, read_ledger, source_of_site
from fedsynth.site.rehearsal import rehearse
from privacy import (
    BudgetExceeded,
    Event,
    Policy,
    PolicyViolation,
    StudyChanged,
    compute_epsilon,
)
from server.kinds import tells_sites_apart
from server.planning import find_own_concern
from server.question import settings_of
from server.study import Study, load_study
from simulations.settings import plan_of


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A study against a ledger and the policy that would hold.

    Attributes:
        reading: the ledger as it is.
        policy: in force when the study comes.
        study: name of the study.
        events: what it would release.
    """

    reading: LedgerReading
    policy: Policy
    study: str
    events: Sequence[Event]

    @property
    def is_known(self) -> bool:
        """Whether the study has been reserved before."""
        return bool(self.reading.book.of_study(self.study))


def check_site(folder: Path, study_file: Path) -> bool:
    """Show what would leave and what it would cost; return whether the site would take part.

    Raises:
        InputError: if folder, study, data or policy cannot be used.
        LedgerBroken: if the ledger was altered.
    """
    site, study = load_site(folder), load_study(study_file)
    reading = read_ledger(source_of_site(site))
    data = read_data(site.schema, site.config.data, site.folder, site.config.missing_columns)
    asked = StudyRequest.from_config(dict(settings_of(study)))
    with rehearse(site) as rehearsed:
        request = fit_to_policy(rehearsed, asked)
        plan = plan_of(study, request.budget.epsilon)
        replies = preview_replies(rehearsed, study, request)
        refusal = _find_refusal(rehearsed, request)
        policy = rehearsed.ledger.policy
    say(
        screen,
        f"A dry run of study {study.name!r} at site {site.config.name!r}: nothing is sent, "
        "nothing is written, nothing is spent.",
    )
    show_leaving(replies)
    say(screen, describe_others(study))
    standing = Standing(reading=reading, policy=policy, study=study.name, events=plan.events())
    _show_cost(standing, is_allowed=refusal is None)
    show_data(data)
    trained_on = round(data.units * (1 - policy.holdout))
    concern = find_own_concern(study, plan, site.schema, trained_on)
    show_concerns(screen, [concern] if concern else [])
    _show_verdict(standing, refusal)
    if data.units == 0:
        say(
            screen,
            f"WARNING: none of {data.rows:,} {data.noun_plural} fits the schema, so nothing could "
            "be learnt here: the study would be spent for nothing. Correct the data or the schema "
            "first.",
        )
    return refusal is None


def describe_others(study: Study) -> str:
    """Return whether a study may describe a site apart, by its file."""
    if tells_sites_apart(study):
        return (
            "By its file, this study may describe a site apart from the others, in generator or "
            "report (may_be_told_apart)."
        )
    return "By its file, this study describes all sites together and compares none of them."


def _find_refusal(site: Site, request: StudyRequest) -> Exception | None:
    try:
        check_study(site, request)
    except (BudgetExceeded, PolicyViolation, StudyChanged) as error:
        return error
    return None


def _show_cost(standing: Standing, *, is_allowed: bool) -> None:
    policy, events = standing.policy, standing.events
    title = f"What study {standing.study} would spend here"
    screen.print(make_event_table(title, events, policy.delta))
    together = compute_epsilon(events, policy.delta)
    spent = standing.reading.summary.epsilon_pld
    promise = f"at delta {policy.delta:g}, for one {policy.unit.value} added or removed"
    say(screen, f"All together: epsilon {together:.4f} by PLD {promise}.")
    if standing.is_known:
        say(screen, f"Spent so far, this study included: {spent:.4f} of {policy.epsilon:g}.")
        return
    left = max(0.0, policy.epsilon - spent)
    line = f"Left of {policy.epsilon:g}: {left:.4f} now"
    if is_allowed:
        after = compute_epsilon((*standing.reading.book.events(), *events), policy.delta)
        line += f", {max(0.0, policy.epsilon - after):.4f} after this study"
    say(screen, f"{line}. Epsilons of single events do not add up.")


def _show_verdict(standing: Standing, refusal: Exception | None) -> None:
    if refusal is not None:
        say(
            screen,
            f"This site would refuse: {refusal}. It would answer hello with the code "
            f"{refusal_of(refusal).value!r}, and nothing of the data would leave.",
        )
        return
    known = standing.reading.book.of_study(standing.study)
    if not known:
        say(screen, "Policy and budget allow this study: the site would take part.")
        return
    parts = ", ".join(e.note.removesuffix(KEPT) for e in known if e.note.endswith(KEPT)) or "none"
    say(
        screen,
        f"This study is in the ledger since {known[0].time[:10]} and is {known[-1].state.value}: "
        f"it costs nothing more. Answers that were made before can only leave again as they are "
        f"({parts}).",
    )
