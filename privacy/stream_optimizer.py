"""Opacus' optimiser wrapper, with its noise from a stream instead of a Mersenne Twister."""

from __future__ import annotations

import numpy as np
import torch
from opacus.optimizers import DPOptimizerFastGradientClipping
from opacus.optimizers.optimizer import _check_processed_flag, _mark_as_processed

from privacy.random_stream import RandomStream


class StreamNoiseOptimizer(DPOptimizerFastGradientClipping):  # type: ignore[misc]  # untyped
    """Adds noise of standard deviation noise_multiplier x max_grad_norm once per step.

    Everything else is Opacus': one accumulation per step, the declared divisor, and the step hook
    that its accountants use. The noise is computed in float64, rounded once to the gradient's own
    type and added in it; the rounding of that sum is not covered by any proof here.

    Args:
        optimizer: the wrapped optimiser.
        noise_multiplier: noise standard deviation over clip, >= 0; zero draws nothing.
        max_grad_norm: L2 clip of one row's gradient.
        expected_batch_size: declared divisor of the gradient sum.
        stream: source of the noise.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        *,
        noise_multiplier: float,
        max_grad_norm: float,
        expected_batch_size: int,
        stream: RandomStream,
    ) -> None:
        super().__init__(
            optimizer,
            noise_multiplier=noise_multiplier,
            max_grad_norm=max_grad_norm,
            expected_batch_size=expected_batch_size,
            loss_reduction="mean",
        )
        self._stream = stream

    def accumulate(self) -> None:
        """Take over every ``p.grad``, or add it to what skipped steps left; Opacus copies it."""
        for parameter in self.params:
            if parameter.summed_grad is None:
                parameter.summed_grad, parameter.grad = parameter.grad, None
            else:
                parameter.summed_grad.add_(parameter.grad)

    def add_noise(self) -> None:
        """Put the summed gradient plus noise into every ``p.grad``; a second time is refused."""
        for parameter in self.params:
            _check_processed_flag(parameter.summed_grad)
        noise_std = self.noise_multiplier * self.max_grad_norm
        sizes = [parameter.numel() for parameter in self.params]
        single = all(parameter.dtype == torch.float32 for parameter in self.params)
        drawn = np.zeros(sum(sizes), np.float32 if single else np.float64)
        if noise_std:
            drawn = self._stream.normal(drawn.shape, std=noise_std, dtype=drawn.dtype)
        for parameter, noise in zip(self.params, torch.from_numpy(drawn).split(sizes), strict=True):
            summed = parameter.summed_grad
            parameter.grad = noise.view_as(summed).to(summed).add_(summed)
            _mark_as_processed(summed)
