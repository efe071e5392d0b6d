"""All attacks on a release, each beside the same attack on a table that remembers its rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from server.report import Attack
from simulations.attacks.insider import Insider
from simulations.attacks.matching import MatchedRows
from simulations.attacks.overfitted import (
    ROWS,
    make_overfitted_discriminator,
    make_overfitted_generator,
)
from simulations.attacks.promise import Promise
from synthesis.attacks import (
    STEPS,
    Records,
    Trial,
    attack_rows,
    choose_targets,
    find_successes,
)
from synthesis.generator import Generator

CONTROL_ROWS = 20_000
"""Synthetic rows of the control."""

OnStep = Callable[[int, int], None]


def try_attacks(
    records: Records,
    generator: Generator,
    *,
    rng: np.random.Generator,
    insider: Insider | None = None,
    promise: Promise | None = None,
    on_step: OnStep | None = None,
) -> tuple[Attack, ...]:
    """Try every attack on the release and on the control.

    Args:
        records: synthetic rows, and real ones to try.
        generator: published with the rows.
        rng: draws everything.
        insider: somebody who holds more than what is published.
        promise: what attacks may find at most.
        on_step: called with steps done and steps in all.
    """
    done, total = 0, 2 * STEPS + 1

    def step() -> None:
        nonlocal done
        done += 1
        if on_step is not None:
            on_step(done, total)

    targets = choose_targets(records)
    trials = attack_rows(records, generator, rng=rng, targets=targets, on_step=step)
    if insider is not None:
        trials.append(insider.attack())
    step()
    controls = _attack_control(records, targets, insider, rng, step)
    won = dict(zip((each.name for each in controls), find_successes(controls), strict=True))
    found = {each.name: each.found.value for each in controls}
    return tuple(
        _describe(
            trial,
            succeeds=succeeds,
            allowed=None if promise is None else promise.allow(trial),
            control=found.get(trial.name),
            control_succeeds=won.get(trial.name),
        )
        for trial, succeeds in zip(trials, find_successes(trials), strict=True)
    )


def _attack_control(
    records: Records,
    targets: Sequence[int],
    insider: Insider | None,
    rng: np.random.Generator,
    step: Callable[[], None],
) -> list[Trial]:
    """Try the same attacks on what remembers some of the members."""
    schema, members, others = records.schema, records.members[:ROWS], records.others[:ROWS]
    seeds = torch.Generator().manual_seed(int(rng.integers(2**62)))
    generator = make_overfitted_generator(schema, members, seeds)
    remembering = Records(
        schema=schema,
        synthetic=generator.sample_codes(CONTROL_ROWS, rng),
        members=members,
        others=others,
    )
    trials = attack_rows(remembering, generator, rng=rng, targets=targets, on_step=step)
    if insider is not None:
        discriminator = make_overfitted_discriminator(schema, members, rng, seeds)
        rows = MatchedRows(members=members, others=others)
        known = Insider(sizes=schema.sizes, discriminator=discriminator, rows=rows)
        trials.append(known.attack())
    return trials


def _describe(
    trial: Trial,
    *,
    succeeds: bool,
    allowed: float | None,
    control: float | None,
    control_succeeds: bool | None,
) -> Attack:
    measured = trial.measure == "share"
    return Attack(
        kind=trial.kind,
        name=trial.name,
        measure=trial.measure,
        tried=trial.tried,
        found=trial.found.value,
        low=trial.found.low,
        high=trial.found.high,
        baseline=trial.baseline.value,
        baseline_low=trial.baseline.low if measured else None,
        baseline_high=trial.baseline.high if measured else None,
        guessing=trial.guessing,
        allowed=allowed,
        control=control,
        control_succeeds=control_succeeds,
        succeeds=succeeds,
    )
