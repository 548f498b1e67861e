"""Chance in a simulation: seeded streams, each with a name.

A stream depends on the seed and its name only. So what one part of a run draws does not change
what another part draws, and adding a node or a fault leaves the streams of the others as they are.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from hashlib import blake2b


class SeededRandom:
    """``ports.Random`` as a stream that a seed fixes; the same on every machine."""

    def __init__(self, seed: int) -> None:
        self._stream = random.Random(seed)
        self.unit: Callable[[], float] = self._stream.random
        """Gives a number from 0 up to but without 1."""

    def bytes(self, count: int) -> bytes:
        return self._stream.randbytes(count)

    def below(self, bound: int) -> int:
        if bound < 1:
            raise ValueError(f"nothing is below {bound}")
        return int(self.unit() * bound)


class Streams:
    """The streams of one run, found by their names."""

    def __init__(self, seed: int, *path: str) -> None:
        self._seed = seed
        self._path = path

    def within(self, *names: str) -> Streams:
        """The streams below a name, as of one node."""
        return Streams(self._seed, *self._path, *names)

    def seed_of(self, *names: str) -> int:
        """The seed of the stream with that name."""
        name = "/".join((str(self._seed), *self._path, *names))
        return int.from_bytes(blake2b(name.encode(), digest_size=16).digest(), "little")

    def stream(self, *names: str) -> SeededRandom:
        """The stream with that name, from its beginning."""
        return SeededRandom(self.seed_of(*names))
