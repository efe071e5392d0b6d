"""Fourteen questions that an evaluator asks of a release, each answered from the report.

Reference: NIST SP 800-226 (2025), Guidelines for Evaluating Differential Privacy Guarantees; its
pyramid from the top (parameters, unit) to the bottom (security, exposure of the data).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from privacy.budget import Unit
from server.report.answers import (
    find_audit_words,
    find_usefulness_words,
    join,
    largest_total,
    not_private_answers,
)
from server.report.model import Report
from server.report.parts import SIMULATION_MARK
from server.report.wording import adjacency_words, numeral, plain, plural, unit_words, upper

_ACCOUNTANTS = {
    "pld": "privacy loss distributions",
    "rdp": "Rényi differential privacy",
    "prv": "privacy random variables",
}


@dataclass(frozen=True, kw_only=True)
class Question:
    """One question and its answer; ``key`` is its place on the page, such as ``question-1``."""

    key: str
    title: str
    answer: str


def answer_questions(report: Report) -> tuple[Question, ...]:
    """Return all questions, in their order, whatever kind of release it is."""
    if report.private:
        answers = [join(answer(report)) for answer in _QUESTIONS.values()]
    else:
        answers = not_private_answers(report)
    return tuple(
        Question(key=f"question-{number}", title=f"{number}. {title}", answer=answer)
        for number, (title, answer) in enumerate(zip(_QUESTIONS, answers, strict=True), start=1)
    )


def _loss(report: Report) -> Iterator[str]:
    promise = report.promise
    yield (
        f"At most epsilon {upper(promise.epsilon or 0)} at delta {plain(promise.delta or 0)}, at "
        f"every site. No site {'plans' if report.is_planned else 'has spent in all'} more than "
        f"{upper(largest_total(report))}."
    )
    noun = "records" if promise.unit is Unit.RECORD else "persons"
    size = (
        f"; all sites together have about {report.sketch_noise.units:,}, counted under noise"
        if report.sketch_noise
        else ""
    )
    yield (
        "Delta is the chance that the bound fails; it should be far below one divided by a site's "
        f"number of {noun}, which the site keeps to itself{size}."
    )


def _unit(report: Report) -> Iterator[str]:
    if report.promise.unit is Unit.RECORD:
        yield f"{unit_words(report.promise).capitalize()}, whatever it holds."
        things = "images" if report.is_of_images else "rows"
        yield (
            f"A person with several {things} is protected less: what their {things} cost adds up. "
            "Each record counts once in the statistics and is clipped to a declared norm in "
            "training."
        )
    else:
        yield f"{unit_words(report.promise).capitalize()}."
        yield (
            "However many rows a person has, together they weigh no more than one, and one of them "
            "at most enters a training step, clipped to a declared norm."
        )


def _neighbours(report: Report) -> Iterator[str]:
    yield f"{adjacency_words(report.promise, report.is_of_images).capitalize()}."
    yield (
        "How many there are is therefore protected too. To exchange one for another is one removal "
        "and one addition, and can cost up to twice as much."
    )


def _total(report: Report) -> Iterator[str]:
    if report.is_planned:
        yield (
            "No: this page counts this study only, as every site planned it. The total of a data "
            "set's life is in the site's own ledger, which stays there and keeps it within what "
            "the site's policy allows."
        )
    else:
        older = len(
            {event.study for site in report.sites for event in site.events} - {report.study}
        )
        yield (
            f"Yes: the ledgers also hold {numeral(older)} earlier "
            f"{'study' if older == 1 else 'studies'}, counted below."
            if older
            else "Yes: the ledgers hold this study only."
        )
    several = (
        "Records of different sites are separate, so the release costs a record"
        if report.promise.unit is Unit.RECORD
        else "The release costs a person whose rows all lie at one site"
    )
    yield (
        f"{several} the largest epsilon of any site; a person known to several sites pays the sum "
        "of theirs."
    )


def _mechanism(report: Report) -> Iterator[str]:
    mechanisms = {event.mechanism for site in report.sites for event in site.events}
    if "poisson-sampled-gaussian" in mechanisms:
        yield (
            "Gaussian noise: once on each table of sums, and at every training step on a Poisson "
            "sample. Yes: each unit enters a step by a coin of its own, as the accountant assumes; "
            "an empty sample is a step as well."
        )
    else:
        yield "Gaussian noise, once on each table of sums; nothing is sampled."
    versions = {each.name: each.version for each in report.software}
    library = versions.get("dp-accounting") if report.promise.accountant != "prv" else None
    yield (
        f"Epsilon is computed by {_ACCOUNTANTS[report.promise.accountant]}"
        f"{f' (dp-accounting {library})' if library else ''} from the list of events "
        + ("that the study planned." if report.is_planned else "in each site's ledger.")
    )


def _preprocessing(report: Report) -> Iterator[str]:
    yield (
        "No. Size and classes come from the public schema, and so do the coefficients that are "
        "counted and their bound."
        if report.is_of_images
        else "No. Ranges, categories and bins come from the public schema, missing values included."
    )
    is_measured = report.images is not None and report.images.figures is not None
    if report.utility or report.pictures or report.attacks or is_measured:
        yield (
            f"Only the figures and pictures marked '{SIMULATION_MARK}' are exact and not counted: "
            "they exist in simulations alone."
        )
    if report.evaluation:
        yield (
            "The release was measured on units that nothing was trained on, by counts under noise "
            "that are events in each ledger."
        )


def _failures(report: Report) -> Iterator[str]:
    yield (
        "Yes. A site writes the whole study into its ledger before it reads a record, and it stays "
        "counted in full when a run fails or is repeated."
    )
    yield (
        "Sample rate, number of steps, batch size and clip are declared beforehand. To try other "
        "settings is another study with a cost of its own."
    )


def _trust(report: Report) -> Iterator[str]:
    yield report.promise.trust_model
    yield "Records, gradients, true counts and the source of the noise never leave a site."
    if report.promise.randomness == "seeded":
        yield "In this simulation one machine played all parts and saw everything."


def _randomness(report: Report) -> Iterator[str]:
    if report.promise.randomness == "seeded":
        yield (
            "The noise came from a seed, so that the run can be repeated. Whoever knows the seed "
            "can take the noise away: acceptable in a simulation on public data only."
        )
    else:
        yield "Noise and coins are made of the operating system's entropy."
    yield (
        "Counts get whole-number noise, drawn exactly. Training noise is in floating point: "
        "attacks on its last digits are known in theory and not covered. Time is not covered "
        "either: how long a site takes to answer tells something about its size."
    )


def _tests(report: Report) -> Iterator[str]:
    yield from find_audit_words(report)
    yield (
        "The program's own tests change single records and measure how far each mechanism moves, "
        "and rehearse audits with made-up records, in which weakened noise must be caught."
    )


def _usefulness(report: Report) -> Iterator[str]:
    return find_usefulness_words(report)


def _security(report: Report) -> Iterator[str]:
    yield (
        "Records stay in the site's own storage, under its own rules of access and retention; "
        "nothing of them is copied. Logs and errors hold fixed words, never a value. A ledger is "
        "kept as long as its data set lives."
    )
    held = sum(site.receipt is not None for site in report.sites)
    if held:
        yield (
            f"Signed receipts of {held} of {len(report.sites)} ledgers are held here: replaying a "
            "ledger with its receipt finds entries that were changed or taken out. A receipt does "
            "not show that a site added the noise that it wrote down."
        )
    else:
        yield "This report holds no receipt of any ledger, so none can be checked from here."


def _limits(report: Report) -> Iterator[str]:
    yield " ".join(report.promise.not_promised)
    yield "Epsilon bounds what taking part adds; it does not make harmless what is known otherwise."


def _command(report: Report) -> Iterator[str]:
    if report.command:
        yield f"To repeat it: {report.command}."
    else:
        yield (
            "It cannot be repeated: a deployed study draws fresh noise, and a second run would be "
            "a second cost."
        )
    yield "To check files, signatures and epsilon offline: fedsynth verify DIR."
    yield (
        f"{len(report.software)} {plural(len(report.software), 'program')} and their versions are "
        "listed at the end."
        if report.software
        else "No versions of programs were recorded."
    )


_QUESTIONS: dict[str, Callable[[Report], Iterator[str]]] = {
    "How large is the privacy loss?": _loss,
    "Whom does it protect, and how much may one contribute?": _unit,
    "Which two data sets must look alike?": _neighbours,
    "Is it the total over all releases from these data?": _total,
    "Which mechanism and accountant, and is the sampling the one accounted for?": _mechanism,
    "Was any pre-processing fitted on private data outside the budget?": _preprocessing,
    "Are tuning and failed runs counted?": _failures,
    "Who sees records, gradients and noise, and what if they work together?": _trust,
    "Are randomness, floating point and timing covered?": _randomness,
    "How was it tested and audited, with what result?": _tests,
    "How useful is it, and is it less so for some groups?": _usefulness,
    "How are inputs and logs secured, and how long are they kept?": _security,
    "What is not promised?": _limits,
    "With which command can it be repeated and checked?": _command,
}
