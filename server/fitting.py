"""The fit of the global generator to the sketches, once over all lives of the coordinator."""

from __future__ import annotations

import time
from collections.abc import Sequence

from privacy import SeededRandomness
from server.checkpoint import Checkpoint
from server.conversation import OnEvent
from server.outcome import PhaseRecord
from server.pooling.grouping import SketchGroup
from server.study import Study
from server.weights import load_weights, weights_of
from strategies.aggregation import PooledSketch
from synthesis.architecture import GeneratorSettings, SiteGroup
from synthesis.coverage import coverage_of
from synthesis.fitting import FitSettings, choose_device
from synthesis.generator import Generator
from synthesis.group_fitting import (
    GroupTargets,
    describe_parts,
    fit_groups,
    settings_of_each,
)
from synthesis.layout import SketchLayout
from synthesis.schema import Schema
from synthesis.targets import SketchTargets, make_targets


def fit_once(
    study: Study,
    schema: Schema,
    pooled: PooledSketch,
    groups: Sequence[SketchGroup],
    checkpoint: Checkpoint,
    on_event: OnEvent,
) -> tuple[Generator, PhaseRecord, float]:
    """Return the generator that an earlier life fitted, or fit one now and keep it.

    Args:
        study: the public settings.
        schema: the public schema.
        pooled: sum of all sketches.
        groups: of sites, each of which gets members of its own.
        checkpoint: where the fit is kept.
        on_event: told how far the fit is, or that it was kept.

    Returns:
        The generator, how long its fit took, and how many units the sketches suggest.
    """
    layout = SketchLayout.from_schema(schema)
    noise_std = pooled.noise_variance**0.5 * layout.sensitivity
    coverage = coverage_of(layout, pooled.coverage)
    targets = make_targets(layout, pooled.values, noise_std, coverage)
    found = checkpoint.find_fit()
    if found is not None:
        weights, seconds = found
        generator = _make_joined(study, schema, groups)
        load_weights(generator, weights)
        on_event({"event": "phase-kept", "phase": "fit"})
    else:
        started = time.monotonic()
        generator = _fit(study, schema, targets, groups, on_event)
        seconds = time.monotonic() - started
        checkpoint.keep_fit(weights_of(generator), seconds)
    return generator, PhaseRecord(name="fit", seconds=seconds), targets.rows


def _fit(
    study: Study,
    schema: Schema,
    whole: SketchTargets,
    groups: Sequence[SketchGroup],
    on_event: OnEvent,
) -> Generator:
    layout = whole.layout
    each = [
        GroupTargets(
            group=described,
            targets=whole
            if len(groups) == 1
            else make_targets(
                layout,
                group.sketch.values,
                group.sketch.noise_variance**0.5 * layout.sensitivity,
            ),
        )
        for group, described in zip(groups, _describe(groups), strict=True)
    ]
    return fit_groups(
        _make_apart(study, schema, len(groups)),
        each,
        whole,
        FitSettings(steps=study.fit_steps),
        rng=SeededRandomness(study.seed).numpy("members"),
        device=choose_device(),
        on_step=lambda done, total: on_event(
            {"event": "fit-progress", "done": done, "total": total}
        ),
    )


def _describe(groups: Sequence[SketchGroup]) -> list[SiteGroup]:
    total = sum(group.rows for group in groups)
    return [SiteGroup(share=group.rows / total) for group in groups]


def _make_apart(study: Study, schema: Schema, number: int) -> list[Generator]:
    """Return a generator for each group, and one for all, all of which start at random."""
    settings = settings_of_each(GeneratorSettings.for_schema(schema), number)
    randomness = SeededRandomness(study.seed)
    paths = [("generator",), *(("generator", str(n)) for n in range(number) if number > 1)]
    return [Generator(settings, rng=randomness.torch(*path)) for path in paths]


def _make_joined(study: Study, schema: Schema, groups: Sequence[SketchGroup]) -> Generator:
    """Return a generator of the form that a fit gives it."""
    parts = describe_parts(_describe(groups))
    return Generator.join(_make_apart(study, schema, len(groups)), parts)
