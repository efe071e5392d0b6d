"""The one place where a reserved event, Poisson batches and the private step meet.

Guarantee. What ``train`` leaves in the discriminator and its optimiser is the release of a
``SampledGaussianEvent``: as many steps as reserved, each on its own Poisson batch of units at the
reserved rate, each with the reserved noise. Unit: what ``take_rows`` gives one row for. Adjacency:
add or remove one. Not covered: anything the caller derives from rows by another road, and whether
the event was reserved, which is the ledger's part.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from privacy.checks import check_positive_int
from privacy.events import SampledGaussianEvent
from privacy.known_mistakes import refuse_loader, refuse_mistakes
from privacy.private_step import OptimizerFactory, PrivateStep
from privacy.randomness import Randomness
from privacy.record_losses import RecordLosses, judge_rows, take_losses
from privacy.record_probes import (
    check_gradients,
    check_layers,
    check_one_logit_per_row,
    check_rows_apart,
)
from privacy.sampling import poisson_batches

TakeRows = Callable[[Tensor], Tensor]
"""Unit indices of one batch, int64 ``(n,)``, to one encoded row for each, ``(n, width)``."""

DrawFakes = Callable[[int], Tensor]
"""Number of fakes to generated rows, ``(number, width)``."""

_DECLARED = "declare a public number, never one computed from the rows held"


class PrivateTrainer:
    """Trains a network for the steps of one event, and refuses what would break its promise.

    Everything is checked before a row is touched. Noise, rate and steps come from the event alone.

    Args:
        event: what the ledger holds for this training.
        discriminator: maps rows ``(n, width)`` to logits ``(n,)`` or ``(n, 1)``, each by itself;
            trained in place.
        make_optimizer: builds the optimiser that is to be wrapped, from the parameters.
        width: encoded width of a row.
        max_grad_norm: L2 clip of one row's gradient, in [1e-6, 1e6].
        expected_batch_size: declared divisor of the gradient sum, a whole number >= 1.
        fake_batch_size: declared number of fakes of every step, a whole number >= 1; 0 for a
            network that says its own losses.
        randomness: source of noise and coins; seeded in simulations only.
        path: names this training among the streams, such as ``("site", "study", 1)``. A seeded
            path must never be used twice.
        simulation: whether this is a simulation, in which noise may be seeded.
        losses: what is made smaller; those of a discriminator by default.
        known_mistakes: nothing; :mod:`privacy.known_mistakes` lists what is refused and why.

    Raises:
        ValueError: if an argument is out of range or known to break the promise, with the reason.
        TypeError: if an argument is unknown.
    """

    def __init__(
        self,
        event: SampledGaussianEvent,
        discriminator: nn.Module,
        make_optimizer: OptimizerFactory,
        *,
        width: int,
        max_grad_norm: float,
        expected_batch_size: int,
        fake_batch_size: int,
        randomness: Randomness,
        path: tuple[str | int, ...],
        simulation: bool,
        losses: RecordLosses = judge_rows,
        **known_mistakes: object,
    ) -> None:
        refuse_mistakes(known_mistakes, owner="PrivateTrainer()")
        _check_event(event)
        _check_randomness(randomness, simulation)
        check_positive_int(expected_batch_size, name="expected_batch_size", hint=_DECLARED)
        if losses is not take_losses or fake_batch_size != 0:
            check_positive_int(fake_batch_size, name="fake_batch_size", hint=_DECLARED)
        check_layers(discriminator)
        check_one_logit_per_row(discriminator, check_positive_int(width, name="width"))
        check_rows_apart(discriminator, width)
        check_gradients(discriminator, width)
        self._event = event
        self._steps_left = event.steps
        # Made once: a seeded stream that started again would repeat its noise.
        self._coins = randomness.stream(*path, "poisson")
        self._step = PrivateStep(
            discriminator,
            make_optimizer,
            noise_multiplier=event.noise_multiplier,
            max_grad_norm=max_grad_norm,
            expected_batch_size=expected_batch_size,
            fake_batch_size=fake_batch_size,
            stream=randomness.stream(*path, "noise"),
            losses=losses,
        )

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The wrapped optimiser, whose moments saw records through noise only."""
        optimizer: torch.optim.Optimizer = self._step.optimizer.original_optimizer
        return optimizer

    def train(
        self, n_units: int, take_rows: TakeRows, draw_fakes: DrawFakes, *, steps: int | None = None
    ) -> None:
        """Run steps of the event; empty batches are steps like any other.

        Args:
            n_units: number of units held, private, >= 0.
            take_rows: gives one encoded row for each unit of a batch, whatever else is in it.
            draw_fakes: gives generated rows; must not look at real ones.
            steps: how many of the event's steps belong to this call; all that are left by default.

        Raises:
            ValueError: if an argument is out of range, a loader, or gives another number of rows.
            RuntimeError: if more steps are asked than the event has left; none was run.
        """
        refuse_loader(take_rows, name="take_rows")
        wanted = self._steps_left if steps is None else check_positive_int(steps, name="steps")
        if not 1 <= wanted <= self._steps_left:
            raise RuntimeError(
                f"steps must be at most the {self._steps_left} that are left of the "
                f"{self._event.steps} reserved, got {wanted}; reserve another event."
            )
        self._steps_left -= wanted  # spent even if a step fails
        batches = poisson_batches(
            n_units, sample_rate=self._event.sample_rate, steps=wanted, stream=self._coins
        )
        for units in batches:
            real = take_rows(units)
            if len(real) != len(units):
                raise ValueError(
                    "take_rows must give exactly one row for each unit of the batch; several rows "
                    "of one unit would each move the step by a clip."
                )
            with torch.no_grad():
                fake = draw_fakes(self._step.fake_batch_size)
            self._step.step(real, fake)


def _check_event(event: SampledGaussianEvent) -> None:
    if not isinstance(event, SampledGaussianEvent):
        raise ValueError(
            "event must be the SampledGaussianEvent that was reserved, got "
            f"{type(event).__name__}; one release without sampling is a gaussian_mechanism(...)."
        )


def _check_randomness(randomness: Randomness, simulation: bool) -> None:
    if randomness.is_seeded and not simulation:
        raise ValueError(
            "randomness must come from the operating system outside a simulation, got a seeded "
            "one; whoever knows the seed can subtract the noise. Use SystemRandomness()."
        )
