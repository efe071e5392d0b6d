"""Tables: counts of pairs of columns, one-hot rows, a mixture of products."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from synthesis.adversarial import GeneratorStepSettings, improve_generator
from synthesis.discriminator import Discriminator, make_discriminator_optimizer
from synthesis.fitting import SketchLoss
from synthesis.generator import Generator
from synthesis.kinds.kind import Counts, Kind
from synthesis.layout import SketchLayout, compute_sketch
from synthesis.rows import to_one_hot
from synthesis.schema import Schema
from synthesis.units import Units


class TableKind(Kind):
    """Tables of one schema.

    Args:
        schema: the public description.
        missing: positions of columns that the site lacks.
    """

    model = "mixture"
    is_held = True

    def __init__(self, schema: Schema, missing: Sequence[int] = ()) -> None:
        self._schema = schema
        self._missing = tuple(missing)

    @property
    def schema(self) -> Schema:
        """The public description."""
        return self._schema

    @cached_property
    def layout(self) -> SketchLayout:
        """Where the counts lie."""
        return SketchLayout.from_schema(self.schema).lacking(self._missing)

    @property
    def width(self) -> int:
        """Codes of all columns."""
        return sum(self.schema.sizes)

    def count(self, units: Units) -> Counts:
        """Return the exact counts of units; a person's rows weigh one together."""
        return count_for_sketch(self.layout, units)[0]

    def to_rows(self, codes: NDArray[np.integer], rng: torch.Generator) -> Tensor:
        """Return one-hot rows; nothing is drawn."""
        return to_one_hot(codes, self.schema.sizes)

    def draw_fakes(self, generator: nn.Module, number: int, rng: torch.Generator) -> Tensor:
        """Return generated one-hot rows."""
        assert isinstance(generator, Generator)
        return generator.draw_hard_rows(number, rng)

    def make_discriminator(self, rng: torch.Generator) -> Discriminator:
        """Return a fresh discriminator."""
        sizes = self.schema.sizes
        told = [
            column not in self._missing for column, size in enumerate(sizes) for _ in range(size)
        ]
        return Discriminator(self.width, rng=rng, told=told if self._missing else None)

    def make_optimizer(self, parameters: list[nn.Parameter]) -> torch.optim.Optimizer:
        """Return the optimiser of discriminators, which the private step wraps."""
        return make_discriminator_optimizer(parameters)

    def count_fakes(self, expected_batch_size: int) -> int:
        """Return as many as rows are expected."""
        return expected_batch_size

    def begin_round(self, discriminator: nn.Module, generator: nn.Module) -> None:
        """Leave it as the last round at this site did: a table's generator has none."""

    def improve(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        sketch_loss: SketchLoss | None,
        settings: GeneratorStepSettings,
        *,
        rng: torch.Generator,
    ) -> Generator:
        """Train the generator while the sketch holds it."""
        assert isinstance(generator, Generator)
        assert isinstance(discriminator, Discriminator)
        return improve_generator(generator, [(discriminator, 1.0)], sketch_loss, settings, rng=rng)


def count_for_sketch(layout: SketchLayout, units: Units) -> tuple[Counts, float]:
    """Return the exact counts, which noise must cover, and how far one unit moves them."""
    weights = None if units.ids is None else units.weights()
    return compute_sketch(layout, units.codes, weights), layout.sensitivity
