"""A message that comes in pieces, within what it may have."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from parahost.rpc.budget import ByteBudget
from parahost.rpc.errors import RequestTooLarge
from parahost.rpc.limits import MAX_REQUEST_BYTES


class Incoming:
    """The pieces of one message after the other. Leaving the block gives back what is counted."""

    def __init__(self, budget: ByteBudget) -> None:
        self._budget = budget
        self._pieces = bytearray()
        self._counted = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    @property
    def begun(self) -> bool:
        """Whether a message has begun that is not whole."""
        return bool(self._pieces)

    def add(self, piece: bytes | bytearray) -> None:
        """:raises RequestTooLarge: when the message would be larger than any may be.
        :raises Busy: when there is no room for it beside those of others.
        """
        size = len(self._pieces) + len(piece)
        if size > MAX_REQUEST_BYTES:
            raise RequestTooLarge(MAX_REQUEST_BYTES)
        self._budget.give_back(self._counted)
        self._counted = 0
        self._counted = self._budget.take(size)
        self._pieces += piece

    def take(self) -> bytes:
        """The whole message."""
        message = bytes(self._pieces)
        self.clear()
        return message

    def clear(self) -> None:
        self._budget.give_back(self._counted)
        self._counted = 0
        self._pieces = bytearray()
