"""Does a discriminator treat every record by itself? Layers are looked at, then it is tried out.

Trying out finds what hand-written layers do: a row's logit that changes with the other rows, with
their number, or with rows seen before. It uses made-up rows on copies of the network; finding
nothing is not a proof.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

import torch
from opacus.validators import ModuleValidator
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from privacy.book_keeping import BookKeeper

__all__ = ["check_gradients", "check_layers", "check_one_logit_per_row", "check_rows_apart"]

_ROWS = 6
_TOLERANCE = 1e-5
_GRADIENT_TOLERANCE = 1e-3  # of the largest norm; what is wrong is off by its own size
_SHAPE_ERRORS = (RuntimeError, ValueError, IndexError, AssertionError)
_WAY_OUT = "Use GroupNorm, LayerNorm or no normalisation."

_Change = Callable[[Tensor], Tensor]
_CHANGES: tuple[_Change, ...] = (
    torch.zeros_like,
    torch.neg,
    lambda rows: 1e4 * rows,
    lambda rows: rows[:1].expand_as(rows),  # layers that measure distances find neighbours here
)


def check_layers(discriminator: nn.Module) -> None:
    """Refuse layers that are known to mix or remember records.

    Raises:
        ValueError: with one reason for each kind of layer.
    """
    problems = list(_find_layer_problems(discriminator))
    if problems:
        raise ValueError(
            f"discriminator must treat every record by itself; {'; '.join(problems)}. {_WAY_OUT}"
        )


def check_one_logit_per_row(discriminator: nn.Module, width: int) -> None:
    """Refuse a network that does not map n rows of this width to n logits, for n = 1, 2 and 6.

    Raises:
        ValueError: if the network fails or gives another number, as one with packed samples does.
    """
    for number in (1, 2, _ROWS):
        try:
            shape = _run(
                copy.deepcopy(discriminator), _draw_rows(discriminator, width)[:number]
            ).shape
        except _SHAPE_ERRORS as error:
            raise ValueError(_describe_packing(width, f"{number} gave an error")) from error
        if shape not in ((number,), (number, 1)):
            raise ValueError(_describe_packing(width, f"{number} gave shape {tuple(shape)}"))


def check_rows_apart(discriminator: nn.Module, width: int) -> None:
    """Refuse a network in which other rows change a row's logit, in training or evaluation mode.

    Random layers such as dropout are let be: their draws are the same on both sides.

    Raises:
        ValueError: if another row's values, the number of rows, or an earlier batch has an effect.
    """
    for network in _make_variants(discriminator):
        for training in (True, False):
            network.train(training)
            _check_memory(network, _draw_rows(network, width))  # first, while it has seen nothing
            _check_values(copy.deepcopy(network), _draw_rows(network, width))
        _check_number(network, _draw_rows(network, width))


def check_gradients(discriminator: nn.Module, width: int) -> None:
    """Refuse a network whose gradients book-keeping does not find, by comparison with autograd.

    Raises:
        ValueError: if a layer is of an unknown type, or weights are used without calling it.
    """
    for network in _make_variants(discriminator):
        if not _agrees_with_autograd(network, _draw_rows(network, width)):
            raise ValueError(
                "discriminator must use its weights by calling the layers that hold them, with "
                "records along the first dimension; the per-record gradients found from its layers "
                "are not those of autograd."
            )


def _find_layer_problems(discriminator: nn.Module) -> Iterator[str]:
    modules = list(discriminator.modules())
    if any(isinstance(module, _BatchNorm) for module in modules):
        yield "BatchNorm scales each record by the others of its batch"
    if any(isinstance(m, _InstanceNorm) and m.track_running_stats for m in modules):
        yield "InstanceNorm with running statistics keeps what records left behind"
    embeddings = [m for m in modules if isinstance(m, nn.Embedding | nn.EmbeddingBag)]
    if any(embedding.max_norm is not None for embedding in embeddings):
        yield (
            "an embedding with max_norm shrinks the weights that records look up, outside of clip "
            "and noise: leave max_norm out"
        )
    if any(True for _ in discriminator.buffers()):
        yield "a buffer can carry what one record left behind to the next"
    yield from (str(problem) for problem in ModuleValidator.validate(discriminator, strict=False))


def _make_variants(discriminator: nn.Module) -> Iterator[nn.Module]:
    """Yield copies with the weights as they are and with random ones, for weights may be zero."""
    yield copy.deepcopy(discriminator)
    other = copy.deepcopy(discriminator)
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in other.parameters():
            weight.copy_(0.5 * torch.randn(weight.shape, generator=rng))
    yield other


def _check_values(network: nn.Module, rows: Tensor) -> None:
    logits = _run(network, rows)
    if not _agree(_run(network, rows), logits):
        raise ValueError(
            "discriminator must give the same logits for the same rows and the same torch seed, or "
            "nobody can tell whether it treats every record by itself; draw with torch only and "
            "keep nothing from one call to the next."
        )
    for change in _CHANGES:
        changed = torch.cat([rows[:1], change(rows)[1:]])
        if not _agree(_run(network, changed)[:1], logits[:1]):
            raise ValueError(_describe_mixing("the values of other rows"))


def _check_memory(network: nn.Module, rows: Tensor) -> None:
    after_one, after_another = copy.deepcopy(network), copy.deepcopy(network)
    _run(after_one, rows)
    _run(after_another, 1e4 * rows.flip(0))
    if not _agree(_run(after_one, rows), _run(after_another, rows)):
        raise ValueError(_describe_mixing("rows seen in an earlier call"))


def _check_number(network: nn.Module, rows: Tensor) -> None:
    network.eval()  # dropout draws other numbers for other shapes
    if not _agree(_run(network, rows[:1]), _run(network, rows)[:1]):
        raise ValueError(_describe_mixing("the number of rows"))


def _agrees_with_autograd(network: nn.Module, rows: Tensor) -> bool:
    """Compare norms and a weighted sum on the graph of one run, as a step computes them."""
    keeper, weights = BookKeeper(network), torch.linspace(-1.0, 2.0, len(rows)).to(rows)
    with _put_dice_back(rows), keeper.watch() as book:
        logits = network(rows).reshape(len(rows))
    found = keeper.differentiate(logits, book, retain_graph=True)
    sums = found.weigh(weights)
    wanted = torch.stack(
        [
            _flatten(
                torch.autograd.grad(
                    logit, list(sums), retain_graph=True, allow_unused=True, materialize_grads=True
                )
            )
            for logit in logits
        ]
    )  # (n, weights)
    if not torch.isfinite(wanted).all():
        return True  # the step itself says what is wrong
    norms = torch.linalg.vector_norm(wanted, dim=1)
    bound = _GRADIENT_TOLERANCE * float(norms.max())
    wrong_norms, wrong_sums = found.norms() - norms, _flatten(sums.values()) - weights @ wanted
    return float(wrong_norms.norm()) <= bound and float(wrong_sums.norm()) <= bound


def _run(network: nn.Module, rows: Tensor) -> Tensor:
    with _put_dice_back(rows), torch.no_grad():
        logits: Tensor = network(rows)
    return logits


def _put_dice_back(rows: Tensor) -> AbstractContextManager[None]:
    """Put the random state back after a run, so that dropout draws the same each time."""
    return torch.random.fork_rng(devices=[rows.device] if rows.is_cuda else [])


def _flatten(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([each.flatten() for each in tensors])


def _agree(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=_TOLERANCE, atol=_TOLERANCE, equal_nan=True)


def _draw_rows(network: nn.Module, width: int) -> Tensor:
    """Return made-up rows ``(6, width)`` of the type and on the device of the network's weights."""
    rows = torch.randn(_ROWS, width, generator=torch.Generator().manual_seed(0))
    return rows.to(next(network.parameters(), rows))


def _describe_packing(width: int, found: str) -> str:
    return (
        f"discriminator must give one logit for each row of width {width}, whether 1, 2 or {_ROWS} "
        f"rows come, and {found}; packing several records into one sample would let one record "
        "move more than one clipped gradient. Look at each row alone."
    )


def _describe_mixing(cause: str) -> str:
    return (
        f"discriminator must treat every record by itself; {cause} changed a row's logit, so that "
        "clipping one record's gradient would not bound what that record does. Remove the layer "
        "that looks across rows, such as minibatch discrimination."
    )
