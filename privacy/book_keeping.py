"""Book-keeping: per-record gradient norms and weighted gradient sums from one backward pass.

While a network runs, the book holds the input of every layer with weights and the place of its
output in the graph. One backward pass gives the gradients of those outputs and none of the weights.
Norms, and then the sum under weights that follow from the norms, come from both by arithmetic
(:mod:`privacy.layer_gradients`), with nothing of the size of all per-record gradients.

A layer that is called several times, and a weight that several layers share, have their per-record
gradients built and added up before a norm is taken.

Reference: Bu et al. 2022, 'Differentially Private Optimization on Large Model at Small Cost'.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge, get_gradient_edge

from privacy.layer_gradients import (
    FormulaLayer,
    Gradients,
    build_gradients,
    has_formula,
    is_known,
    square_norms,
    weigh,
)

__all__ = ["BookKeeper", "PerRecordGradients"]


@dataclass(frozen=True)
class _Call:
    """One call of a layer: what went in, unchanged since, and where what came out stands."""

    layer: nn.Module
    given: list[Tensor]
    versions: list[int]
    output: GradientEdge


class BookKeeper:
    """Finds the per-record gradients of a network with respect to its trainable weights.

    Args:
        network: treats each record by itself, with records along the first dimension everywhere.

    Raises:
        ValueError: if nothing can be trained, or if a layer with weights is of a type for which
            Opacus has no per-record gradients.
    """

    def __init__(self, network: nn.Module) -> None:
        holders = [layer for layer in network.modules() if _own_weights(layer)]
        if not holders:
            raise ValueError("discriminator must have weights that require gradients, it has none.")
        self._layers = [layer for layer in holders if is_known(layer)]
        # Opacus' recurrent layers have second names for the weights of the layers inside.
        found = {weight for layer in self._layers for weight in _own_weights(layer)}
        unknown = {
            type(each).__name__ for each in holders if not found.issuperset(_own_weights(each))
        }
        if unknown:
            raise ValueError(
                "discriminator must keep its weights in layers with per-record gradients, and "
                f"Opacus has none that are right for {', '.join(sorted(unknown))}; use linear or "
                "convolutional layers, or register a function for a type of your own by "
                "opacus.grad_sample.register_grad_sampler."
            )

    @contextmanager
    def watch(self) -> Iterator[list[_Call]]:
        """Give a book that is filled by what the network runs inside the ``with`` block."""
        book: list[_Call] = []

        def write(
            layer: nn.Module, given: tuple[Any, ...], named: dict[str, Any], out: Any
        ) -> None:
            if not isinstance(out, Tensor) or not out.requires_grad:
                return
            inputs = [each for each in (*given, *named.values()) if isinstance(each, Tensor)]
            versions = [each._version for each in inputs]
            # The place and not the output, which an activation may change where it stands.
            edge = get_gradient_edge(out)
            book.append(_Call(layer, [each.detach() for each in inputs], versions, edge))

        hooks = [
            layer.register_forward_hook(write, prepend=True, with_kwargs=True)
            for layer in self._layers
        ]
        try:
            yield book
        finally:
            for hook in hooks:
                hook.remove()

    def differentiate(
        self, losses: Tensor, book: list[_Call], *, retain_graph: bool = False
    ) -> PerRecordGradients:
        """Return the gradients of the records' losses.

        Args:
            losses: one for each record, ``(n,)``; each depends on its own record alone.
            book: of the run that gave them.
            retain_graph: whether the graph is needed again.

        Raises:
            ValueError: if a layer's first dimension is not that of the records, or its input was
                changed after the call.
        """
        grads = torch.autograd.grad(
            losses.sum(),
            [call.output for call in book],
            retain_graph=retain_graph,
            allow_unused=True,
        )
        used = [(call, grad) for call, grad in zip(book, grads, strict=True) if grad is not None]
        for call, grad in used:
            _check_call(call, grad, len(losses))
        return PerRecordGradients(self._layers, [(c.layer, c.given, g) for c, g in used], losses)


class PerRecordGradients:
    """What is known of the records' gradients after one backward pass; private.

    Args:
        layers: all that have trainable weights.
        calls: layer, inputs and output gradient of each call that the losses depend on.
        losses: of the records, ``(n,)``.
    """

    def __init__(
        self,
        layers: list[nn.Module],
        calls: list[tuple[nn.Module, list[Tensor], Tensor]],
        losses: Tensor,
    ) -> None:
        uses = Counter(weight for layer, _, _ in calls for weight in _own_weights(layer))
        self._weights = list(dict.fromkeys(w for layer in layers for w in _own_weights(layer)))
        self._nothing = torch.zeros_like(losses.detach())
        self._formulas: list[tuple[FormulaLayer, Tensor, Tensor]] = []
        self._built: Gradients = {}
        for layer, given, grads in calls:
            if has_formula(layer) and all(uses[weight] == 1 for weight in _own_weights(layer)):
                self._formulas.append((layer, given[0], grads))
            else:
                self._add(build_gradients(layer, given, grads))

    def norms(self) -> Tensor:
        """Return the L2 norm of each record's gradient, ``(n,)``; not finite if it overflows."""
        squares = self._nothing
        for layer, given, grads in self._formulas:
            squares = squares + square_norms(layer, given, grads)
        for built in self._built.values():
            squares = squares + torch.linalg.vector_norm(built.flatten(1), dim=1).square()
        return squares.sqrt()

    def weigh(self, weights: Tensor) -> Gradients:
        """Return the weighted sum of the records' gradients for every trainable weight.

        Args:
            weights: one for each record, ``(n,)``.
        """
        sums: Gradients = {}
        for layer, given, grads in self._formulas:
            sums |= weigh(layer, given, grads, weights)
        for weight, built in self._built.items():
            sums[weight] = torch.tensordot(weights, built, dims=1)
        return {w: sums[w] if w in sums else torch.zeros_like(w) for w in self._weights}

    def _add(self, built: Gradients) -> None:
        for weight, grads in built.items():
            self._built[weight] = self._built[weight] + grads if weight in self._built else grads


def _own_weights(layer: nn.Module) -> list[nn.Parameter]:
    # As layer.parameters(recurse=False), which takes several times as long, and steps ask often.
    found = dict.fromkeys(layer._parameters.values())
    return [each for each in found if each is not None and each.requires_grad]


def _check_call(call: _Call, grad: Tensor, records: int) -> None:
    name = type(call.layer).__name__
    if len(grad) != records:
        raise ValueError(
            f"discriminator must keep records along the first dimension, and a {name} did not; "
            "put the other dimensions behind it."
        )
    if [each._version for each in call.given] != call.versions:
        raise ValueError(
            f"discriminator must leave what went into a {name} as it is, and changed it in place "
            "afterwards; use operations that give a new tensor."
        )
