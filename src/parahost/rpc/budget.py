"""Memory that large messages of all connections share."""

from __future__ import annotations

from parahost.rpc.errors import Busy
from parahost.rpc.limits import SMALL_MESSAGE_BYTES


class ByteBudget:
    """How many bytes large messages may have together. Small ones are not counted."""

    def __init__(self, limit: int) -> None:
        self.left = limit

    def take(self, size: int) -> int:
        """Count a message; gives what is to be given back for it.

        :raises Busy: when others have taken what there is.
        """
        counted = size if size > SMALL_MESSAGE_BYTES else 0
        if counted > self.left:
            raise Busy
        self.left -= counted
        return counted

    def give_back(self, counted: int) -> None:
        self.left += counted
