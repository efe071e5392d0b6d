"""The one way from a study's request to the site's ledger: whole, and before any record is read."""

from __future__ import annotations

from dataclasses import replace

from client.canaries import check_canaries, describe_canaries, prepare_canaries
from client.refusals import MalformedRequest
from client.settings import StudyRequest
from client.site import Site
from client.site_config import name_positions
from client.unit_rule import UNITS, check_same_units
from privacy import (
    BudgetExceeded,
    Event,
    GaussianEvent,
    Part,
    PolicyViolation,
    SampledGaussianEvent,
    SitePlan,
)
from privacy.policy import check_study as check_policy
from strategies import protocol
from synthesis.images.schema import ImageSchema
from synthesis.kinds import VAE, kind_of, models_of

MOST_NUMBERS_IN_A_BATCH = 100_000_000
HUGE = 1e5
_EPSILON = "epsilon"


def reserve_study(site: Site, request: StudyRequest) -> tuple[SitePlan, str]:
    """Put the whole study into the ledger; return its plan and the id of the reservation.

    Raises:
        BudgetExceeded: if the site's budget does not allow it; the ledger is unchanged.
        PolicyViolation: if the site's policy does not allow it; the ledger is unchanged.
        StudyChanged: if a study of this name asked for something else.
        InputError: if earlier studies told units or their parts apart in another way.
    """
    _check_before_accounting(site, request)
    plan = request.make_plan()
    prepare_canaries(site, request)
    reservation = site.ledger.reserve(
        request.study,
        plan.events(),
        rounds=request.rounds,
        model=request.model,
        details=_details(site, request),
        lasting=(UNITS,),
        needs=request.needs,
    )
    return plan, reservation


def check_study(site: Site, request: StudyRequest) -> SitePlan:
    """Raise what ``reserve_study`` would raise; write nothing and return the plan."""
    _check_before_accounting(site, request)
    plan = request.make_plan()
    site.ledger.check(
        plan.events(),
        study=request.study,
        rounds=request.rounds,
        model=request.model,
        details=_details(site, request),
        needs=request.needs,
    )
    return plan


def fit_to_policy(site: Site, request: StudyRequest) -> StudyRequest:
    """Return the request with the epsilon that this site spends on it.

    That is what is asked for, unless the study takes less and the site's policy allows less; and
    what was reserved, once it was.
    """
    if not request.allow_less_epsilon:
        return request
    reserved = [
        entry.details[_EPSILON]
        for entry in site.ledger.entries()
        if entry.study == request.study and _EPSILON in entry.details
    ]
    limit = float(reserved[0]) if reserved else site.ledger.policy.study_limit
    epsilon = min(request.budget.epsilon, limit)
    return replace(request, budget=replace(request.budget, epsilon=epsilon))


def find_reservation(site: Site, study: str) -> str:
    """Return the id of a study's reservation.

    Raises:
        ValueError: if the ledger knows no study of this name.
    """
    known = [entry.reservation for entry in site.ledger.entries() if study == entry.study != ""]
    if not known:
        raise ValueError(f"study must be one that is in the ledger, got {study!r:.80}.")
    return known[0]


def _check_before_accounting(site: Site, request: StudyRequest) -> None:
    """Refuse what needs no accounting to be refused, so that saying no costs nothing.

    What is in the ledger was allowed when it was reserved, and goes on.
    """
    if request.evaluation and isinstance(site.schema, ImageSchema):
        raise MalformedRequest("evaluation under noise is for tables; images have none.")
    width = kind_of(site.schema).width
    if request.expected_batch_size * width > MOST_NUMBERS_IN_A_BATCH:
        raise MalformedRequest("expected-batch-size must be smaller for rows of this width.")
    if any(entry.study == request.study for entry in site.ledger.entries()):
        return
    check_canaries(site.config.canaries, site.schema)  # at hello, before another site spends
    policy = site.ledger.policy
    check_policy(
        policy,
        _with_huge_noise(request),
        rounds=request.rounds,
        model=request.model,
        needs=request.needs,
    )
    if request.model == VAE and (site.missing or request.returns_discriminator):
        raise MalformedRequest("autoencoders need every column, and there is no discriminator.")
    if request.model not in models_of(site.schema):
        raise MalformedRequest("model must be the one for the kind of data that this site has.")
    # A study costs what it asks for, so what asks for too much need not be calibrated.
    if request.budget.epsilon > policy.study_limit and request.budget.delta >= policy.delta:
        if policy.max_epsilon_per_study is None:
            raise BudgetExceeded(request.budget.epsilon, site.ledger.remaining())
        raise PolicyViolation(
            "max_epsilon_per_study",
            f"epsilon {request.budget.epsilon:g} was asked for, {policy.study_limit:g} is allowed",
        )


def _with_huge_noise(request: StudyRequest) -> tuple[Event, ...]:
    """Return events of the kinds that the study has, too noisy to break a rule about noise."""
    events: list[Event] = [GaussianEvent(noise_multiplier=HUGE, purpose="sketch")]
    if request.rounds * request.discriminator_steps > 0:
        events.append(
            SampledGaussianEvent(
                noise_multiplier=HUGE, sample_rate=1.0, steps=1, purpose="training"
            )
        )
    if request.evaluation:
        events.append(
            GaussianEvent(noise_multiplier=HUGE, purpose="evaluation", part=Part.HOLD_OUT)
        )
    return tuple(events)


def _details(site: Site, request: StudyRequest) -> dict[str, str]:
    # Where answers were not kept, whatever has begun may have left: such a study never goes on.
    # How the steps are split into rounds belongs to what was reserved: the same number of steps
    # cut differently in every round would run more of them than were paid for.
    # So does what a round is answered with: people who agreed to send generators send no more.
    own = {_EPSILON: repr(request.budget.epsilon)} if request.allow_less_epsilon else {}
    if request.returns_discriminator:
        own[protocol.RETURNS_DISCRIMINATOR] = "yes"
    if request.tells_sites_apart:
        own[protocol.TELLS_SITES_APART] = "yes"
    if site.missing:  # what is told of a column must not change between phases
        own["missing-columns"] = name_positions(site.missing)
    return (
        {
            "config-hash": request.config_hash,
            "answers": "kept",
            "schema": site.schema.digest(),
            UNITS: check_same_units(site),
            "model": request.model,
            "rounds": str(request.rounds),
            "discriminator-steps": str(request.discriminator_steps),
            "expected-batch-size": str(request.expected_batch_size),
            "max-grad-norm": repr(request.max_grad_norm),
            "randomness": "seeded" if site.randomness.is_seeded else "operating system",
        }
        | own
        | describe_canaries(site, request.study)
    )
