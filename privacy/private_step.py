"""The private step: one DP-SGD update of a network, whose sensitivity is exactly one clip.

Guarantee. Unit: one row of ``real``. Adjacency: add or remove one. Mechanism: the sum of clipped
per-record gradients plus Gaussian noise of standard deviation ``noise_multiplier * max_grad_norm``,
added once. Sampling: whatever drew ``real``; amplification holds only for Poisson batches
(:mod:`privacy.sampling`). Not covered: anything the caller derives from ``real`` by another road.

Why the sum moves by at most one clip when a record comes or goes: every row, real or fake, is
clipped by itself; the number of fakes is a declared constant, so no fake arrives or leaves with a
real row; losses are summed, so no other row's weight changes; the divisor is the declared expected
batch size. Norms and the clipped sum come from one backward pass (:mod:`privacy.book_keeping`),
Opacus supplies the optimiser wrapper, and the noise comes from a stream.

Reference: Abadi et al. 2016, Algorithm 1; Bu et al. 2022 (book-keeping).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from privacy.book_keeping import BookKeeper, PerRecordGradients
from privacy.checks import MAX_CLIP, MIN_CLIP
from privacy.random_stream import RandomStream
from privacy.record_losses import RecordLosses, judge_rows, take_losses
from privacy.record_probes import check_layers
from privacy.stream_optimizer import StreamNoiseOptimizer

_WITHIN = 1 - 4e-6
"""Part of the clip that is used: norms and sums are rounded to float32, and what one record adds
must stay within the clip all the same."""

OptimizerFactory = Callable[[list[nn.Parameter]], torch.optim.Optimizer]


class PrivateStep:
    """A discriminator that can only be trained privately.

    Args:
        discriminator: maps rows ``(batch, width)`` to logits ``(batch,)`` or ``(batch, 1)``, each
            record by itself; trained in place.
        make_optimizer: builds the optimiser that is to be wrapped, from the parameters.
        noise_multiplier: noise standard deviation over clip, >= 0; zero only in sensitivity tests.
        max_grad_norm: L2 clip of one row's gradient, in [1e-6, 1e6].
        expected_batch_size: declared, public divisor of the gradient sum, > 0. Never the true size.
        fake_batch_size: declared number of fakes of every step, > 0; 0 for a network that says its
            own losses.
        stream: source of the noise; operating-system entropy in deployment.
        losses: what is made smaller, from the outputs for real rows and fakes.

    Raises:
        ValueError: if a number is out of range or a layer mixes records (such as BatchNorm).
    """

    def __init__(
        self,
        discriminator: nn.Module,
        make_optimizer: OptimizerFactory,
        *,
        noise_multiplier: float,
        max_grad_norm: float,
        expected_batch_size: int,
        fake_batch_size: int,
        stream: RandomStream,
        losses: RecordLosses = judge_rows,
    ) -> None:
        _check_numbers(noise_multiplier, max_grad_norm, expected_batch_size)
        _check_fakes(fake_batch_size, losses)
        check_layers(discriminator)
        self.discriminator = discriminator
        self.fake_batch_size = fake_batch_size
        self.max_grad_norm = max_grad_norm
        self._losses = losses
        self._books = BookKeeper(discriminator)
        self.optimizer = StreamNoiseOptimizer(
            make_optimizer(list(discriminator.parameters())),
            noise_multiplier=noise_multiplier,
            max_grad_norm=max_grad_norm,
            expected_batch_size=expected_batch_size,
            stream=stream,
        )

    def step(self, real: Tensor, fake: Tensor) -> None:
        """Update the discriminator once; an empty ``real`` is a step like any other.

        Args:
            real: one Poisson batch, encoded, ``(n_real, width)``; ``n_real`` may be 0.
            fake: exactly ``fake_batch_size`` generated rows, ``(fake_batch_size, width)``.

        Raises:
            ValueError: if the number of fakes is not the declared one.
        """
        if len(fake) != self.fake_batch_size:
            raise ValueError(
                f"fake must hold fake_batch_size={self.fake_batch_size} rows in every step, "
                f"got {len(fake)}; a number that follows the data would break the sensitivity."
            )
        self.sum_clipped_gradients(real, fake)
        self.optimizer.step()

    def sum_clipped_gradients(self, real: Tensor, fake: Tensor) -> None:
        """Leave the sum of clipped per-record gradients, without noise, in every ``p.grad``.

        Private until the optimiser has added its noise. A record whose input or gradient is not
        finite contributes zero.
        """
        # A row of zeros that weighs nothing is in every batch. Unusable rows are replaced by such,
        # so whether weights are refused must not depend on whether one of those was in the batch.
        rows = torch.cat([real, fake, fake.new_zeros(1, fake.shape[1])]).detach()
        targets = torch.cat([rows.new_ones(len(real)), rows.new_zeros(len(fake) + 1)])
        # (n_real + n_fake + 1,); zero times a number is zero, and isfinite(rows).all() is slow.
        usable = (0.0 * rows).sum(dim=1) == 0
        usable[-1] = False
        gradients = self._differentiate(rows, targets, usable)
        norms = gradients.norms()
        if not norms.max().isfinite():  # not a number is the largest of all
            usable &= torch.isfinite(norms)
            gradients = self._differentiate(rows, targets, usable)
            norms = gradients.norms()
            if not torch.isfinite(norms).all():
                raise ValueError(
                    "discriminator must give finite gradients on a row of zeros, and it does not; "
                    "its weights are broken: start from fresh ones."
                )
        clip = (_WITHIN * self.max_grad_norm / (norms + 1e-6)).clamp(max=1.0) * usable
        self.optimizer.zero_grad(set_to_none=True)
        for parameter, summed in gradients.weigh(clip).items():
            parameter.grad = summed

    def _differentiate(self, rows: Tensor, targets: Tensor, usable: Tensor) -> PerRecordGradients:
        """Return the gradients of every row's loss, with zeros in the place of unusable rows."""
        if not usable.all():
            rows = torch.where(usable[:, None], rows, 0.0)
        with self._books.watch() as book:
            outputs = self.discriminator(rows).reshape(len(rows))
        return self._books.differentiate(self._losses(outputs, targets), book)


def _check_numbers(noise_multiplier: float, max_grad_norm: float, expected_batch_size: int) -> None:
    if not (noise_multiplier >= 0 and math.isfinite(noise_multiplier)):
        raise ValueError(f"noise_multiplier must be finite and >= 0, got {noise_multiplier}.")
    if not MIN_CLIP <= max_grad_norm <= MAX_CLIP:
        raise ValueError(
            f"max_grad_norm must be between {MIN_CLIP:g} and {MAX_CLIP:g}, got {max_grad_norm}; "
            "outside, float32 rounds the noise or the gradients away."
        )
    if expected_batch_size < 1:
        raise ValueError(f"expected_batch_size must be >= 1, got {expected_batch_size}.")


def _check_fakes(fake_batch_size: int, losses: RecordLosses) -> None:
    if losses is take_losses:
        if fake_batch_size != 0:
            raise ValueError(
                "fake_batch_size must be 0 for a network that says its own losses, got "
                f"{fake_batch_size}; it models real rows alone."
            )
    elif fake_batch_size < 1:
        raise ValueError(f"fake_batch_size must be >= 1, got {fake_batch_size}.")
