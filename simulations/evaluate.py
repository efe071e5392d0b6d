"""How good the release is against real rows: a simulation may look, a deployment may not."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from server.outcome import StudyOutcome
from server.report import Group, Pictures, Utility, UtilityRow, build_pictures, build_utility_row
from simulations.sites import SimulatedSites
from synthesis.quality import (
    Predictions,
    Scores,
    compare_tables,
    marginal_distance,
    predict,
    score,
    score_groups,
    train_and_test,
    two_sample_auc,
)
from synthesis.sampling import sample_table


def evaluate(
    outcome: StudyOutcome,
    sites: SimulatedSites,
    synthetic: pd.DataFrame,
    *,
    seed: int,
    on_step: Callable[[int, int], None] | None = None,
) -> tuple[Utility, Pictures]:
    """Score the release, the sketch alone and real rows by the same measures.

    Args:
        outcome: the finished study.
        sites: the real rows.
        synthetic: the published table.
        seed: of the sample that stands for the sketch alone.
        on_step: called with tables scored and tables in all.
    """
    schema, train, test = sites.schema, sites.train, sites.test
    learned: dict[str, Predictions] = {}  # by boosting, from the table named

    def score_real() -> UtilityRow:
        learned["real"] = predict(schema, train, test, "boosting")
        return _real_row(sites, learned["real"].score())

    def score_sketch() -> UtilityRow:
        sketch = sample_table(outcome.table_sketch_generator, schema, len(synthetic), seed=seed)
        return build_utility_row("sketch", score(schema, sketch, train, test))

    def score_release() -> UtilityRow:
        learned["release"] = predict(schema, synthetic, test, "boosting")
        quality = score(schema, synthetic, train, test, boosting=learned["release"])
        return build_utility_row("final" if outcome.rounds else "sketch", quality)

    tasks: list[Callable[[], UtilityRow]] = [
        score_real,
        lambda: _floor_row(sites, train),
        *((score_sketch, score_release) if outcome.rounds else (score_release,)),
    ]
    rows = []
    for task in tasks:
        rows.append(task())
        if on_step is not None:
            on_step(len(rows), len(tasks))
    groups = score_groups(
        schema,
        synthetic,
        train,
        test,
        boosting=learned["release"],
        real_boosting=learned["real"],
    )
    utility = Utility(
        train_rows=len(train),
        test_rows=len(test),
        rows=tuple(rows),
        groups=tuple(Group.model_validate(group, from_attributes=True) for group in groups),
    )
    return utility, build_pictures(compare_tables(schema, train, synthetic))


def _floor_row(sites: SimulatedSites, train: pd.DataFrame) -> UtilityRow:
    return UtilityRow(
        kind="floor",
        one_way=marginal_distance(sites.schema, sites.test, train, 1),
        two_way=marginal_distance(sites.schema, sites.test, train, 2),
        two_sample_auc=two_sample_auc(sites.schema, sites.test, train),
    )


def _real_row(sites: SimulatedSites, boosting: Scores) -> UtilityRow:
    logistic = train_and_test(sites.schema, sites.train, sites.test, "logistic")
    return UtilityRow(
        kind="real",
        boosting_auc=boosting.auc,
        boosting_accuracy=boosting.accuracy,
        boosting_f1=boosting.f1,
        logistic_auc=logistic.auc,
        one_way=0.0,
        two_way=0.0,
    )
