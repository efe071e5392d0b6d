"""What a coordinator may ask of a site, read from a message and bounded by the site.

Every number comes from outside. Bounds here keep a request sane; what it may cost is decided by the
site's ledger.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from client.refusals import MalformedRequest
from privacy import Budget, SitePlan, make_plan
from privacy.checks import MAX_CLIP, MIN_CLIP
from privacy.policy import SEND_DISCRIMINATOR, TOLD_APART
from strategies import protocol
from strategies.protocol import (
    MAX_EPSILON,
    MAX_PRIVATE_STEPS,
    MAX_PROXIMAL,
    MAX_ROWS_DRAWN,
    MAX_STEPS,
)
from synthesis.kinds import IMAGES


@dataclass(frozen=True, kw_only=True)
class StudyRequest:
    """The public settings of a study, as a site understands them.

    Attributes:
        study: identifier of the study.
        config_hash: digest of the study's settings, kept in the ledger.
        model: generator family that is trained.
        budget: epsilon and delta the study wants to spend at this site.
        adversarial_share: share of the budget for the adversarial rounds, in [0, 1).
        rounds: adversarial rounds, >= 0.
        discriminator_steps: private steps per round.
        generator_steps: generator steps per round.
        sample_rate: probability that a record enters a step, in (0, 1].
        expected_batch_size: declared batch size, >= 1; never the site's own count.
        max_grad_norm: clip of one record's gradient, in [1e-6, 1e6].
        proximal: how strongly the generator is held to the one received, in [0, 1e6].
        returns_discriminator: whether rounds are answered with the discriminator.
        tells_sites_apart: whether generator or report may describe this site apart from others, by
            what the coordinator says; a site cannot see it.
        evaluation: whether noised counts of the hold-out are released at the end.
        allow_less_epsilon: whether the study takes a site that may spend less.
    """

    study: str
    config_hash: str
    model: str
    budget: Budget
    adversarial_share: float
    rounds: int
    discriminator_steps: int
    generator_steps: int
    sample_rate: float
    expected_batch_size: int
    max_grad_norm: float
    proximal: float = 0.0
    returns_discriminator: bool = False
    tells_sites_apart: bool = False
    evaluation: bool = False
    allow_less_epsilon: bool = False

    def __post_init__(self) -> None:
        if self.budget.epsilon > MAX_EPSILON:
            raise ValueError(f"epsilon must be at most {MAX_EPSILON:g}.")
        if not 0 <= self.adversarial_share < 1:
            raise ValueError("adversarial-share must be in [0, 1).")
        if not 0 < self.sample_rate <= 1:
            raise ValueError("sample-rate must be in (0, 1].")
        if not MIN_CLIP <= self.max_grad_norm <= MAX_CLIP:
            raise ValueError(f"max-grad-norm must be between {MIN_CLIP:g} and {MAX_CLIP:g}.")
        if not 0 <= self.proximal <= MAX_PROXIMAL:
            raise ValueError(f"proximal must be between 0 and {MAX_PROXIMAL:g}.")
        if not 0 <= self.rounds * max(self.discriminator_steps, self.generator_steps) <= MAX_STEPS:
            raise ValueError(f"rounds times steps must be between 0 and {MAX_STEPS}.")
        if min(self.rounds, self.discriminator_steps, self.generator_steps) < 0:
            raise ValueError("rounds and steps must be >= 0.")
        if self.rounds * self.discriminator_steps > MAX_PRIVATE_STEPS:
            raise ValueError(f"rounds times steps must be at most {MAX_PRIVATE_STEPS}.")
        if not 1 <= self.expected_batch_size <= MAX_STEPS:
            raise ValueError(f"expected-batch-size must be between 1 and {MAX_STEPS}.")
        steps = self.rounds * (self.discriminator_steps + self.generator_steps)
        if steps * self.expected_batch_size > MAX_ROWS_DRAWN:
            raise ValueError(f"steps times expected-batch-size must be at most {MAX_ROWS_DRAWN}.")
        if (self.adversarial_share > 0) != (self.rounds * self.discriminator_steps > 0):
            raise ValueError("adversarial-share and rounds must both be zero or both positive.")

    @classmethod
    def from_config(cls, config: Mapping[str, object]) -> StudyRequest:
        """Read the request from a message's config record.

        Raises:
            ValueError: if a number is missing or out of range.
        """

        def number(key: str) -> float:
            value = config.get(key)
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ValueError(f"{key} must be a number.")
            return value

        def whole(key: str) -> int:
            value = number(key)
            if not isinstance(value, int):
                raise ValueError(f"{key} must be a whole number.")
            return value

        def word(key: str) -> str:
            value = config.get(key)
            if not isinstance(value, str):
                raise ValueError(f"{key} must be a word.")
            return value

        def flag(key: str) -> bool:
            value = config.get(key)
            if not isinstance(value, bool):
                raise ValueError(f"{key} must be true or false.")
            return value

        return cls(
            study=word(protocol.STUDY_ID),
            config_hash=word(protocol.CONFIG_HASH),
            model=word(protocol.MODEL),
            budget=Budget(epsilon=number(protocol.EPSILON), delta=number(protocol.DELTA)),
            adversarial_share=number(protocol.ADVERSARIAL_SHARE),
            rounds=whole(protocol.ROUNDS),
            discriminator_steps=whole(protocol.DISCRIMINATOR_STEPS),
            generator_steps=whole(protocol.GENERATOR_STEPS),
            sample_rate=number(protocol.SAMPLE_RATE),
            expected_batch_size=whole(protocol.EXPECTED_BATCH_SIZE),
            max_grad_norm=number(protocol.MAX_GRAD_NORM),
            proximal=number(protocol.PROXIMAL),
            returns_discriminator=flag(protocol.RETURNS_DISCRIMINATOR),
            tells_sites_apart=flag(protocol.TELLS_SITES_APART),
            evaluation=flag(protocol.EVALUATION),
            allow_less_epsilon=flag(protocol.ALLOW_LESS_EPSILON),
        )

    @property
    def needs(self) -> tuple[str, ...]:
        """Settings of the site's policy that must be true for this study.

        In rounds on images the discriminator leaves inside the generator, as what labels images.
        """
        sends = self.returns_discriminator or (self.model == IMAGES and self.rounds > 0)
        return (TOLD_APART,) * self.tells_sites_apart + (SEND_DISCRIMINATOR,) * sends

    def make_plan(self) -> SitePlan:
        """Return what this site would spend, computed here and not by the coordinator.

        Raises:
            MalformedRequest: if no noise fits the numbers.
        """
        try:
            return make_plan(
                self.budget,
                sample_rate=self.sample_rate,
                steps=self.rounds * self.discriminator_steps,
                adversarial_share=self.adversarial_share,
                evaluation=self.evaluation,
            )
        except (ValueError, ArithmeticError) as error:  # as of an epsilon next to nothing
            raise MalformedRequest(str(error)) from None
