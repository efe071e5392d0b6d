"""How weights travel: 32 or 16 bits each, or 8 bits with a scale for every block of them.

Rounding what is already private is post-processing. A site answers in the format in which it was
asked, so the coordinator chooses. Whoever receives weights computes in float32.

``int8`` is rounding to the nearest of 255 steps within a block, as for quantised inference
(Dettmers et al. 2022, "8-bit Optimizers via Block-wise Quantization"). A step is a hundredth of the
block's largest value, so a site that was sent a generator answers with what training changed, which
is small beside the weights. That is added to what the site was sent, rounded as it was: it was
trained from there, and added to the weights before rounding it is worse than whole weights in 8
bits (docs/utility.md).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from flwr.app import Array, ArrayRecord
from numpy.typing import NDArray

from strategies.wire_field import BLOCK, WireFormat

Weights = Mapping[str, NDArray[Any]]
_SCALE: Final = ":scale"
_STEPS: Final = 127


def pack(weights: Weights, wire_format: WireFormat) -> ArrayRecord:
    """Return weights as they travel; what is too large for the format becomes infinite.

    Args:
        weights: float32 arrays by name.
        wire_format: how to send them.
    """
    packed: dict[str, NDArray[Any]] = {}
    for name, values in weights.items():
        if wire_format is WireFormat.INT8:
            packed[name], packed[name + _SCALE] = _quantise(values)
        else:
            with np.errstate(over="ignore"):  # the gate of a site refuses what is not finite
                packed[name] = values.astype(wire_format.value)
    return ArrayRecord({name: Array(values) for name, values in packed.items()})


def unpack(arrays: Weights) -> dict[str, NDArray[Any]]:
    """Return what arrived as float32 weights by name.

    Args:
        arrays: in any of the formats; other dtypes stay as they are.

    Raises:
        ValueError: if 8-bit weights come without scales that fit.
    """
    weights: dict[str, NDArray[Any]] = {}
    for name, values in arrays.items():
        if values.dtype == np.int8:
            scales = arrays.get(name + _SCALE)
            if scales is None or scales.shape != (_count_blocks(values.size),):
                raise ValueError(f"8-bit weights need one scale for every {BLOCK} of them.")
            each = np.repeat(scales.astype(np.float32), BLOCK)[: values.size]
            weights[name] = values * each.reshape(values.shape)
        elif not name.endswith(_SCALE):
            is_half = values.dtype == np.float16
            weights[name] = values.astype(np.float32) if is_half else values
    return weights


def pack_answer(weights: Weights, received: Weights, wire_format: WireFormat) -> ArrayRecord:
    """Return a site's generator as it answers; in 8 bits that is how far it is from what came.

    Args:
        weights: after training, by name.
        received: before it, as the site read them, with the same names and shapes.
        wire_format: of the question.
    """
    if wire_format.tells_changes:
        weights = {name: values - received[name] for name, values in weights.items()}
    return pack(weights, wire_format)


def unpack_answer(
    answer: Weights, sent: Weights, wire_format: WireFormat
) -> dict[str, NDArray[Any]]:
    """Return the generator that a site's answer stands for, as float32 weights by name.

    Args:
        answer: as ``unpack`` gave it.
        sent: the generator in question, as the site read it.
        wire_format: of the question.
    """
    if not wire_format.tells_changes:
        return dict(answer)
    return {name: sent[name] + values for name, values in answer.items()}


def format_of(arrays: Mapping[str, Array]) -> WireFormat:
    """Return the format in which weights came."""
    dtypes = {array.dtype for array in arrays.values()}
    return next((each for each in reversed(WireFormat) if each.value in dtypes), WireFormat.FLOAT32)


def is_one_format(arrays: Mapping[str, Array]) -> bool:
    """Return whether all arrays are as ``pack`` makes them in one format."""
    wire_format = format_of(arrays)
    if wire_format is not WireFormat.INT8:
        return all(array.dtype == wire_format.value for array in arrays.values())
    scales = {name for name in arrays if name.endswith(_SCALE)}
    weights = arrays.keys() - scales
    return scales == {name + _SCALE for name in weights} and all(
        array.dtype == ("float16" if name in scales else "int8") for name, array in arrays.items()
    )


def _quantise(values: NDArray[Any]) -> tuple[NDArray[np.int8], NDArray[np.float16]]:
    blocks = np.zeros((_count_blocks(values.size), BLOCK), dtype=np.float32)
    blocks.reshape(-1)[: values.size] = values.reshape(-1)
    with np.errstate(over="ignore"):
        wanted = np.abs(blocks).max(axis=1) / np.float32(_STEPS)
        scales = wanted.astype(np.float16)
        # Rounded up, so that the largest weight needs no more steps than there are.
        scales = np.where(scales < wanted, np.nextafter(scales, np.float16(np.inf)), scales)
    steps = blocks / np.maximum(scales.astype(np.float32), 1e-12)[:, None]
    rounded = np.clip(np.rint(steps), -_STEPS, _STEPS).astype(np.int8)
    return rounded.reshape(-1)[: values.size].reshape(values.shape), scales


def _count_blocks(size: int) -> int:
    return math.ceil(size / BLOCK)
