"""What peers make this node hold in memory: unread and half messages, what waits to be sent to
them, and answers that they do not read.

Every connection has an account. One that makes us hold more than a connection may is ended; when
all together hold more than all may, the one that holds most is. Room for an answer is reserved
before the answer is made, so that many requests for large things do not make all of them at once.
What strangers send without being asked has a bound of its own: half messages cost them little.

Protected peers (validators of this and the next session, bootnodes, reserved ones) do not go, and
do not wait, for what others hold: else strangers could take all the room there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from parahost.network.limits import NetworkLimits


class Holdings:
    """The accounts of all connections, in bytes."""

    def __init__(self, limits: NetworkLimits) -> None:
        self.limits = limits
        self.held = 0
        self.reserved = 0
        """For answers to peers that are not protected; a part of what is held."""
        self.unasked = 0
        """What such peers sent unasked; a part of what is held."""
        self._accounts: dict[Account, None] = {}
        self._freed = trio.Event()

    def open(self, end: Callable[[str], None]) -> Account:
        """Begin a connection's account. ``end`` ends the connection, which closes the account."""
        account = Account(self, end)
        self._accounts[account] = None
        return account

    def forget(self, account: Account) -> None:
        self._accounts.pop(account, None)

    def freed(self) -> None:
        self._freed.set()

    async def until_freed(self) -> None:
        if self._freed.is_set():
            self._freed = trio.Event()
        await self._freed.wait()

    def keep_within_limits(self) -> None:
        while self.unasked > self.limits.unasked_bytes and self._accounts:
            heaviest = max(self._accounts, key=lambda account: account.unasked_as_stranger)
            heaviest.end("it sent most of what strangers together sent unasked")
        while self.held > self.limits.held_bytes and self._accounts:
            heaviest = max(
                self._accounts, key=lambda account: (not account.is_protected(), account.held)
            )
            heaviest.end("it held most of what all peers together make us hold")


class Account:
    """Of one connection, in bytes. Until it is ``accepted`` it may hold little."""

    def __init__(self, holdings: Holdings, end: Callable[[str], None]) -> None:
        self._holdings = holdings
        self._end = end
        self._limit = holdings.limits.held_bytes_of_stranger
        self._open = True
        self.is_protected: Callable[[], bool] = lambda: False
        self.held = 0
        self.reserved = 0
        """For answers; a part of what is held."""
        self.unasked_as_stranger = 0
        """What it sent unasked while it was not protected; a part of what is held."""

    def accepted(self, is_protected: Callable[[], bool]) -> None:
        """The connection became a session."""
        self.is_protected = is_protected
        self._limit = self._holdings.limits.held_bytes_of_peer

    def hold(self, size: int, *, unasked: bool = False) -> None:
        """May end this connection, or another one."""
        if not self._open:
            return
        if unasked and not self.is_protected():
            self.unasked_as_stranger += size
            self._holdings.unasked += size
        self.held += size
        self._holdings.held += size
        if self.held > self._limit:
            self.end("it makes us hold too much")
        else:
            self._holdings.keep_within_limits()

    def release(self, size: int, *, unasked: bool = False) -> None:
        if self._open and size:
            if unasked:  # what came before it was protected is the first to go
                stranger = min(size, self.unasked_as_stranger)
                self.unasked_as_stranger -= stranger
                self._holdings.unasked -= stranger
            self.held -= size
            self._holdings.held -= size
            self._holdings.freed()

    def end(self, why: str) -> None:
        self.close()
        self._end(why)

    def close(self) -> None:
        """Release everything, once."""
        self.release(self.unasked_as_stranger, unasked=True)
        self.release(self.held)
        self._open = False
        self._holdings.forget(self)
        self._holdings.freed()

    @contextmanager
    def reservation(self) -> Iterator[Reservation]:
        """Room for one answer: none at first, and none in the end."""
        reservation = Reservation(self, self._holdings)
        try:
            yield reservation
        finally:
            reservation.change(0)


class Reservation:
    """Room that an answer has, in bytes. A connection that ends takes its answers with it."""

    def __init__(self, account: Account, holdings: Holdings) -> None:
        self._account = account
        self._holdings = holdings
        self._is_strangers = False
        self.size = 0

    async def wait_for(self, size: int) -> None:
        """Wait until there is room for an answer that may be so large."""
        limits = self._holdings.limits
        size = min(size, limits.answer_bytes_of_peer)
        while self._account.reserved + size > limits.answer_bytes_of_peer or (
            self._holdings.reserved + size > limits.answer_bytes
            and not self._account.is_protected()
        ):
            await self._holdings.until_freed()
        self._is_strangers = not self._account.is_protected()
        self.change(size)

    def change(self, size: int) -> None:
        """The answer has this size."""
        change, self.size = size - self.size, size
        if not change:
            return
        self._account.reserved += change
        if self._is_strangers:
            self._holdings.reserved += change
        if change > 0:
            self._account.hold(change)
        else:
            self._account.release(-change)
            self._holdings.freed()
