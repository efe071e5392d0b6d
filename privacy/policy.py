"""What a site allows: the budget for life, and the bounds of every single study.

A policy belongs to one data set and lives in its ledger: the first entry holds it, later entries
change it. It may be tightened at any time. Loosening it takes the signature of somebody whom the
policy *in force* names as an approver. Delta, the unit of privacy and the hold-out are fixed for
life, because what was released under one of them cannot be counted under another.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, model_validator

from privacy.accounting import MIN_NOISE_MULTIPLIER, compute_epsilon
from privacy.budget import Budget, Part, Unit
from privacy.checks import MIN_DELTA
from privacy.errors import PolicyViolation
from privacy.events import Event, GaussianEvent
from privacy.keys import PublicKey

__all__ = ["Approver", "Policy", "StudyKind", "check_study", "find_kinds", "find_loosened"]

MIXTURE: Final = "mixture"
"""The generator family of tables: a mixture of products behind one network."""

LARGEST: Final = 1_000_000
"""Largest number in a policy; beyond it nothing is protected and nothing can be counted."""


TOLD_APART: Final = "may_be_told_apart"
SEND_DISCRIMINATOR: Final = "may_send_discriminator"
_NOT_GRANTED: Final = {
    TOLD_APART: (
        "may_be_told_apart is false, and this study may tell sites apart in its generator or its "
        "report; ask the coordinator for max_site_groups = 1 and a strategy that compares no sites"
    ),
    SEND_DISCRIMINATOR: (
        "may_send_discriminator is false, and in the rounds of this study the discriminator leaves "
        "the site; ask the coordinator for another strategy, or on images for rounds = 0"
    ),
}


class StudyKind(StrEnum):
    """What a study may release: counts, a trained generator, an evaluation on the hold-out."""

    SKETCH = "sketch"
    ADVERSARIAL = "adversarial"
    EVALUATION = "evaluation"


class Approver(BaseModel):
    """Somebody who may loosen the policy, by a signature.

    Attributes:
        name: of the person or office.
        public_key: 64 hexadecimal digits.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: Annotated[str, Field(min_length=1, max_length=100)]
    public_key: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]

    @property
    def key(self) -> PublicKey:
        """The key as a value that verifies."""
        return PublicKey(self.public_key)


class Policy(BaseModel):
    """What a site allows on one data set.

    Attributes:
        epsilon: the most that all studies in the life of the data set may cost one unit together.
        delta: failure probability of that promise, fixed for life.
        unit: whom it protects, fixed for life: `record` or `person`.
        holdout: share of units kept for evaluation, in [0, 0.5], fixed for life.
        max_epsilon_per_study: the most one study may cost; all of `epsilon` when left out.
        study_kinds: what a study may release.
        models: generator families that may be trained.
        smallest_noise_multiplier: least noise of any single mechanism, >= 0.3.
        max_rounds: most adversarial rounds of one study.
        row_count_public: whether the number of units may be sent without noise, because it is
            public knowledge. The promise then holds for everything else about a unit.
        may_be_told_apart: whether a study may describe this site apart from the others, by members
            of the generator of its group's own, or by differences in the report.
        may_send_discriminator: whether the discriminator may leave, by itself or in a generator.
        approvers: who may loosen this policy; nobody when empty.
        expires: last day (UTC) on which a study may be reserved; none when left out.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
    epsilon: Annotated[float, Field(gt=0, le=LARGEST)]
    delta: Annotated[float, Field(gt=MIN_DELTA, lt=1)]
    unit: Unit = Unit.RECORD
    holdout: Annotated[float, Field(ge=0, le=0.5)] = 0.0
    max_epsilon_per_study: Annotated[float | None, Field(gt=0, le=LARGEST)] = None
    study_kinds: tuple[StudyKind, ...] = tuple(StudyKind)
    models: tuple[str, ...] = (MIXTURE,)
    smallest_noise_multiplier: Annotated[float, Field(ge=MIN_NOISE_MULTIPLIER, le=LARGEST)] = (
        MIN_NOISE_MULTIPLIER
    )
    max_rounds: Annotated[int, Field(ge=0, le=LARGEST)] = 1000
    row_count_public: bool = False
    may_be_told_apart: bool = True
    may_send_discriminator: bool = True
    approvers: tuple[Approver, ...] = ()
    expires: date | None = None

    @model_validator(mode="after")
    def _check_study_limit(self) -> Policy:
        limit = self.max_epsilon_per_study
        if limit is not None and limit > self.epsilon:
            raise ValueError(
                f"max_epsilon_per_study must be at most epsilon, got {limit:g} and "
                f"{self.epsilon:g}; lower it or leave it out"
            )
        return self

    @property
    def budget(self) -> Budget:
        """Epsilon and delta for life."""
        return Budget(epsilon=self.epsilon, delta=self.delta)

    @property
    def study_limit(self) -> float:
        """The most one study may cost."""
        return self.max_epsilon_per_study or self.epsilon

    def to_json(self) -> str:
        """Return canonical JSON, from which `from_json` reads the same policy."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Policy:
        """Return the policy that `to_json` wrote.

        Raises:
            ValueError: if it is none.
        """
        return cls.model_validate_json(text)


def find_kinds(events: Sequence[Event]) -> frozenset[StudyKind]:
    """Return what a study with these events releases."""
    return frozenset(
        StudyKind.EVALUATION
        if event.part is Part.HOLD_OUT
        else StudyKind.SKETCH
        if isinstance(event, GaussianEvent)
        else StudyKind.ADVERSARIAL
        for event in events
    )


def check_study(
    policy: Policy,
    events: Sequence[Event],
    *,
    rounds: int = 0,
    model: str = MIXTURE,
    needs: Collection[str] = (),
    today: date | None = None,
) -> None:
    """Raise unless the policy allows one study with these events.

    What all studies cost together is the ledger's question, not this one's.

    Args:
        policy: the policy in force.
        events: everything the study would release.
        rounds: adversarial rounds.
        model: generator family.
        needs: settings of the policy that must be true for it: `TOLD_APART`, `SEND_DISCRIMINATOR`.
        today: the day (UTC) in tests; now when left out.

    Raises:
        PolicyViolation: naming the rule, what was asked and what is allowed.
    """
    today = today or datetime.now(UTC).date()
    if policy.expires is not None and today > policy.expires:
        raise PolicyViolation("expires", f"the policy expired on {policy.expires.isoformat()}")
    kinds = find_kinds(events)
    for kind in sorted(kinds - set(policy.study_kinds)):
        raise PolicyViolation("study_kinds", f"a study of kind {kind.value!r} is not allowed")
    if StudyKind.EVALUATION in kinds and policy.holdout == 0:
        raise PolicyViolation("holdout", "there is no hold-out to evaluate on")
    if model not in policy.models:
        raise PolicyViolation("models", f"model {model!r:.80} is not allowed")
    for name in sorted(needs):
        if not getattr(policy, name):
            raise PolicyViolation(name, _NOT_GRANTED[name])
    if rounds > policy.max_rounds:
        raise PolicyViolation(
            "max_rounds", f"{rounds} rounds were asked for, {policy.max_rounds} are allowed"
        )
    _check_noise(policy, events)


def _check_noise(policy: Policy, events: Sequence[Event]) -> None:
    least = min((event.noise_multiplier for event in events), default=float("inf"))
    if least < policy.smallest_noise_multiplier:
        raise PolicyViolation(
            "smallest_noise_multiplier",
            f"a noise multiplier of {least:.4f} was asked for, "
            f"{policy.smallest_noise_multiplier:g} is the least allowed",
        )
    if policy.max_epsilon_per_study is None:
        return  # the budget for life is the limit, and the ledger's stop rule holds it
    epsilon = compute_epsilon(events, policy.delta)
    if epsilon > policy.max_epsilon_per_study:
        raise PolicyViolation(
            "max_epsilon_per_study",
            f"the study would cost epsilon {epsilon:.4f}, "
            f"{policy.max_epsilon_per_study:g} is allowed",
        )


def find_loosened(old: Policy, new: Policy) -> tuple[str, ...]:
    """Return the names of the settings in which `new` allows more than `old`.

    Raises:
        ValueError: if a setting differs that is fixed for life.
    """
    for name in ("delta", "unit", "holdout"):
        before, after = getattr(old, name), getattr(new, name)
        if before != after:
            raise ValueError(
                f"{name} is fixed for the life of a data set and was {before!s}, got {after!s}; "
                "put it back"
            )
    latest = date.max
    looser = {
        "epsilon": new.epsilon > old.epsilon,
        "max_epsilon_per_study": new.study_limit > old.study_limit,
        "study_kinds": not set(new.study_kinds) <= set(old.study_kinds),
        "models": not set(new.models) <= set(old.models),
        "smallest_noise_multiplier": new.smallest_noise_multiplier < old.smallest_noise_multiplier,
        "max_rounds": new.max_rounds > old.max_rounds,
        "row_count_public": new.row_count_public > old.row_count_public,
        "may_be_told_apart": new.may_be_told_apart > old.may_be_told_apart,
        "may_send_discriminator": new.may_send_discriminator > old.may_send_discriminator,
        "approvers": set(new.approvers) != set(old.approvers),
        "expires": (new.expires or latest) > (old.expires or latest),
    }
    return tuple(name for name, is_looser in looser.items() if is_looser)
