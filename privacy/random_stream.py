"""Random numbers for everything private: noise, Poisson coins, the choice of a person's row.

A stream turns random bytes into numbers and adds no randomness of its own: it is as hard to predict
as its bytes are. No generator of NumPy or PyTorch takes part. A key of the operating system may be
stretched into more bytes by ChaCha20, as the operating system's own generator does.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = ["RandomStream", "fresh_keystream", "keystream"]

_KEY_BYTES = 32
_WORD_BYTES = 8
_NONCE_BYTES = 16
_BLOCK = 8192
_ZEROS = memoryview(bytes(_WORD_BYTES * _BLOCK))

Shape = int | tuple[int, ...]
Reader = Callable[[int], bytes]


class RandomStream:
    """Numbers from random bytes; every call uses new bytes.

    Args:
        begin: gives every call its reader, which returns that many random bytes, each byte once.
    """

    def __init__(self, begin: Callable[[], Reader]) -> None:
        self._begin = begin

    def bits(self, n: int) -> NDArray[np.uint64]:
        """Return `n` words of 64 random bits, shape `(n,)`."""
        return _read_words(self._begin(), n)

    def uniform(self, shape: Shape) -> NDArray[np.float64]:
        """Return multiples of 2**-53 in [0, 1), each equally likely."""
        words = self.bits(_count(shape)) >> np.uint64(11)
        return (words.astype(np.float64) * 2.0**-53).reshape(shape)

    def normal(
        self, shape: Shape, *, std: float = 1.0, dtype: DTypeLike = np.float64
    ) -> NDArray[np.floating]:
        """Return normal numbers of mean 0, computed in float64 and then rounded to ``dtype``.

        The radius comes from 64 bits, so that no number exceeds 9.5 x ``std`` in size; a true
        normal does so with probability 2e-21.

        Args:
            shape: of the result.
            std: standard deviation, >= 0.
            dtype: float64 or float32.

        Reference: Box and Muller 1958.
        """
        number = _count(shape)
        half = (number + 1) // 2
        # In blocks of a size that stays in the processor's cache.
        blocks = [slice(start, min(start + _BLOCK, half)) for start in range(0, half, _BLOCK)]
        read, radii, pairs = self._begin(), np.empty(half), np.empty((2, half), dtype)
        for block in blocks:
            _write_radii(_read_words(read, block.stop - block.start), out=radii[block])
        for block in blocks:
            words = _read_words(read, block.stop - block.start)
            for line, drawn in zip(pairs, _turn(radii[block], words), strict=True):
                np.multiply(drawn, std, out=line[block], casting="same_kind")
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


def keystream(key: bytes) -> Reader:
    """Return a reader of the ChaCha20 keystream of a 32-byte key, from its start."""
    encryptor = Cipher(algorithms.ChaCha20(key, bytes(_NONCE_BYTES)), mode=None).encryptor()
    return lambda number: encryptor.update(
        _ZEROS[:number] if number <= len(_ZEROS) else bytes(number)
    )


def fresh_keystream() -> Reader:
    """Return a reader of the keystream of a new key, which the operating system gives.

    Used for one call of a stream and then dropped, so that a process that forks shares no key.
    """
    return keystream(os.urandom(_KEY_BYTES))


def _read_words(read: Reader, number: int) -> NDArray[np.uint64]:
    return np.frombuffer(read(_WORD_BYTES * number), dtype="<u8").astype(np.uint64, copy=False)


def _write_radii(words: NDArray[np.uint64], out: NDArray[np.float64]) -> None:
    """Write the lengths of pairs of normal numbers."""
    halves = words.astype("<u8", copy=False).view("<u4")
    # As words.astype(float64), which is slow for unsigned words: only this sum is rounded.
    np.multiply(halves[1::2], 2.0**32, out=out)
    out += halves[::2]
    out += 0.5
    out *= 2.0**-64
    np.log(out, out=out)
    out *= -2.0
    np.sqrt(out, out=out)


def _turn(
    radii: NDArray[np.float64], words: NDArray[np.uint64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return radius times cosine and sine of random angles; ``radii`` are used up.

    Cosine and sine come from t, the tangent of half the angle: ``(1 - t^2) / (1 + t^2)`` and
    ``2 t / (1 + t^2)``. One tangent is cheaper than both, and no less exact than the angle.
    """
    tangents = np.empty_like(radii)
    np.multiply(words.view(np.int64), math.pi * 2.0**-64, out=tangents)
    np.tan(tangents, out=tangents)
    squares: NDArray[np.float64] = tangents * tangents
    squares += 1.0
    radii /= squares
    np.subtract(2.0, squares, out=squares)
    squares *= radii
    tangents *= 2.0
    tangents *= radii
    return squares, tangents


def _count(shape: Shape) -> int:
    return math.prod(shape) if isinstance(shape, tuple) else shape
