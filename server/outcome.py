"""What a finished study leaves with the coordinator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from privacy import PublicKey, Receipt
from privacy.canaries import Opening
from server.pooling.site_comparison import SiteComparison
from server.pooling.target_tests import HeldToTarget
from server.pooling.weighing import SiteWeight
from strategies.round_record import RoundRecord
from synthesis.evaluation import HoldOutFigures, ScoreNetwork
from synthesis.generator import Generator
from synthesis.images.generator import ImageGenerator
from synthesis.units import Codes

AnyGenerator: TypeAlias = Generator | ImageGenerator


@dataclass(frozen=True, kw_only=True)
class PhaseRecord:
    """One phase before the rounds: how long it took and what it moved."""

    name: str
    seconds: float
    bytes_down: int = 0
    bytes_up: int = 0


@dataclass(frozen=True, kw_only=True, eq=False)
class Evaluation:
    """What the hold-outs said under noise, and what they were compared with.

    Attributes:
        figures: None where too few sites answered.
        noise_stds: standard deviation of the pooled noise in one count, by purpose.
        nodes: whose answers are in the figures.
        rejected: fixed code per node whose answer does not count.
        synthetic: the synthetic rows, as codes.
        network: trained on these rows, scores the hold-outs.
    """

    figures: HoldOutFigures | None = None
    noise_stds: Mapping[str, float] = field(default_factory=dict)
    nodes: tuple[int, ...]
    rejected: Mapping[int, str]
    synthetic: Codes
    network: ScoreNetwork


@dataclass(frozen=True, kw_only=True, eq=False)
class Planted:
    """The canaries of one site, when all is over.

    Attributes:
        public_key: the site's, from which the rows of its canaries follow.
        commitment: digest of its salt and coins, given with the sketch.
        opening: salt and coins; None where the site did not open them, or others.
        scores: one for each canary; higher means more likely in.
    """

    public_key: PublicKey
    commitment: str
    opening: Opening | None
    scores: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Attested:
    """What the coordinator holds of a site's ledger: who signed it, and its last receipt."""

    public_key: PublicKey
    receipt: Receipt


@dataclass(frozen=True, kw_only=True)
class StudyOutcome:
    """The global generator, how it came about and what it cost.

    Attributes:
        generator: after the adversarial rounds.
        sketch_generator: fitted to the pooled sketch alone.
        nodes: the sites' node ids, in order.
        noise_multipliers: the sketch noise that each site stated.
        epsilons: what each site says that it spends on the study.
        estimated_rows: records in all, estimated from the noisy sketch.
        sketch_noise_std: standard deviation of the noise in a count of the pooled sketch.
        site_noise_std: the same in the sketch of one site; the median where they differ.
        phases: hello, sketch and fit, and evaluation and opening of coins if there were any.
        rounds: one record per adversarial round.
        round_images: a few images of every class, by the round that left them; none of tables.
        evaluation: of the generator on hold-outs, if the study has one.
        receipts: what is held of every site's ledger, by node.
        left_out: fixed code per node whose answer did not count, by question (hello, sketch).
        canaries: of the sites that planted some, by node.
        groups: nodes of each group of sites that the generator describes, in its order.
        comparison: of the sites in ``nodes``; None where there were too many, or the study tells no
            site from the others.
        missing: names of the columns that a site declared that it lacks, by node.
        apart: pairs of columns that no site has together, so nothing is known of them as pairs.
        differing: nodes whose sketch is unlike the others' beyond chance; None where the rule
            does not compare them.
        weights: of the sites in the rounds, by node.
        target: what was published, and how far the sketches are from it; None without one.
    """

    generator: AnyGenerator
    sketch_generator: AnyGenerator
    nodes: tuple[int, ...]
    noise_multipliers: Mapping[int, float]
    epsilons: Mapping[int, float]
    estimated_rows: float
    sketch_noise_std: float
    site_noise_std: float
    phases: tuple[PhaseRecord, ...]
    rounds: tuple[RoundRecord, ...]
    round_images: Mapping[int, Codes] = field(default_factory=dict)
    evaluation: Evaluation | None = None
    receipts: Mapping[int, Attested] = field(default_factory=dict)
    left_out: Mapping[str, Mapping[int, str]] = field(default_factory=dict)
    canaries: Mapping[int, Planted] = field(default_factory=dict)
    groups: tuple[tuple[int, ...], ...] = ()
    comparison: SiteComparison | None = None
    differing: tuple[int, ...] | None = None
    weights: Mapping[int, SiteWeight] = field(default_factory=dict)
    missing: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    apart: tuple[tuple[str, str], ...] = ()
    target: HeldToTarget | None = None

    @property
    def table_generator(self) -> Generator:
        """The generator of a study on tables."""
        return _of_tables(self.generator)

    @property
    def table_sketch_generator(self) -> Generator:
        """The generator of a study on tables as it was before the rounds."""
        return _of_tables(self.sketch_generator)

    def with_names(self, names: Mapping[int, str]) -> Self:
        """Return the same outcome with a generator that names the sites in each of its groups.

        Args:
            names: of the sites, by node.
        """
        if isinstance(self.generator, ImageGenerator):
            return self  # it has no groups
        described = self.generator.settings.groups
        nodes = self.groups or (self.nodes,)
        of_parts = [*nodes, ()][: len(described)]  # the last describes all where there are several
        groups = [
            replace(group, sites=tuple(sorted(names.get(node, str(node)) for node in each)))
            for group, each in zip(described, of_parts, strict=True)
        ]
        return replace(self, generator=self.generator.regrouped(groups))


def _of_tables(generator: AnyGenerator) -> Generator:
    assert isinstance(generator, Generator)
    return generator
