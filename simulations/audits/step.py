"""The audit of single releases: does one record more move any of them by more than is charged?"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from privacy import SeededRandomness
from privacy.audits.sensitivity import SensitivityResult, measure_sensitivity
from server.study import Study
from simulations.audits.image_mechanisms import make_image_sketch, make_image_step
from simulations.audits.mechanisms import MOST_ROWS, Mechanism, make_counts, make_step
from simulations.audits.vae_mechanisms import make_vae_step
from synthesis import InputError
from synthesis.images.schema import ImageSchema
from synthesis.kinds import VAE, AnySchema

__all__ = ["CLIPS", "TRIALS", "Measured", "StepAudit", "audit_step"]

CLIPS = (0.1, 1.0, 10.0)
TRIALS = 2000
MOST_TRIALS = 1_000_000

_SMALL_BATCH = 16
_NETWORKS = 4
"""Fresh networks among which the trials of a step are shared."""


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One mechanism and the worst that one unit did to it.

    Attributes:
        name: of the mechanism.
        unit: what was added or removed: ``record`` or ``person``.
        claimed: L2 sensitivity that the ledger charges.
        worst_ratio: largest change over ``claimed``.
        trials: pairs of neighbouring tables that were tried.
    """

    name: str
    unit: str
    claimed: float
    worst_ratio: float
    trials: int

    @property
    def holds(self) -> bool:
        """Whether no trial exceeded the claim, up to floating-point rounding."""
        return SensitivityResult(worst_ratio=self.worst_ratio, trials=self.trials).holds

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON, which knows no infinity."""
        ratio = self.worst_ratio if math.isfinite(self.worst_ratio) else None
        return vars(self) | {"worst_ratio": ratio, "holds": self.holds}


@dataclass(frozen=True, kw_only=True)
class StepAudit:
    """What was measured, mechanism after mechanism.

    Attributes:
        schema: name of the schema.
        seed: repeats the audit.
        measured: one entry for each mechanism.
    """

    schema: str
    seed: int
    measured: tuple[Measured, ...]

    @property
    def holds(self) -> bool:
        """Whether every mechanism kept to its claim."""
        return all(each.holds for each in self.measured)

    def sentence(self) -> str:
        """Return what came of it, for people."""
        worst = max(self.measured, key=lambda each: each.worst_ratio)
        if self.holds:
            return (
                "No violation found: no single record or person moved a release by more than its "
                f"sensitivity (at most {worst.worst_ratio:.6f} of it)."
            )
        return (
            f"VIOLATION: one {worst.unit} moved '{worst.name}' by {worst.worst_ratio:.4g} times "
            "the sensitivity that the ledger charges for, so that its noise is too small and the "
            "promised epsilon does not hold; do not run a study with this version."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "audit": "step",
            "schema": self.schema,
            "seed": self.seed,
            "holds": self.holds,
            "sentence": self.sentence(),
            "mechanisms": [each.to_dict() for each in self.measured],
        }


def audit_step(
    schema: AnySchema, study: Study | None = None, *, trials: int = TRIALS, seed: int = 0
) -> StepAudit:
    """Try every mechanism on small made-up tables, or collections of images, with the noise off.

    Args:
        schema: decides which counts there are and how wide the discriminator is.
        study: whose clip and batch are tried too, and whose steps where they are those of
            autoencoders, or None.
        trials: pairs of neighbouring tables for each of sketch, counts and steps, shared among
            units and clips. A step with a study's own batch gets fewer, the more rows it has.
        seed: repeats the audit.

    Raises:
        InputError: if ``trials`` is not in [1, 1000000].
    """
    if not 1 <= trials <= MOST_TRIALS:
        raise InputError(
            f"trials must be between 1 and {MOST_TRIALS:,}, got {trials}; leave it out for "
            f"{TRIALS:,}.",
            argument="trials",
        )
    randomness = SeededRandomness(seed)
    return StepAudit(
        schema=schema.name,
        seed=seed,
        measured=(
            *_measure_counts(schema, trials, randomness),
            *_measure_steps(schema, study, trials, randomness),
        ),
    )


def _measure_counts(
    schema: AnySchema, trials: int, randomness: SeededRandomness
) -> Iterator[Measured]:
    if isinstance(schema, ImageSchema):
        yield _measure([make_image_sketch(schema)], trials, randomness)
        return
    for each in make_counts(schema, randomness):
        yield _measure([each], trials // 2, randomness)


def _measure_steps(
    schema: AnySchema, study: Study | None, trials: int, randomness: SeededRandomness
) -> Iterator[Measured]:
    plans = [(clip, _SMALL_BATCH, trials // len(CLIPS)) for clip in CLIPS]
    if study is not None and study.rounds:
        batch = min(study.expected_batch_size, MOST_ROWS)
        own = max(20, trials * _SMALL_BATCH // (batch + _SMALL_BATCH))
        plans.append((study.max_grad_norm, batch, min(trials, own)))
    make = _make_step if study is None or study.model != VAE else _make_vae_step
    for number, (clip, batch, share) in enumerate(plans):
        steps = [
            make(schema, clip, batch, randomness, ("step", str(number), str(network)))
            for network in range(_NETWORKS)
        ]
        yield _measure(steps, share, randomness)


def _make_step(
    schema: AnySchema, clip: float, batch: int, randomness: SeededRandomness, path: tuple[str, ...]
) -> Mechanism:
    if isinstance(schema, ImageSchema):
        return make_image_step(schema, clip=clip, batch=batch, randomness=randomness, path=path)
    return make_step(schema, clip=clip, batch=batch, randomness=randomness, path=path)


def _make_vae_step(
    schema: AnySchema, clip: float, batch: int, randomness: SeededRandomness, path: tuple[str, ...]
) -> Mechanism:
    return make_vae_step(schema, clip=clip, batch=batch, randomness=randomness, path=path)


def _measure(alike: list[Mechanism], trials: int, randomness: SeededRandomness) -> Measured:
    """Share the trials among mechanisms that differ in frozen randomness only."""
    first, share = alike[0], max(1, trials // len(alike))
    results = [
        measure_sensitivity(
            each.release,
            claimed=each.claimed,
            draw_records=each.draw_records,
            draw_adversary=each.draw_adversary,
            trials=share,
            rng=randomness.torch("trials", first.name, first.unit, number),
        )
        for number, each in enumerate(alike)
    ]
    return Measured(
        name=first.name,
        unit=first.unit,
        claimed=first.claimed,
        worst_ratio=max(result.worst_ratio for result in results),
        trials=sum(result.trials for result in results),
    )
