"""Questions an assessor asks, roughly in the order of NIST SP 800-226, answered from the report."""

from privacy.budget import Unit
from server.report.model import Report
from server.report.parts import SIMULATION_MARK
from server.report.wording import adjacency_words, plain, unit_words, upper

_ACCOUNTANTS = {
    "pld": "privacy loss distributions (dp-accounting)",
    "rdp": "Rényi differential privacy (dp-accounting)",
    "prv": "privacy random variables (Opacus)",
}


def answer_questions(report: Report) -> tuple[tuple[str, str], ...]:
    """Return (question, answer) pairs; without privacy there is only one to ask."""
    promise = report.promise
    if not report.private or promise.epsilon is None or promise.delta is None:
        return (("Is the release differentially private?", "No."),)
    noise = (
        "A seed, so that the run can be repeated. Whoever knows the seed can take the noise away: "
        "acceptable in a simulation on public data only."
        if promise.randomness == "seeded"
        else "The operating system's entropy. Counts leave with whole-number noise, drawn exactly. "
        "The noise of training steps is in floating point: attacks on its last digits are known in "
        "theory and not covered."
    )
    return (
        (
            "How much privacy loss?",
            f"At most epsilon {upper(promise.epsilon)} at delta {plain(promise.delta)}, at every "
            "site.",
        ),
        ("Whom does it protect?", f"{unit_words(promise).capitalize()}."),
        ("Which two cases must look alike?", f"{adjacency_words(promise).capitalize()}."),
        ("Is it the total over all releases?", _total_words(report)),
        (
            "How is it computed?",
            f"By {_ACCOUNTANTS[promise.accountant]}, from the list of events "
            + (
                "that the study planned. Each site writes them into its ledger before it reads a "
                "record."
                if report.is_planned
                else "in each site's ledger, which is written before any record is read."
            ),
        ),
        (
            "Was anything fitted on private data outside the budget?",
            _outside_words(report),
        ),
        ("Can the ledgers be checked?", _receipt_words(report)),
        ("Who sees what?", promise.trust_model),
        ("Where does the noise come from?", noise),
        (
            "Is it tested from outside?",
            "This report holds no audit by planted records. Audits give lower bounds only and "
            "never prove that a promise is kept.",
        ),
    )


def _total_words(report: Report) -> str:
    several = (
        "Records of different sites are separate, so the release costs a record"
        if report.promise.unit is Unit.RECORD
        else "The release costs a person whose rows all lie at one site"
    )
    if report.is_planned:
        return (
            "No: this page counts this study only, as every site planned it. The total of a data "
            "set's life is in the site's own ledger, which stays there and keeps it within what "
            f"the site's policy allows. {several} the largest epsilon of any site; a person known "
            "to several sites pays the sum of theirs."
        )
    studies = {event.study for site in report.sites for event in site.events}
    older = len(studies - {report.study})
    history = (
        f"Yes: the ledgers also hold {older} earlier {'study' if older == 1 else 'studies'}, "
        "counted below."
        if older
        else "Yes: the ledgers hold this study only."
    )
    return (
        f"{history} {several} the largest epsilon of any site; a person known to several sites "
        "pays the sum of theirs."
    )


def _receipt_words(report: Report) -> str:
    held = sum(site.receipt is not None for site in report.sites)
    if not held:
        return "Not from this report: it holds no receipt of any ledger."
    return (
        f"Yes, where a site shows its ledger: receipts of {held} of {len(report.sites)} ledgers "
        "are held here, and replaying a ledger with its receipt finds entries that were changed or "
        "taken out. A receipt does not show that a site added the noise that it wrote down."
    )


def _outside_words(report: Report) -> str:
    exact = (
        f" Only the figures and pictures marked '{SIMULATION_MARK}' are exact and not counted: "
        "they exist in simulations alone."
        if report.utility or report.pictures
        else ""
    )
    held_out = (
        " The release was measured on units that nothing was trained on, by counts under noise "
        "that are events in each ledger."
        if report.evaluation
        else ""
    )
    return (
        "No. Ranges, categories and bins come from the public schema; sample rate, number of steps "
        f"and batch size are declared; failed and repeated runs stay counted.{exact}{held_out}"
    )
