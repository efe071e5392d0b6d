"""The one way from a study's request to the site's ledger: whole, and before any record is read."""

from __future__ import annotations

from client.settings import StudyRequest
from client.site import Site
from client.unit_rule import UNITS, check_same_units
from privacy import SitePlan


def reserve_study(site: Site, request: StudyRequest) -> tuple[SitePlan, str]:
    """Put the whole study into the ledger; return its plan and the id of the reservation.

    Raises:
        BudgetExceeded: if the site's budget does not allow it; the ledger is unchanged.
        PolicyViolation: if the site's policy does not allow it; the ledger is unchanged.
        StudyChanged: if a study of this name asked for something else.
        InputError: if earlier studies told units or their parts apart in another way.
    """
    plan = request.make_plan()
    reservation = site.ledger.reserve(
        request.study,
        plan.events(),
        rounds=request.rounds,
        model=request.model,
        details=_details(site, request),
    )
    return plan, reservation


def check_study(site: Site, request: StudyRequest) -> SitePlan:
    """Raise what ``reserve_study`` would raise; write nothing and return the plan."""
    plan = request.make_plan()
    site.ledger.check(
        plan.events(),
        study=request.study,
        rounds=request.rounds,
        model=request.model,
        details=_details(site, request),
    )
    return plan


def _details(site: Site, request: StudyRequest) -> dict[str, str]:
    # How the steps are split into rounds belongs to what was reserved: the same number of steps
    # cut differently in every round would run more of them than were paid for.
    return {
        "config-hash": request.config_hash,
        "schema": site.schema.digest(),
        UNITS: check_same_units(site),
        "model": request.model,
        "rounds": str(request.rounds),
        "discriminator-steps": str(request.discriminator_steps),
        "expected-batch-size": str(request.expected_batch_size),
        "max-grad-norm": repr(request.max_grad_norm),
        "randomness": "seeded" if site.randomness.is_seeded else "operating system",
    }
