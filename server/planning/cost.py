"""What a study sends and how long it computes: sizes that can be known, times that are rough."""

from __future__ import annotations

from dataclasses import dataclass

from server.planning.circumstances import Circumstances
from server.study import Study
from strategies.rules import RULES, MdGan
from strategies.wire_field import WireFormat

_FLOAT32 = 4
_COPIES = 6
"""Matrices of a fit of the size of its moments: targets, weights, moments and their gradients."""


@dataclass(frozen=True, kw_only=True)
class UnitCosts:
    """Measured costs of units of work, by the command that builds the reference.

    Attributes:
        envelope_bytes: of a message or reply beside its arrays.
        generator_bytes: of a generator's arrays beside their numbers.
        discriminator_weights: of a discriminator of no columns.
        discriminator_weights_per_code: what each code of the schema adds to it.
        start_s: processor time until a program is ready.
        start_bytes: its memory then.
        record_s: counting one record in one block.
        noise_s: noise of one count.
        fit_s: a step of a fit, or of a generator at a site, for each unit of its work.
        fit_s_at_least: what such a step takes beside that.
        private_s: a discriminator step, for each record of a batch and code of the schema.
        private_s_at_least: what such a step takes beside that.
    """

    envelope_bytes: float
    generator_bytes: float
    discriminator_weights: float
    discriminator_weights_per_code: float
    start_s: float
    start_bytes: float
    record_s: float
    noise_s: float
    fit_s: float
    fit_s_at_least: float
    private_s: float
    private_s_at_least: float

    def discriminator_size(self, width: int) -> float:
        """Return the weights of a discriminator for a schema of so many codes."""
        return self.discriminator_weights + width * self.discriminator_weights_per_code

    def fit_step(self, circumstances: Circumstances) -> float:
        """Return the processor time of a step of a fit, in seconds."""
        return self.fit_s_at_least + self.fit_s * fit_work(circumstances)

    def private_step(self, batch_size: float, width: int) -> float:
        """Return the processor time of a discriminator step, in seconds."""
        return self.private_s_at_least + self.private_s * batch_size * width


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one site and the coordinator would send and compute in the whole study.

    Attributes:
        sketch_up: bytes of a site's sketch.
        first_round_down: bytes that a site receives in the first round; it has the pooled sketch.
        round_down: bytes that a site receives in a later round.
        round_up: bytes that a site sends in a round.
        site_up: bytes that a site sends in all.
        site_down: bytes that a site receives in all.
        site_memory: bytes that a site's program needs; rough.
        site_s: processor time of the largest site, in seconds; rough.
        coordinator_s: processor time of the coordinator, in seconds, at most; rough.
    """

    sketch_up: int
    first_round_down: int
    round_down: int
    round_up: int
    site_up: int
    site_down: int
    site_memory: int
    site_s: float
    coordinator_s: float


def estimate_cost(study: Study, circumstances: Circumstances, costs: UnitCosts) -> Cost:
    """Return what a study takes, without its evaluation.

    Args:
        study: the settings.
        circumstances: schema and sites.
        costs: what was measured.
    """
    layout, rounds = circumstances.layout, study.rounds
    per_weight = WireFormat(study.wire_format).bytes_per_weight
    numbers = per_weight * circumstances.architecture.num_weights
    generator = costs.envelope_bytes + costs.generator_bytes + numbers
    is_central = RULES[study.strategy] is MdGan
    up = generator
    if is_central:
        up = costs.envelope_bytes + per_weight * costs.discriminator_size(sum(layout.sizes))
    pooled = _FLOAT32 * layout.dimension
    sketch_up = costs.envelope_bytes + pooled
    first = generator + (0.0 if is_central else pooled) if rounds else 0.0
    follow = rounds * study.generator_steps * costs.fit_step(circumstances)
    hello_and_close = 2 * costs.envelope_bytes
    return Cost(
        sketch_up=round(sketch_up),
        first_round_down=round(first),
        round_down=round(generator if rounds else 0),
        round_up=round(up if rounds else 0),
        site_up=round(hello_and_close + sketch_up + rounds * up),
        site_down=round(
            hello_and_close + costs.envelope_bytes + first + max(0, rounds - 1) * generator
        ),
        site_memory=round(_memory(circumstances, costs)),
        site_s=_site_seconds(study, circumstances, costs) + (0.0 if is_central else follow),
        coordinator_s=costs.start_s
        + study.fit_steps * costs.fit_step(circumstances)
        + (follow if is_central else 0.0),
    )


def fit_work(circumstances: Circumstances) -> float:
    """Return the multiplications of one step of a fit that grow with the schema, roughly."""
    layout = circumstances.layout
    groups = sum(layout.group_sizes)
    return float(layout.num_classes * groups**2 + 100 * sum(layout.sizes))


def _site_seconds(study: Study, circumstances: Circumstances, costs: UnitCosts) -> float:
    layout, width = circumstances.layout, sum(circumstances.layout.sizes)
    sketch = max(circumstances.units) * len(layout.blocks) * costs.record_s
    sketch += layout.dimension * costs.noise_s
    batch = study.sample_rate * max(circumstances.units) + study.expected_batch_size
    private = study.discriminator_steps * costs.private_step(batch, width)
    return costs.start_s + sketch + study.rounds * private


def _memory(circumstances: Circumstances, costs: UnitCosts) -> float:
    layout = circumstances.layout
    groups = sum(layout.group_sizes)
    moments = layout.num_classes * groups**2 * _COPIES
    given = 3 * circumstances.architecture.num_parts * groups * (layout.num_classes + 1)
    sketch = 2 * layout.dimension * 8
    rows = max(circumstances.units) * len(layout.sizes) * 16
    return costs.start_bytes + _FLOAT32 * (moments + given) + sketch + rows
