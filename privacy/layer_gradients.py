"""Per-record gradients of one layer, from what went in and the gradient of what came out.

The weight of a linear layer has the gradient ``sum_t g_t a_t^T`` for each record, over its
positions t with inputs a and output gradients g; that of a convolution is the same over patches.
With one position its norm is ``|g| |a|`` (Goodfellow 2015); with several it comes from the product
or, where that is cheaper, from the Gram matrices ``(a^T a) * (g^T g)`` (Li et al. 2022, section 4;
the choice for each layer as in Bu et al. 2022). A weighted sum over records is one product of
(weight x output gradient) with the inputs. Any other layer has its per-record gradients built by
the function that is registered for it with Opacus.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeGuard

import torch
from opacus.grad_sample import GradSampleModule
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.grad import conv1d_weight, conv2d_weight

__all__ = [
    "FormulaLayer",
    "Gradients",
    "build_gradients",
    "has_formula",
    "is_known",
    "square_norms",
    "weigh",
]

Gradients = dict[Tensor, Tensor]
"""From a parameter to its gradient: of every record, ``(n, *shape)``, or a sum, ``(*shape)``."""

FormulaLayer = nn.Linear | nn.Conv1d | nn.Conv2d
"""Layers whose per-record gradients need not be built."""

_CHUNK = 2**20
"""Numbers that the norms of a chunk of records may take while they are computed."""
_GRAM_COST = 8
"""Time of a multiplication for a Gram matrix, in float64, over one for a product; measured."""
_WEIGHT_GRADIENTS: dict[type[nn.Module], Callable[..., Tensor]] = {
    nn.Conv1d: conv1d_weight,
    nn.Conv2d: conv2d_weight,
}


def is_known(layer: nn.Module) -> bool:
    """Return whether Opacus has per-record gradients for exactly this type of layer.

    Those of EmbeddingBag are not right: a token that stands twice in a bag is counted once.
    """
    return type(layer) in GradSampleModule.GRAD_SAMPLERS and type(layer) is not nn.EmbeddingBag


def has_formula(layer: nn.Module) -> TypeGuard[FormulaLayer]:
    """Return whether norms and weighted sums need no gradient of every record."""
    return type(layer) in (nn.Linear, nn.Conv1d, nn.Conv2d)


def square_norms(layer: FormulaLayer, given: Tensor, grads: Tensor) -> Tensor:
    """Return the squared norm of each record's gradient of a layer with a formula, ``(n,)``.

    Args:
        layer: the layer.
        given: its input, records first.
        grads: gradients of its output, records first; record i's are those of its own loss.
    """
    with_bias = layer.bias is not None and layer.bias.requires_grad
    if isinstance(layer, nn.Linear) and grads.dim() == 2:
        lengths = _square_lengths(given) if layer.weight.requires_grad else torch.zeros(())
        return _square_lengths(grads) * (lengths + 1 if with_bias else lengths)
    total = torch.zeros_like(grads.flatten(1)[:, 0])
    if layer.weight.requires_grad:
        total += _square_norms_of_weight(layer, given, grads)
    if with_bias:
        total += _square_lengths(_sum_positions(layer, grads))
    return total


def weigh(layer: FormulaLayer, given: Tensor, grads: Tensor, weights: Tensor) -> Gradients:
    """Return the weighted sum over records of the gradients of a layer with a formula.

    Args:
        layer: the layer.
        given: its input, records first.
        grads: gradients of its output, records first.
        weights: one for each record, ``(n,)``.
    """
    found: Gradients = {}
    if layer.weight.requires_grad:
        weighted = grads * weights.view(-1, *[1] * (grads.dim() - 1))
        if isinstance(layer, nn.Linear):
            found[layer.weight] = weighted.flatten(0, -2).mT @ given.flatten(0, -2)
        else:
            found[layer.weight] = _weight_gradient(layer, given, weighted)
    if layer.bias is not None and layer.bias.requires_grad:
        found[layer.bias] = weights @ _sum_positions(layer, grads)
    return found


def build_gradients(layer: nn.Module, given: list[Tensor], grads: Tensor) -> Gradients:
    """Return every record's gradient of any known layer.

    Args:
        layer: the layer.
        given: its inputs.
        grads: gradients of its output, records first.
    """
    found: Gradients
    if isinstance(layer, nn.Conv1d | nn.Conv2d):  # Opacus' function pads with zeros only
        product = _multiply(*_positions(layer, given[0], grads))
        found = {layer.weight: product.reshape(len(grads), *layer.weight.shape)}
        if layer.bias is not None:
            found[layer.bias] = _sum_positions(layer, grads)
    elif isinstance(layer, nn.LayerNorm) and layer._parameters["bias"] is None:  # Opacus needs one
        normal = functional.layer_norm(given[0], layer.normalized_shape, eps=layer.eps)
        products = (normal * grads).reshape(len(grads), -1, *layer.normalized_shape)
        found = {layer.weight: products.sum(1)}
    else:
        found = GradSampleModule.GRAD_SAMPLERS[type(layer)](layer, given, grads)
    return {parameter: each for parameter, each in found.items() if parameter.requires_grad}


def _square_norms_of_weight(layer: FormulaLayer, given: Tensor, grads: Tensor) -> Tensor:
    chunk = max(1, _CHUNK // _numbers_per_record(layer, grads))
    parts = zip(given.split(chunk), grads.split(chunk), strict=True)
    return torch.cat([_square_norms_of_chunk(layer, *part) for part in parts])


def _square_norms_of_chunk(layer: FormulaLayer, given: Tensor, grads: Tensor) -> Tensor:
    inputs, outputs = _positions(layer, given, grads)
    width, positions = inputs.shape[1:]
    if _GRAM_COST * positions * (width + outputs.shape[1]) < width * outputs.shape[1]:
        # In float32 the terms of a record that cancel would hide its true norm from the clip.
        inputs, outputs = inputs.double(), outputs.double()
        grams = torch.bmm(inputs.mT, inputs) * torch.bmm(outputs.mT, outputs)
        squares = grams.sum((1, 2)).clamp(min=0).to(grads.dtype)
    else:
        squares = _square_lengths(_multiply(inputs, outputs))
    return squares.reshape(len(grads), -1).sum(1)  # over groups


def _positions(layer: FormulaLayer, given: Tensor, grads: Tensor) -> tuple[Tensor, Tensor]:
    """Return inputs and output gradients of every position: two ``(n x groups, width, positions)``.

    The widths are those of what one output of the layer sees, and of the outputs of a group.
    """
    if isinstance(layer, nn.Linear):
        return given.flatten(1, -2).mT, grads.flatten(1, -2).mT
    padded = _pad(layer, given)
    sizes = [layer.kernel_size, layer.dilation, (0,) * (padded.dim() - 2), layer.stride]
    if isinstance(layer, nn.Conv1d):  # as an image of one line
        padded = padded[:, :, None]
        sizes = [(number, *size) for number, size in zip((1, 1, 0, 1), sizes, strict=True)]
    patches = functional.unfold(padded, *sizes)
    groups, positions = len(grads) * layer.groups, patches.shape[2]
    return (
        patches.reshape(groups, layer.weight[0].numel(), positions),
        grads.reshape(groups, len(layer.weight) // layer.groups, positions),
    )


def _multiply(inputs: Tensor, outputs: Tensor) -> Tensor:
    return torch.bmm(outputs, inputs.mT)


def _weight_gradient(layer: nn.Conv1d | nn.Conv2d, given: Tensor, grads: Tensor) -> Tensor:
    return _WEIGHT_GRADIENTS[type(layer)](
        _pad(layer, given),
        layer.weight.shape,
        grads,
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
    )


def _pad(layer: nn.Conv1d | nn.Conv2d, given: Tensor) -> Tensor:
    sides = layer._reversed_padding_repeated_twice
    if not any(sides):
        return given
    mode = "constant" if layer.padding_mode == "zeros" else layer.padding_mode
    return functional.pad(given, sides, mode)


def _numbers_per_record(layer: FormulaLayer, grads: Tensor) -> int:
    positions = grads[0].numel() // len(layer.weight)
    groups = 1 if isinstance(layer, nn.Linear) else layer.groups
    return layer.weight.numel() + positions * (groups * layer.weight[0].numel() + len(layer.weight))


def _sum_positions(layer: FormulaLayer, grads: Tensor) -> Tensor:
    """Return output gradients summed over positions, ``(n, outputs)``."""
    if isinstance(layer, nn.Linear):
        return grads if grads.dim() == 2 else grads.flatten(1, -2).sum(1)
    return grads.flatten(2).sum(2)


def _square_lengths(vectors: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(vectors.flatten(1), dim=1)
    return lengths.square()
