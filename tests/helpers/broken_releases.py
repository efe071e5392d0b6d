"""Ways in which a site's releases have been, or could be, broken; each is put in by monkeypatch."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from privacy import PrivateStep, poisson_batches
from simulations.audits import mechanisms
from synthesis.discriminator import Discriminator
from synthesis.layout import compute_sketch


def quarter_noise_in_training(patch: pytest.MonkeyPatch) -> None:
    def weak(*words, noise_multiplier, **more):
        return PrivateStep(*words, noise_multiplier=noise_multiplier / 4, **more)

    patch.setattr("privacy.trainer.PrivateStep", weak)


def quarter_noise_in_the_sketch(patch: pytest.MonkeyPatch) -> None:
    from privacy import mechanisms as privacy_mechanisms

    exact = privacy_mechanisms.sample_discrete_gaussian
    patch.setattr(
        "privacy.mechanisms.sample_discrete_gaussian",
        lambda sigma, size, stream: exact(sigma / 4, size, stream),
    )


def tripled_clip(patch: pytest.MonkeyPatch) -> None:
    """Clips to 3 C and adds noise for C."""
    exact = PrivateStep.sum_clipped_gradients

    def wide(self, real, fake):
        self.max_grad_norm = 3 * self.optimizer.max_grad_norm
        exact(self, real, fake)

    patch.setattr(PrivateStep, "sum_clipped_gradients", wide)


def records_used_three_times(patch: pytest.MonkeyPatch) -> None:
    def thrice(n_units, **words):
        return (batch.repeat(3) for batch in poisson_batches(n_units, **words))

    patch.setattr("privacy.trainer.poisson_batches", thrice)


def every_record_in_every_step(patch: pytest.MonkeyPatch) -> None:
    def all_of_them(n_units, *, sample_rate, steps, stream):
        return poisson_batches(n_units, sample_rate=1.0, steps=steps, stream=stream)

    patch.setattr("privacy.trainer.poisson_batches", all_of_them)


def as_many_fakes_as_real(patch: pytest.MonkeyPatch) -> None:
    """One batch of real rows and equally many fakes: a new record brings a fake along."""
    exact = PrivateStep.sum_clipped_gradients

    def paired(self, real, fake):
        exact(self, real, fake[: max(1, len(real))])  # an empty batch is no batch for Opacus
        if not len(real):
            for weight in self.discriminator.parameters():
                weight.grad = torch.zeros_like(weight)

    patch.setattr(PrivateStep, "sum_clipped_gradients", paired)


def pairs_with_spare_fakes(patch: pytest.MonkeyPatch) -> None:
    """Two forwards and one backward: slot i clips real row i together with fake row i."""
    patch.setattr(PrivateStep, "sum_clipped_gradients", _sum_slots)


def batch_mean(patch: pytest.MonkeyPatch) -> None:
    exact = PrivateStep.sum_clipped_gradients

    def mean(self, real, fake):
        exact(self, real, fake)
        for weight in self.discriminator.parameters():
            weight.grad *= 32 / (len(real) + len(fake))

    patch.setattr(PrivateStep, "sum_clipped_gradients", mean)


def clipped_after_averaging(patch: pytest.MonkeyPatch) -> None:
    """The sum over the batch is clipped, and not each record's gradient."""

    def late(self, real, fake):
        weights = list(self.discriminator.parameters())
        losses = torch.nn.functional.softplus(-self.discriminator(real)).sum()
        losses = losses + torch.nn.functional.softplus(self.discriminator(fake)).sum()
        gradients = torch.autograd.grad(losses, weights)
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.grad = gradient * min(1.0, self.max_grad_norm / (float(norm) + 1e-6))

    patch.setattr(PrivateStep, "sum_clipped_gradients", late)


def batch_norm(patch: pytest.MonkeyPatch) -> None:
    """Rows are normalised over their batch, by a function that no look at the layers can see."""

    class Normalised(Discriminator):
        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            even = torch.nn.functional.batch_norm(rows, None, None, training=True)
            return super().forward(even if len(rows) > 1 else rows)

    patch.setattr(mechanisms, "Discriminator", Normalised)


def a_batch_norm_layer(patch: pytest.MonkeyPatch) -> None:
    class Normalised(Discriminator):
        def __init__(self, width: int, **words) -> None:
            super().__init__(width, **words)
            self.layers.insert(1, torch.nn.BatchNorm1d(self.layers[0].out_features))

    patch.setattr(mechanisms, "Discriminator", Normalised)


def nothing_clipped(patch: pytest.MonkeyPatch) -> None:
    exact = mechanisms.PrivateStep

    def wide(*words, max_grad_norm, **more):
        return exact(*words, max_grad_norm=1e6, **more)

    patch.setattr(mechanisms, "PrivateStep", wide)


def persons_not_weighed(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(
        "synthesis.kinds.tables.compute_sketch",
        lambda layout, codes, _: compute_sketch(layout, codes),
    )


def _sum_slots(self: PrivateStep, real: torch.Tensor, fake: torch.Tensor) -> None:
    weights = list(self.discriminator.parameters())
    total = [torch.zeros_like(weight) for weight in weights]
    forward: Callable[[torch.Tensor], torch.Tensor] = self.discriminator
    # Opacus' hooks, though off, warn of inputs without gradients.
    real, fake = real.clone().requires_grad_(), fake.clone().requires_grad_()
    for slot in range(max(len(real), len(fake))):
        loss = torch.nn.functional.softplus(-forward(real[slot : slot + 1])).sum()
        loss = loss + torch.nn.functional.softplus(forward(fake[slot : slot + 1])).sum()
        gradients = torch.autograd.grad(loss, weights)
        norm = torch.stack([gradient.norm() for gradient in gradients]).norm()
        scale = min(1.0, self.max_grad_norm / (float(norm) + 1e-6))
        total = [old + scale * new for old, new in zip(total, gradients, strict=True)]
    for weight, gradient in zip(weights, total, strict=True):
        weight.grad = gradient
