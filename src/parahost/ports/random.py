"""Chance, as the node sees it."""

from __future__ import annotations

from typing import Protocol


class Random(Protocol):
    """A node's source of randomness: the operating system's, or a seeded stream."""

    def bytes(self, count: int) -> bytes:
        """That many random bytes."""
        ...

    def below(self, bound: int) -> int:
        """An integer from 0 up to but without ``bound``; ``bound`` is at least 1."""
        ...
