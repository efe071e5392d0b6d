"""Small discriminators with every kind of layer, in shapes that Hypothesis draws."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import strategies as st
from opacus.layers import DPLSTM
from torch import Tensor, nn
from torch.nn import functional

Draw = Callable[[int, int], int]
"""Lowest and highest whole number to one in between."""
Built = tuple[nn.Module, int]
"""A network and the width of its rows."""


class Tokens(nn.Module):
    """Rows to whole numbers below ``size``."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, rows: Tensor) -> Tensor:
        return (10 * rows.nan_to_num(0.0, 0.0, 0.0).clamp(-9, 9)).abs().long() % self.size


class Twice(nn.Module):
    """Calls a layer on what it gave."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, rows: Tensor) -> Tensor:
        return self.layer(torch.tanh(self.layer(rows)))


class Residual(Twice):
    """The sum's gradient goes to the layer and around it."""

    def forward(self, rows: Tensor) -> Tensor:
        return rows + self.layer(rows)


class LastState(nn.Module):
    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.layer = DPLSTM(width, hidden, batch_first=True)

    def forward(self, rows: Tensor) -> Tensor:
        return self.layer(rows)[0][:, -1]


class Aside(nn.Module):
    """Uses a weight without calling its layer, which no hook sees."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layer = nn.Linear(width, 1)

    def forward(self, rows: Tensor) -> Tensor:
        return self.layer(rows) + functional.linear(rows.square(), self.layer.weight)


class PositionsFirst(nn.Module):
    """Puts the records behind the positions, as recurrent layers once did."""

    def __init__(self, positions: int, width: int) -> None:
        super().__init__()
        self.shape = (positions, width)
        self.layer = nn.Linear(width, 1)

    def forward(self, rows: Tensor) -> Tensor:
        return self.layer(rows.unflatten(1, self.shape).transpose(0, 1)).sum(0)


def _linear(draw: Draw) -> Built:
    width, hidden = draw(1, 12), draw(1, 9)
    network = nn.Sequential(
        nn.Linear(width, hidden, bias=bool(draw(0, 1))),
        nn.LeakyReLU(0.2, inplace=bool(draw(0, 1))),
        nn.Linear(hidden, 1),
    )
    return network, width


def _positions(draw: Draw) -> Built:
    """From one to many positions, so that both ways to a norm are taken."""
    lines, width, hidden = draw(1, 3), draw(1, 40), draw(1, 60)
    network = nn.Sequential(
        nn.Unflatten(1, (lines, 1, width)),
        nn.Linear(width, hidden),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(lines * hidden, 1),
    )
    return network, lines * width


def _convolution(draw: Draw, dimensions: int) -> Built:
    kind = (nn.Conv1d, nn.Conv2d, nn.Conv3d)[dimensions - 1]
    groups, side = draw(1, 2), draw(5, 7)
    shape = (groups * draw(1, 2), *[side] * dimensions)
    mode = ("zeros", "circular")[draw(0, 1) if dimensions < 3 else 0]
    settings = (
        {"stride": draw(1, 2), "padding": draw(0, 1), "dilation": draw(1, 2)},
        {"padding": "same"},
    )[draw(0, 1) if dimensions < 3 else 0]
    first = kind(
        shape[0],
        groups * draw(1, 3),
        draw(1, 3),
        groups=groups,
        bias=bool(draw(0, 1)),
        padding_mode=mode,
        **settings,
    )
    size = first(torch.zeros(1, *shape)).numel()
    network = nn.Sequential(
        nn.Unflatten(1, shape), first, nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(size, 1)
    )
    return network, torch.Size(shape).numel()


def _deep_convolution(draw: Draw) -> Built:
    """Few positions of wide layers: here the Gram matrices are cheaper."""
    channels, out = draw(8, 16), draw(40, 60)
    network = nn.Sequential(
        nn.Unflatten(1, (1, 4, 4)),
        nn.Conv2d(1, channels, 2),
        nn.GroupNorm(2 if channels % 2 == 0 else 1, channels),
        nn.LeakyReLU(0.2, inplace=True),
        nn.Conv2d(channels, out, 3),
        nn.Flatten(),
        nn.Linear(out, 1),
    )
    return network, 16


def _normalised(draw: Draw) -> Built:
    channels, side = 2 * draw(1, 3), draw(2, 5)
    layer = (
        nn.GroupNorm(2, channels),
        nn.InstanceNorm1d(channels, affine=True),
        nn.LayerNorm(side),
        nn.LayerNorm((channels, side), bias=False),
        nn.RMSNorm(side),
    )[draw(0, 4)]
    width = channels * side
    network = nn.Sequential(
        nn.Linear(width, width),
        nn.Unflatten(1, (channels, side)),
        layer,
        nn.Flatten(),
        nn.Linear(width, 1),
    )
    return network, width


def _tokens(draw: Draw) -> Built:
    size, width, number = draw(1, 5), draw(1, 4), draw(1, 4)
    layers = [Tokens(size), nn.Embedding(size, width), nn.Flatten(), nn.Linear(number * width, 1)]
    return nn.Sequential(*layers), number


def _recurrent(draw: Draw) -> Built:
    steps, width, hidden = draw(1, 3), draw(1, 4), draw(1, 4)
    network = nn.Sequential(
        nn.Unflatten(1, (steps, width)), LastState(width, hidden), nn.Linear(hidden, 1)
    )
    return network, steps * width


def _shared(draw: Draw) -> Built:
    """A layer called twice, or one weight in two layers, linear or convolutional."""
    width = draw(2, 6)
    shape = ((width,), (1, width))[draw(0, 1)]

    def make() -> nn.Module:
        return nn.Linear(width, width) if len(shape) == 1 else nn.Conv1d(1, 1, 3, padding=1)

    first, second = make(), make()
    if draw(0, 1):
        second.weight = first.weight
        middle: nn.Module = nn.Sequential(first, nn.Tanh(), second)
    else:
        middle = Twice(first)
    network = nn.Sequential(nn.Unflatten(1, shape), middle, nn.Flatten(), nn.Linear(width, 1))
    return network, width


def _residual(draw: Draw) -> Built:
    width = draw(1, 6)
    layers = [Residual(nn.Linear(width, width)) for _ in range(2)]
    return nn.Sequential(*layers, nn.Linear(width, 1)), width


def _frozen(draw: Draw) -> Built:
    network, width = _deep_convolution(draw)
    for parameter in list(network.parameters())[:-1]:
        parameter.requires_grad_(bool(draw(0, 1)))
    return network, width


ROUGH = {"normalised": 0.0, "recurrent": 10.0, "shared": 10.0}
"""Size of rows above which a kind loses most digits of float32, in a batch or alone: normalised
numbers that are almost equal, and a bend (tanh, sigmoid) of what large rows almost cancel to."""

KINDS: dict[str, Callable[[Draw], Built]] = {
    "linear": _linear,
    "positions": _positions,
    "conv1d": lambda draw: _convolution(draw, 1),
    "conv2d": lambda draw: _convolution(draw, 2),
    "conv3d": lambda draw: _convolution(draw, 3),
    "deep convolution": _deep_convolution,
    "normalised": _normalised,
    "tokens": _tokens,
    "recurrent": _recurrent,
    "shared": _shared,
    "residual": _residual,
    "frozen": _frozen,
}


@st.composite
def networks(draw: st.DrawFn, kind: str) -> Built:
    """One network of this kind and the width of its rows."""
    torch.manual_seed(draw(st.integers(0, 999)))
    return KINDS[kind](lambda low, high: draw(st.integers(low, high)))
