"""Random sources with one stream per path, seeded or from the operating system.

A path such as `("site", 3, "sketch")` names a use of randomness. Different paths give independent
streams, so that adding a use never shifts another.

Everything private (noise, Poisson coins, the choice of a person's row) uses `.stream`: the ChaCha20
keystreams of fresh keys from the operating system, or that of a seed's key in a simulation.
`.numpy` and `.torch` are for public randomness, such as initial weights and fake rows: their
generators are not cryptographic, and who sees many exact outputs could in principle rebuild their
state.
"""

import hashlib
import json
import secrets
from typing import Protocol

import numpy as np
import torch

from privacy.checks import check_whole_number
from privacy.random_stream import RandomStream, fresh_keystream, keystream

__all__ = ["RandomStream", "Randomness", "SeededRandomness", "SystemRandomness"]

# PyTorch's CPU generator seeds its Mersenne Twister with the low 32 bits of a seed, which anyone
# can try out one by one. So the 624 words of state are set directly: see _torch_generator.
_STATE_WORDS = 624
_STATE_OFFSET = 24
_WORD_BYTES = 8


class Randomness(Protocol):
    """A family of independent random streams, one for each path."""

    @property
    def is_seeded(self) -> bool:
        """Whether the streams repeat from run to run; then nothing is private in a deployment."""
        ...

    def stream(self, *path: str | int) -> RandomStream:
        """Return the stream of this path for everything private."""
        ...

    def numpy(self, *path: str | int) -> np.random.Generator:
        """Return a NumPy generator for this path, for public randomness."""
        ...

    def torch(self, *path: str | int) -> torch.Generator:
        """Return a PyTorch CPU generator for this path, for public randomness."""
        ...


class SeededRandomness:
    """Streams that repeat: the same seed and path give the same numbers. For simulation only.

    Args:
        seed: any whole number; whoever knows it can subtract the noise.
    """

    def __init__(self, seed: int) -> None:
        self._seed = check_whole_number(seed, name="seed")

    def __repr__(self) -> str:
        return f"SeededRandomness({self._seed})"

    @property
    def is_seeded(self) -> bool:
        """True: the streams repeat."""
        return True

    def stream(self, *path: str | int) -> RandomStream:
        """Return the ChaCha20 keystream of this path; each call starts it again."""
        read = keystream(self._digest("stream", path))
        return RandomStream(lambda: read)

    def numpy(self, *path: str | int) -> np.random.Generator:
        """Return the NumPy generator of this path; each call starts the stream again."""
        return np.random.Generator(np.random.PCG64DXSM(self._sequence("numpy", path)))

    def torch(self, *path: str | int) -> torch.Generator:
        """Return the PyTorch CPU generator of this path; each call starts the stream again."""
        return _torch_generator(self._sequence("torch", path))

    def _sequence(self, library: str, path: tuple[str | int, ...]) -> np.random.SeedSequence:
        return np.random.SeedSequence(int.from_bytes(self._digest(library, path)))

    def _digest(self, kind: str, path: tuple[str | int, ...]) -> bytes:
        # JSON keeps 1 and "1", and ("a", "b") and ("a,b",), apart.
        name = json.dumps([self._seed, kind, *_check_path(path)])
        return hashlib.sha256(name.encode()).digest()


class SystemRandomness:
    """Streams from the operating system's entropy: never the same twice. For real deployments."""

    def __repr__(self) -> str:
        return "SystemRandomness()"

    @property
    def is_seeded(self) -> bool:
        """False: the streams never repeat."""
        return False

    def stream(self, *path: str | int) -> RandomStream:
        """Return a stream whose every call has a key of its own from the operating system.

        The path is checked and has no other effect.
        """
        _check_path(path)
        return RandomStream(fresh_keystream)

    def numpy(self, *path: str | int) -> np.random.Generator:
        """Return a fresh NumPy generator; the path is checked and has no other effect."""
        _check_path(path)
        return np.random.Generator(np.random.PCG64DXSM(_fresh_sequence()))

    def torch(self, *path: str | int) -> torch.Generator:
        """Return a fresh PyTorch CPU generator; the path is checked and has no other effect."""
        _check_path(path)
        return _torch_generator(_fresh_sequence())


def _fresh_sequence() -> np.random.SeedSequence:
    return np.random.SeedSequence(secrets.randbits(256), pool_size=8)


def _check_path(path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    if not path or not all(isinstance(part, str | int) for part in path):
        raise ValueError(f"path must be one or more words or whole numbers, got {path!r}")
    return path


def _torch_generator(sequence: np.random.SeedSequence) -> torch.Generator:
    """Return a CPU generator whose whole Mersenne Twister state comes from the sequence."""
    generator = torch.Generator()
    generator.manual_seed(0)
    state = generator.get_state()
    words = sequence.generate_state(_STATE_WORDS, dtype=np.uint32).astype(np.uint64)
    block = torch.from_numpy(words.view(np.uint8).copy())
    state[_STATE_OFFSET : _STATE_OFFSET + _STATE_WORDS * _WORD_BYTES] = block
    generator.set_state(state)
    return generator
