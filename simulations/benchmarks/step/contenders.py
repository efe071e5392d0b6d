"""The same step without privacy, by ours and by two ways of Opacus."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import torch
from opacus.grad_sample import GradSampleModule, GradSampleModuleFastGradientClipping
from opacus.optimizers import DPOptimizer, DPOptimizerFastGradientClipping
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from privacy import PrivateStep, SystemRandomness

__all__ = ["CONTENDERS", "NETWORKS", "Contender", "Scene"]

TABLE_WIDTH, HIDDEN, IMAGE_SIDE = 150, 256, 28
CLIP, NOISE = 1.0, 1.0

_make_optimizer = partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.9))


def _make_tabular() -> nn.Module:
    return nn.Sequential(
        nn.Linear(TABLE_WIDTH, HIDDEN),
        nn.LeakyReLU(0.2),
        nn.Linear(HIDDEN, HIDDEN),
        nn.LeakyReLU(0.2),
        nn.Linear(HIDDEN, 1),
    )


def _make_convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, IMAGE_SIDE, IMAGE_SIDE)),
        nn.Conv2d(1, 32, 4, stride=2),  # (n, 32, 13, 13)
        nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, stride=2),  # (n, 64, 5, 5)
        nn.GroupNorm(8, 64),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(64 * 5 * 5, 1),
    )


NETWORKS: Mapping[str, tuple[Callable[[], nn.Module], int]] = MappingProxyType(
    {
        "tabular": (_make_tabular, TABLE_WIDTH),
        "convolutional": (_make_convolutional, IMAGE_SIDE**2),
    }
)
"""From a name to what makes the network, and the width of its rows."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """A network and the size of its batches; half of the rows are fakes.

    Args:
        network: a name in NETWORKS.
        rows: real rows and fakes of a step, an even number >= 2.
    """

    network: str
    rows: int

    def make_network(self) -> nn.Module:
        """Return a new network."""
        return NETWORKS[self.network][0]()

    def draw_rows(self) -> tuple[Tensor, Tensor]:
        """Return real rows and fakes, made up, ``(rows / 2, width)`` each."""
        rng = torch.Generator().manual_seed(0)
        rows = torch.randn(self.rows, NETWORKS[self.network][1], generator=rng)
        real, fake = rows.chunk(2)
        return real, fake


Contender = Callable[[Scene], Callable[[], None]]
"""From a scene to one step in it."""


def _losses(network: nn.Module, real: Tensor, fake: Tensor, private: bool) -> Tensor:
    rows = torch.cat([real, fake])
    targets = torch.cat([rows.new_ones(len(real)), rows.new_zeros(len(fake))])
    # Opacus' backward hooks ask for inputs that require gradients.
    logits = network(rows.requires_grad_(private)).squeeze(1)
    return binary_cross_entropy_with_logits(logits, targets, reduction="none")


def _plain(scene: Scene) -> Callable[[], None]:
    network, rows = scene.make_network(), scene.draw_rows()
    optimizer = _make_optimizer(network.parameters())

    def step() -> None:
        optimizer.zero_grad()
        _losses(network, *rows, private=False).mean().backward()
        optimizer.step()

    return step


def _ours(scene: Scene, noise: float = NOISE) -> Callable[[], None]:
    real, fake = scene.draw_rows()
    step = PrivateStep(
        scene.make_network(),
        _make_optimizer,
        noise_multiplier=noise,
        max_grad_norm=CLIP,
        expected_batch_size=scene.rows,
        fake_batch_size=len(fake),
        stream=SystemRandomness().stream("benchmark"),
    )
    return lambda: step.step(real, fake)


def _opacus_ghost(scene: Scene) -> Callable[[], None]:
    network, rows = scene.make_network(), scene.draw_rows()
    wrapped = GradSampleModuleFastGradientClipping(
        network, loss_reduction="sum", max_grad_norm=CLIP
    )
    optimizer = DPOptimizerFastGradientClipping(
        _make_optimizer(network.parameters()),
        noise_multiplier=NOISE,
        max_grad_norm=CLIP,
        expected_batch_size=scene.rows,
    )

    def step() -> None:
        optimizer.zero_grad()
        wrapped.enable_hooks()
        losses = _losses(wrapped, *rows, private=True)
        losses.sum().backward(retain_graph=True)
        clip = wrapped.get_clipping_coef()
        wrapped.disable_hooks()
        optimizer.zero_grad()
        (clip * losses).sum().backward()
        optimizer.step()

    return step


def _opacus_hooks(scene: Scene) -> Callable[[], None]:
    network, rows = scene.make_network(), scene.draw_rows()
    wrapped = GradSampleModule(network, loss_reduction="sum")
    optimizer = DPOptimizer(
        _make_optimizer(network.parameters()),
        noise_multiplier=NOISE,
        max_grad_norm=CLIP,
        expected_batch_size=scene.rows,
    )

    def step() -> None:
        optimizer.zero_grad()
        _losses(wrapped, *rows, private=True).sum().backward()
        optimizer.step()

    return step


CONTENDERS: Mapping[str, Contender] = MappingProxyType(
    {
        "plain": _plain,
        "ours": _ours,
        "ours_without_noise": partial(_ours, noise=0.0),
        "opacus_ghost": _opacus_ghost,
        "opacus_hooks": _opacus_hooks,
    }
)
"""Noise of ours comes from the operating system, that of Opacus from torch's generator."""
