"""What every kind of data answers, whatever a record of it is.

Sites, strategies, ledgers and releases do not ask what a record is. They ask its kind: where the
numbers of its sketch lie, how a record becomes a row that a discriminator reads, and which networks
there are.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from synthesis.kinds.schemas import AnySchema

if TYPE_CHECKING:
    import torch
    from torch import Tensor, nn

    from synthesis.adversarial import GeneratorStepSettings
    from synthesis.fitting import SketchLoss
    from synthesis.units import Units

Counts: TypeAlias = NDArray[np.float64]


class Layout(Protocol):
    """Where the numbers of a sketch lie, and how far one unit moves them."""

    @property
    def dimension(self) -> int:
        """Length of the flat sketch."""

    @property
    def sensitivity(self) -> float:
        """Largest L2 change of the whole sketch when one unit is added or removed."""

    @property
    def told_cells(self) -> NDArray[np.bool_]:
        """Which numbers a site tells, ``(dimension,)``; the others stay 0."""


class Kind(ABC):
    """Everything about a kind of data that a site asks for."""

    model: ClassVar[str]
    """Name of the generator family, as studies and policies say it."""
    is_held: ClassVar[bool]
    """Whether rounds are held to the pooled sketch, which sites are sent for that."""

    @property
    @abstractmethod
    def schema(self) -> AnySchema:
        """The public description."""

    @property
    @abstractmethod
    def layout(self) -> Layout:
        """Where the numbers of the sketch lie."""

    @property
    @abstractmethod
    def width(self) -> int:
        """Length of the rows that discriminators read."""

    @abstractmethod
    def count(self, units: Units) -> Counts:
        """Return the exact sketch of units, which noise must cover."""

    @abstractmethod
    def to_rows(self, codes: NDArray[np.integer], rng: torch.Generator) -> Tensor:
        """Return one row for each record, each by itself.

        Args:
            codes: of the records, ``(n, columns)``.
            rng: what is drawn for a row follows its place in the batch, so it must stay at the
                site; unknown and alike for all rows, it costs nothing.
        """

    @abstractmethod
    def draw_fakes(self, generator: nn.Module, number: int, rng: torch.Generator) -> Tensor:
        """Return generated rows, treated like those of records."""

    @abstractmethod
    def make_discriminator(self, rng: torch.Generator) -> nn.Module:
        """Return a fresh discriminator."""

    @abstractmethod
    def make_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser of discriminators, which the private step wraps."""

    @abstractmethod
    def count_fakes(self, expected_batch_size: int) -> int:
        """Return how many fakes a private step takes, from the declared batch size alone."""

    @abstractmethod
    def begin_round(self, discriminator: nn.Module, generator: nn.Module) -> None:
        """Let a round begin with what the global generator says of discriminators, if it does."""

    @abstractmethod
    def improve(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        sketch_loss: SketchLoss | None,
        settings: GeneratorStepSettings,
        *,
        rng: torch.Generator,
    ) -> nn.Module:
        """Train a generator against a discriminator; post-processing.

        Args:
            generator: the start; trained in place.
            discriminator: trained under DP-SGD; not changed.
            sketch_loss: what holds low-order statistics, where rounds are held to the sketch.
            settings: steps, batch size and weights.
            rng: public randomness.
        """
