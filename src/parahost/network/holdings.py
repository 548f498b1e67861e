"""What peers make this node hold in memory: unread and half messages, what waits to be sent to
them, and answers that they do not read.

Every connection has an account. One that makes us hold more than a connection may is ended; when
all together hold more than all may, the one that holds most is, the peers of one address counted
together. What strangers send without being asked has a bound of its own: half messages cost them
little.

Room for an answer is reserved before the answer is made, so that many requests for large things do
not make all of them at once. Strangers get it in turns: first who has the least for answers, the
peers of one address counted together. Once an answer is made it leaves that room to the next, and
counts as what it is. So who does not read its answers holds up its own, and nobody else's: unread
ones have a bound of their own, beyond which the one goes that has been left alone for longest.

Protected peers (validators of this and the next session, bootnodes, reserved ones) do not go, and
do not wait, for what others hold: else strangers could take all the room there is.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import trio

from parahost.network.limits import NetworkLimits
from parahost.primitives.addresses import is_loopback


class Holdings:
    """The accounts of all connections, in bytes."""

    def __init__(self, limits: NetworkLimits) -> None:
        self.limits = limits
        self.held = 0
        self.making = 0
        """Room for answers to peers that are not protected, which are being made."""
        self.unread = 0
        """Answers to such peers that are made, and not read."""
        self.unasked = 0
        """What such peers sent unasked; a part of what is held."""
        self._accounts: dict[ConnectionHoldings, None] = {}
        self._left_alone: dict[Answer, None] = {}
        """The unread answers, the one first of which nothing was taken for longest."""

    def open(self, end: Callable[[str], None]) -> ConnectionHoldings:
        """Begin a connection's account. ``end`` ends the connection, which closes the account."""
        account = ConnectionHoldings(self, end)
        self._accounts[account] = None
        return account

    def forget(self, account: ConnectionHoldings) -> None:
        self._accounts.pop(account, None)

    def give_room(self) -> None:
        """Give the answers that wait for room what there is."""
        while (account := self._next_in_turn()) is not None:
            account.waiting.popleft().begin()

    def _next_in_turn(self) -> ConnectionHoldings | None:
        waiting = [account for account in self._accounts if account.has_turn]
        for account in waiting:
            if account.is_protected():
                return account
        if not waiting:
            return None
        reserved = Counter[object]()
        for account in self._accounts:
            reserved[account.network] += account.reserved
        first = min(waiting, key=lambda each: (reserved[each.network], each.reserved))
        return first if self.making + first.waiting[0].wanted <= self.limits.answer_bytes else None

    def is_taken(self, answer: Answer) -> None:
        """It was made, or a part of it was read, just now."""
        self._left_alone.pop(answer, None)
        self._left_alone[answer] = None

    def is_over(self, answer: Answer) -> None:
        self._left_alone.pop(answer, None)

    def keep_within_limits(self) -> None:
        limits = self.limits
        while self.unasked > limits.unasked_bytes and self._accounts:
            heaviest = self._heaviest(lambda account: account.unasked_as_stranger)
            heaviest.end("it sent most of what strangers together sent unasked")
        while self.unread > limits.unread_answer_bytes:
            strangers = (answer for answer in self._left_alone if not answer.is_protected)
            if (longest := next(strangers, None)) is None:
                break
            longest.leave_to_others()
        while self.held > limits.held_bytes and self._accounts:
            heaviest = self._heaviest(lambda account: account.held)
            heaviest.end("it held most of what all peers together make us hold")

    def _heaviest(self, weight: Callable[[ConnectionHoldings], int]) -> ConnectionHoldings:
        """Of the peers that are not protected, if there are any; first the heaviest address."""
        strangers = [account for account in self._accounts if not account.is_protected()]
        weights = Counter[object]()
        for account in strangers:
            weights[account.network] += weight(account)
        return max(
            strangers or self._accounts, key=lambda each: (weights[each.network], weight(each))
        )


class ConnectionHoldings:
    """Of one connection, in bytes. Until it is ``accepted`` it may hold little."""

    def __init__(self, holdings: Holdings, end: Callable[[str], None]) -> None:
        self._holdings = holdings
        self._end = end
        self._limit = holdings.limits.held_bytes_of_stranger
        self._open = True
        self.is_protected: Callable[[], bool] = lambda: False
        self.network: object = self
        """Where the peer is; on loopback, and before it is accepted, it counts by itself."""
        self.waiting: deque[Answer] = deque()
        """Answers that wait for room, the oldest first."""
        self._answers: dict[Answer, None] = {}
        self.held = 0
        self.reserved = 0
        """For answers; a part of what is held."""
        self.unread = 0
        """What it had asked for as a stranger, which is made, and which it has not read."""
        self.unasked_as_stranger = 0
        """What it sent unasked while it was not protected; a part of what is held."""

    @property
    def has_turn(self) -> bool:
        """Whether an answer waits that the peer's own limits allow."""
        limits = self._holdings.limits
        return (
            bool(self.waiting)
            and self.reserved + self.waiting[0].wanted <= limits.answer_bytes_of_peer
            and self.unread <= limits.unread_bytes_of_stranger
        )

    def accepted(self, network: str, is_protected: Callable[[], bool]) -> None:
        """The connection became a session, with a peer from there: see
        :func:`parahost.primitives.addresses.network_of`."""
        if not is_loopback(network):
            self.network = network
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

    def end(self, why: str) -> None:
        self.close()
        self._end(why)

    def close(self) -> None:
        """Release everything, once."""
        self._holdings.forget(self)
        for answer in list(self._answers):
            answer.end()
        self.release(self.unasked_as_stranger, unasked=True)
        self.release(self.held)
        self._open = False
        self._holdings.give_room()

    @contextmanager
    def answer(self) -> Iterator[Answer]:
        """One answer: without room at first, and in the end."""
        answer = Answer(self, self._holdings)
        self._answers[answer] = None
        try:
            yield answer
        finally:
            answer.end()
            del self._answers[answer]


class Answer:
    """What one answer takes, in bytes: as much as the largest while it is made, then what it has.
    A connection that ends takes its answers with it."""

    def __init__(self, account: ConnectionHoldings, holdings: Holdings) -> None:
        self._account = account
        self._holdings = holdings
        self._is_strangers = False
        self._is_made = False
        self._is_over = False
        self._begun = trio.Event()
        self.wanted = 0
        self.size = 0

    @property
    def is_protected(self) -> bool:
        return self._account.is_protected()

    async def wait_for(self, size: int) -> None:
        """Wait until there is room for an answer that may be so large."""
        self.wanted = min(size, self._holdings.limits.answer_bytes_of_peer)
        self._account.waiting.append(self)
        self._holdings.give_room()
        try:
            await self._begun.wait()
        finally:
            if not self._begun.is_set():
                self._account.waiting.remove(self)
                self._holdings.give_room()

    def begin(self) -> None:
        """It has the room that it waited for."""
        self._is_strangers = not self._account.is_protected()
        self._take(self.wanted)
        self._begun.set()

    def made(self, size: int) -> None:
        """It is made, and has this size: it waits to be read. May end this connection, or
        another one."""
        if self._is_over:
            return
        self._take(-self.size)
        self._is_made = True
        self._take(size)
        self.taken()
        self._holdings.give_room()

    def taken(self) -> None:
        """The peer has taken a part of it."""
        if self._is_strangers and self.size:
            self._holdings.is_taken(self)

    def leave_to_others(self) -> None:
        """End the connection, for others read."""
        self._account.end("it left its answers unread, and others read theirs")

    def end(self) -> None:
        """It takes nothing any more."""
        self._is_over = True
        self._take(-self.size)
        self._holdings.is_over(self)
        self._holdings.give_room()

    def _take(self, change: int) -> None:
        self.size += change
        self._account.reserved += change
        if self._is_strangers and self._is_made:
            self._account.unread += change
            self._holdings.unread += change
        elif self._is_strangers:
            self._holdings.making += change
        if change > 0:
            self._account.hold(change)
        else:
            self._account.release(-change)
