"""What a finished study leaves with the coordinator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from strategies.federated_generator import RoundRecord
from synthesis.generator import Generator


@dataclass(frozen=True, kw_only=True)
class PhaseRecord:
    """One phase before the rounds: how long it took and what it moved."""

    name: str
    seconds: float
    bytes_down: int = 0
    bytes_up: int = 0


@dataclass(frozen=True, kw_only=True)
class StudyOutcome:
    """The global generator, how it came about and what it cost.

    Attributes:
        generator: after the adversarial rounds.
        sketch_generator: fitted to the pooled sketch alone.
        nodes: the sites' node ids, in order.
        noise_multipliers: the sketch noise that each site stated.
        estimated_rows: records in all, estimated from the noisy sketch.
        phases: hello, sketch and fit.
        rounds: one record per adversarial round.
    """

    generator: Generator
    sketch_generator: Generator
    nodes: tuple[int, ...]
    noise_multipliers: Mapping[int, float]
    estimated_rows: float
    phases: tuple[PhaseRecord, ...]
    rounds: tuple[RoundRecord, ...]
