"""Random numbers for everything private: noise, Poisson coins, the choice of a person's row.

A stream turns random bytes into numbers and adds no randomness of its own: it is as hard to predict
as its bytes are. No generator of NumPy or PyTorch takes part.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numpy.typing import ArrayLike, NDArray

__all__ = ["RandomStream", "keystream"]

_WORD_BYTES = 8
_NONCE_BYTES = 16
_BLOCK = 8192

Shape = int | tuple[int, ...]


class RandomStream:
    """Numbers from random bytes; every call uses new bytes.

    Args:
        read: returns that many random bytes, each byte once.
    """

    def __init__(self, read: Callable[[int], bytes]) -> None:
        self._read = read

    def bits(self, n: int) -> NDArray[np.uint64]:
        """Return `n` words of 64 random bits, shape `(n,)`."""
        return np.frombuffer(self._read(_WORD_BYTES * n), dtype="<u8").astype(np.uint64, copy=False)

    def uniform(self, shape: Shape) -> NDArray[np.float64]:
        """Return multiples of 2**-53 in [0, 1), each equally likely."""
        words = self.bits(_count(shape)) >> np.uint64(11)
        return (words.astype(np.float64) * 2.0**-53).reshape(shape)

    def normal(self, shape: Shape) -> NDArray[np.float64]:
        """Return standard normal numbers, rounded to float64.

        The radius comes from 64 bits, so that no number exceeds 9.5 in size; a true normal does so
        with probability 2e-21.

        Reference: Box and Muller 1958.
        """
        number = _count(shape)
        half = (number + 1) // 2
        words = self.bits(2 * half)
        pairs = np.empty((2, half))
        for start in range(0, half, _BLOCK):  # of a size that stays in the processor's cache
            end = min(start + _BLOCK, half)
            _box_muller(words[start:end], words[half + start : half + end], pairs[:, start:end])
        return pairs.reshape(-1)[:number].reshape(shape)

    def integers(self, below: ArrayLike) -> NDArray[np.int64]:
        """Return whole numbers in [0, below), each exactly equally likely, one for each bound.

        Args:
            below: one bound or an array of them, each in [1, 2**63); the result has its shape.

        Raises:
            ValueError: if a bound is out of range; it is not shown, for it may be private.
        """
        bounds = np.asarray(below)
        if bounds.dtype.kind not in "iu" or (bounds < 1).any() or (bounds > 2**63 - 1).any():
            raise ValueError("below must hold whole numbers in [1, 2**63)")
        sizes = bounds.astype(np.uint64).reshape(-1)
        found = np.empty(sizes.shape, dtype=np.int64)
        open_places = np.arange(len(sizes))
        while len(open_places):
            words, size = self.bits(len(open_places)), sizes[open_places]
            # From 2**64 modulo size on, every remainder belongs to equally many words.
            fair = words >= (np.uint64(0) - size) % size
            found[open_places[fair]] = (words % size)[fair].astype(np.int64)
            open_places = open_places[~fair]
        return found.reshape(bounds.shape)


def keystream(key: bytes) -> Callable[[int], bytes]:
    """Return a reader of the ChaCha20 keystream of a 32-byte key, from its start."""
    encryptor = Cipher(algorithms.ChaCha20(key, bytes(_NONCE_BYTES)), mode=None).encryptor()
    return lambda number: encryptor.update(bytes(number))


def _box_muller(
    radii: NDArray[np.uint64], angles: NDArray[np.uint64], out: NDArray[np.float64]
) -> None:
    """Write radius times cosine and sine into the two lines of ``out``.

    Cosine and sine come from t, the tangent of half the angle: ``(1 - t^2) / (1 + t^2)`` and
    ``2 t / (1 + t^2)``. One tangent is cheaper than both, and no less exact than the angle.
    """
    low, high = radii & np.uint64(2**32 - 1), radii >> np.uint64(32)
    # As astype(float64), which is slow for unsigned words: only this sum is rounded.
    radius = high.view(np.int64) * 2.0**32 + low.view(np.int64)
    radius = np.sqrt(-2.0 * np.log((radius + 0.5) * 2.0**-64))
    tangent = np.tan(angles.view(np.int64) * (math.pi * 2.0**-64))
    square = tangent * tangent + 1.0
    radius /= square
    np.multiply(2.0 - square, radius, out=out[0])
    np.multiply(2.0 * tangent, radius, out=out[1])


def _count(shape: Shape) -> int:
    return math.prod(shape) if isinstance(shape, tuple) else shape
