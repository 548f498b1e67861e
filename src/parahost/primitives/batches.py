"""What is sent together: as many as a message may hold, in number and in bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(
    things: Iterable[T], *, max_count: int, max_bytes: int, size_of: Callable[[T], int]
) -> Iterator[tuple[T, ...]]:
    """The things in order, in batches of at most ``max_count`` and ``max_bytes``. What is larger by
    itself goes alone."""
    batch: list[T] = []
    size = 0
    for thing in things:
        own = size_of(thing)
        if batch and (len(batch) == max_count or size + own > max_bytes):
            yield tuple(batch)
            batch, size = [], 0
        batch.append(thing)
        size += own
    if batch:
        yield tuple(batch)
