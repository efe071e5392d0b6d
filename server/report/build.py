"""From the study's own values to parts of a report."""

from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

from privacy import Event as LedgerEvent
from privacy import LedgerSummary, SampledGaussianEvent, SitePlan, Unit, compute_epsilon
from privacy import Policy as PolicyInForce
from server.report.cost import Cost, Phase, Rejection, Round, Traffic
from server.report.parts import (
    ColumnPicture,
    Event,
    HeldReceipt,
    Pictures,
    Policy,
    Promise,
    Release,
    Site,
    Spending,
    Totals,
    UtilityRow,
    Version,
)
from server.report.wording import LOCAL_TRUST, NOT_PROMISED, NOT_PROMISED_OF_IMAGES
from synthesis.image_tables import CLASS, COLUMNS
from synthesis.images.schema import ImageSchema
from synthesis.kinds import AnySchema
from synthesis.quality import Comparison, Quality

if TYPE_CHECKING:  # reading a record takes no Flower
    from server.outcome import Attested, StudyOutcome
    from server.study import Study
    from strategies.round_record import RoundRecord

MOST_STUDIES = 20
"""Studies whose running totals are computed: each is an accounting of its own."""
LIBRARIES = ("fedsynth", "flwr", "torch", "opacus", "dp-accounting", "numpy")
EventState: TypeAlias = Literal["reserved", "running", "done", "failed"]


def build_site(
    summary: LedgerSummary,
    *,
    adversarial_share: float | None,
    attested: "Attested | None" = None,
    missing_columns: tuple[str, ...] = (),
) -> Site:
    """Return a site's part from its replayed ledger.

    Args:
        summary: what `privacy.replay_ledger` returned.
        adversarial_share: part of this study's budget that the adversarial rounds took.
        attested: what the coordinator holds of this ledger.
        missing_columns: which the site declared.
    """
    budget = summary.policy.budget
    return Site(
        name=summary.header.site,
        budget=budget.epsilon,
        delta=budget.delta,
        events=tuple(
            build_event(
                entry.event,
                study=reservation.study,
                epsilon=entry.epsilon,
                state=cast(EventState, reservation.state.value),
            )
            for reservation in summary.reservations
            for entry in reservation.events
        ),
        total=Totals(pld=summary.epsilon_pld, rdp=summary.epsilon_rdp, prv=summary.epsilon_prv),
        left=summary.remaining,
        history=build_history(summary),
        adversarial_share=adversarial_share,
        ledger_head=summary.head,
        receipt=build_receipt(attested) if attested else None,
        policy=build_policy(summary.policy),
        missing_columns=missing_columns,
    )


def build_history(summary: LedgerSummary) -> tuple[Spending, ...]:
    """Return what the ledger had spent after each study; of very many after the last ones."""
    history: list[Spending] = []
    events: list[LedgerEvent] = []
    skipped = len(summary.reservations) - MOST_STUDIES
    for number, reservation in enumerate(summary.reservations):
        events += [entry.event for entry in reservation.events]
        if number >= skipped:
            history.append(
                Spending(
                    study=reservation.study,
                    reserved=reservation.reserved_at,
                    alone=reservation.epsilon,
                    total=compute_epsilon(events, summary.policy.delta),
                )
            )
    return tuple(history)


def build_site_from_plan(
    name: str,
    study: str,
    plan: SitePlan,
    attested: "Attested | None" = None,
    missing_columns: tuple[str, ...] = (),
) -> Site:
    """Return a site's part from its declared plan, where the ledger itself stays at the site."""
    events, delta = plan.events(), plan.budget.delta
    pld, rdp, prv = (compute_epsilon(events, delta, by) for by in ("pld", "rdp", "prv"))
    return Site(
        name=name,
        budget=plan.budget.epsilon,
        delta=delta,
        events=tuple(
            build_event(event, study=study, epsilon=compute_epsilon([event], delta))
            for event in events
        ),
        total=Totals(pld=pld, rdp=rdp, prv=prv),
        left=None,
        adversarial_share=plan.adversarial_share,
        receipt=build_receipt(attested) if attested else None,
        missing_columns=missing_columns,
    )


def build_receipt(attested: "Attested") -> HeldReceipt:
    """Return what the coordinator holds of a ledger, in full and in short."""
    key, receipt = attested.public_key, attested.receipt
    return HeldReceipt(
        public_key=key.hex,
        fingerprint=key.fingerprint,
        entries=receipt.entries,
        head=receipt.head,
        text=receipt.to_text(),
    )


def build_policy(policy: PolicyInForce) -> Policy:
    """Return what a reader may want to know of a policy."""
    return Policy(
        epsilon=policy.epsilon,
        epsilon_per_study=policy.study_limit,
        unit=policy.unit,
        holdout=policy.holdout,
        expires=policy.expires,
    )


def build_event(
    event: LedgerEvent, *, study: str, epsilon: float, state: EventState | None = None
) -> Event:
    """Return one mechanism as a line of the report; `epsilon` is what it would cost alone."""
    sampled = event if isinstance(event, SampledGaussianEvent) else None
    return Event(
        study=study,
        purpose=event.purpose,
        mechanism="poisson-sampled-gaussian" if sampled else "gaussian",
        noise_multiplier=event.noise_multiplier,
        sample_rate=sampled.sample_rate if sampled else None,
        steps=sampled.steps if sampled else None,
        epsilon=epsilon,
        state=state,
    )


def build_round(record: "RoundRecord", site_names: Mapping[int, str]) -> Round:
    """Return one round of the strategy; `site_names` gives the public name of each node."""
    return Round(
        number=record.server_round,
        seconds=record.seconds,
        asked=len(record.valid) + len(record.rejected),
        valid=len(record.valid),
        changed=record.changed,
        rejected=tuple(
            Rejection(site=site_names.get(node, str(node)), reason=reason)
            for node, reason in record.rejected.items()
        ),
        bytes_down=record.bytes_down,
        bytes_up=record.bytes_up,
    )


def build_cost(
    outcome: "StudyOutcome",
    site_names: Mapping[int, str],
    *,
    after: Sequence[Phase] = (),
    traffic: Sequence[Traffic] = (),
) -> Cost:
    """Return what a study took.

    Args:
        outcome: the finished study.
        site_names: the public name of each node.
        after: what was done after the study's own phases.
        traffic: what crossed each site's wire, where somebody counted it.
    """
    phases = [Phase(name=phase.name, seconds=phase.seconds) for phase in outcome.phases]
    if outcome.rounds:
        seconds = sum(record.seconds for record in outcome.rounds)
        before = len(phases) - (outcome.evaluation is not None) - bool(outcome.canaries)
        phases.insert(before, Phase(name="adversarial rounds", seconds=seconds))
    return Cost(
        phases=(*phases, *after),
        rounds=tuple(build_round(record, site_names) for record in outcome.rounds),
        traffic=tuple(traffic),
    )


def describe_release(schema: AnySchema, num_rows: int) -> Release:
    """Return what is published."""
    if isinstance(schema, ImageSchema):
        return Release(rows=num_rows, columns=COLUMNS, label=CLASS)
    return Release(rows=num_rows, columns=schema.names, label=schema.label)


def build_promise(
    study: "Study", schema: AnySchema, *, randomness: Literal["system", "seeded"]
) -> Promise:
    """Return what every site was promised in a study.

    Args:
        study: the public settings.
        schema: the public schema.
        randomness: where the noise came from.
    """
    is_of_images = isinstance(schema, ImageSchema)
    return Promise(
        epsilon=study.epsilon,
        delta=study.delta,
        unit=Unit(schema.unit.kind),
        randomness=randomness,
        trust_model=LOCAL_TRUST,
        not_promised=NOT_PROMISED_OF_IMAGES if is_of_images else NOT_PROMISED,
    )


def build_software() -> tuple[Version, ...]:
    """Return the software of this process that a study depends on."""
    return tuple(Version(name=name, version=version(name)) for name in LIBRARIES)


def build_utility_row(
    kind: Literal["real", "floor", "independent", "sketch", "final"], quality: Quality
) -> UtilityRow:
    """Return one line of the utility table."""
    return UtilityRow(
        kind=kind,
        boosting_auc=quality.boosting.auc,
        boosting_accuracy=quality.boosting.accuracy,
        boosting_f1=quality.boosting.f1,
        logistic_auc=quality.logistic.auc,
        one_way=quality.one_way,
        two_way=quality.two_way,
        two_sample_auc=quality.two_sample,
    )


def build_pictures(comparison: Comparison) -> Pictures:
    """Return what the pictures of a simulation show."""
    return Pictures(
        columns=tuple(
            ColumnPicture.model_validate(column, from_attributes=True)
            for column in comparison.columns
        ),
        pairwise=comparison.pairwise,
    )
