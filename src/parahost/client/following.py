"""A chain's blocks, each told once, whatever forks come between."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

RETRACTABLE_BLOCKS: Final = 4096
"""Blocks that a fork may retract. One that goes further back is told from there on."""


@dataclass(frozen=True, slots=True)
class BlockNews:
    """A block that has come onto the chain; or, ``retracted``, left it."""

    number: int
    hash: str
    retracted: bool = False


class FollowedChain:
    """Told the newest block from time to time, tells what is new between."""

    def __init__(self, parent_of: Callable[[str], str], first: int | None = None) -> None:
        """:param first: the number of the first block to tell of; if none is given, that of the
        first newest one."""
        self._parent_of = parent_of
        self._first = first
        self._told: dict[int, str] = {}

    def goes_to(self, number: int, block: str) -> Iterator[BlockNews]:
        """The newest block is this: first those that it retracts, the newest of them first; then
        those that come, in their order."""
        first = self._first = number if self._first is None else self._first
        if self._told:
            first = self._first = min(first, number)
        coming: list[BlockNews] = []
        while number >= first and self._told.get(number) != block:
            coming.append(BlockNews(number, block))
            number, block = number - 1, self._parent_of(block)
        for gone in sorted((one for one in self._told if one > number), reverse=True):
            yield BlockNews(gone, self._told.pop(gone), retracted=True)
        for news in reversed(coming):
            self._told[news.number] = news.hash
            yield news
        while len(self._told) > RETRACTABLE_BLOCKS:
            del self._told[min(self._told)]
            self._first = min(self._told)
