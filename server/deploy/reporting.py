"""The report of a study with real sites: what the coordinator knows, nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from privacy import SitePlan
from server.attestation.canaries import CanaryStatement
from server.outcome import StudyOutcome
from server.report import (
    Images,
    Report,
    Site,
    build_audit,
    build_consistency,
    build_cost,
    build_evaluation,
    build_gain,
    build_promise,
    build_refusals,
    build_site_from_plan,
    build_sketch_noise,
    build_software,
    build_strategy,
    build_target,
    describe_release,
)
from server.study import Study
from synthesis.kinds import AnySchema


def plan_sites(
    study: Study, outcome: StudyOutcome, names: Mapping[int, str]
) -> dict[int, SitePlan]:
    """Return what each site says that it spends, by node, in the order of their names.

    Args:
        study: the public settings.
        outcome: what the coordinator holds.
        names: of the sites, by node.
    """
    plans = {epsilon: study.make_plan(epsilon) for epsilon in {*outcome.epsilons.values()}}
    nodes = sorted(outcome.nodes, key=lambda node: names.get(node, str(node)))
    return {node: plans[outcome.epsilons[node]] for node in nodes}


def make_report(
    study: Study,
    schema: AnySchema,
    outcome: StudyOutcome,
    names: Mapping[int, str],
    num_rows: int,
    canaries: CanaryStatement | None = None,
    images: Images | None = None,
) -> Report:
    """Put everything that a reader of the release may want to know into one value.

    Args:
        study: the public settings.
        schema: the public schema.
        outcome: what the coordinator holds.
        names: of the sites, by node.
        num_rows: rows of the release.
        canaries: what is opened of the sites' canaries.
        images: what the published images look like; None for a table.
    """
    plans = plan_sites(study, outcome, names)
    strategy = build_strategy(study, outcome, names)
    return Report(
        private=True,
        title=f"Synthetic {schema.name} from {len(outcome.nodes)} sites",
        dataset=schema.name,
        study=study.name,
        created=datetime.now(UTC),
        software=build_software(),
        release=describe_release(schema, num_rows),
        promise=build_promise(study, schema, randomness="system"),
        sites=_list_sites(study, outcome, names, plans),
        refusals=build_refusals(outcome.left_out, names),
        gain=build_gain([plan.events() for plan in plans.values()], study.budget),
        strategy=strategy,
        evaluation=(
            None if outcome.evaluation is None else build_evaluation(outcome.evaluation, names)
        ),
        consistency=build_consistency(outcome, schema, names),
        target=build_target(outcome, schema, names),
        never_together=outcome.apart,
        sketch_noise=build_sketch_noise(outcome),
        audit=build_audit(canaries, study),
        images=images,
        cost=build_cost(outcome, names),
        limits=(
            "What each site spent is what the study planned. A site writes it into its own ledger, "
            "and shows that to whoever may see it.",
            *strategy.warnings,
        ),
    )


def _list_sites(
    study: Study, outcome: StudyOutcome, names: Mapping[int, str], plans: Mapping[int, SitePlan]
) -> tuple[Site, ...]:
    return tuple(
        build_site_from_plan(
            names.get(node, str(node)),
            study.name,
            plan,
            outcome.receipts.get(node),
            outcome.missing.get(node, ()),
        )
        for node, plan in plans.items()
    )
