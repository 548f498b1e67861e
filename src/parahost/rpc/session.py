"""One client's WebSocket, as calls see it: its subscriptions."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import trio

from parahost.rpc.errors import TooManySubscriptions
from parahost.rpc.feed import FellBehind
from parahost.rpc.limits import MAX_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS_OF_CONNECTION
from parahost.rpc.table import Method, Subscription
from parahost.rpc.values import Json

T = TypeVar("T")

_log = logging.getLogger(__name__)


class SubscriptionCount:
    """How many subscriptions all clients have together."""

    def __init__(self) -> None:
        self.taken = 0


@dataclass(slots=True)
class _Subscribed:
    method: Method
    body: Subscription
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


@dataclass(frozen=True, slots=True)
class _Deferred:
    """What begins once the client knows of it, or is taken back if it never will."""

    begin: Callable[[], None]
    take_back: Callable[[], None]


@dataclass(slots=True)
class RpcCaller:
    """Who calls. ``session``: of the WebSocket that it comes over; ``None`` for plain HTTP."""

    session: ClientSession | None = None
    calls: int = 0
    """What was called and is not yet paid for."""

    def toll(self) -> int:
        """What was called since this was asked last."""
        calls, self.calls = self.calls, 0
        return calls


class ClientSession:
    """The subscriptions of one connection. They end with it."""

    def __init__(
        self,
        nursery: trio.Nursery,
        send: Callable[[str], Awaitable[None]],
        count: SubscriptionCount,
    ) -> None:
        self._nursery = nursery
        self._send = send
        self._count = count
        self._ids = itertools.count(1)
        self._subscribed: dict[str, _Subscribed] = {}
        self._deferred: list[_Deferred] = []
        self.broadcasts: dict[str, trio.CancelScope] = {}
        """Transactions that this client has the node tell of again and again."""

    @property
    def nursery(self) -> trio.Nursery:
        """For what ends with the connection."""
        return self._nursery

    def check_room(self) -> None:
        """:raises TooManySubscriptions: when no further one is accepted."""
        if len(self._subscribed) >= MAX_SUBSCRIPTIONS_OF_CONNECTION:
            raise TooManySubscriptions(MAX_SUBSCRIPTIONS_OF_CONNECTION)
        if self._count.taken >= MAX_SUBSCRIPTIONS:
            raise TooManySubscriptions(MAX_SUBSCRIPTIONS)

    def accept(self, method: Method, body: Subscription) -> str:
        """Give a subscription its id. It begins when the client has been told."""
        id_ = self.new_id()
        one = self._subscribed[id_] = _Subscribed(method, body)
        self._count.taken += 1
        self.defer(lambda: self._nursery.start_soon(self._run, id_, one), lambda: self._forget(id_))
        return id_

    def new_id(self) -> str:
        """A name that this connection has not had."""
        return f"{next(self._ids):016x}"

    def find(self, id_: str, kind: type[T]) -> T | None:
        """The subscription of that id, if it is of that kind."""
        one = self._subscribed.get(id_)
        return one.body if one is not None and isinstance(one.body, kind) else None

    def all_of(self, kind: type[T]) -> list[T]:
        """The subscriptions of a kind."""
        return [one.body for one in self._subscribed.values() if isinstance(one.body, kind)]

    def defer(self, begin: Callable[[], None], take_back: Callable[[], None]) -> None:
        """Have something begin when the answer is on its way; or take it back when the client
        gets an error in place of that answer."""
        self._deferred.append(_Deferred(begin, take_back))

    def begin(self) -> None:
        """The answer is on its way."""
        deferred, self._deferred = self._deferred, []
        for one in deferred:
            one.begin()

    def withdraw(self) -> None:
        """The client gets an error instead."""
        deferred, self._deferred = self._deferred, []
        for one in deferred:
            one.take_back()

    def end(self, id_: Json, by: str) -> bool:
        """End a subscription by a method; whether there is one that this method ends."""
        if not isinstance(id_, str) or (one := self._subscribed.get(id_)) is None:
            return False
        if by not in one.method.ends:
            return False
        one.scope.cancel()
        self._forget(id_)
        return True

    def close(self) -> None:
        """The connection is gone."""
        for id_ in list(self._subscribed):
            self._forget(id_)

    async def _run(self, id_: str, one: _Subscribed) -> None:
        notifies = one.method.notifies

        async def tell(result: Json) -> None:
            params: Json = {"subscription": id_, "result": result}
            note = {"jsonrpc": "2.0", "method": notifies, "params": params}
            await self._send(json.dumps(note, separators=(",", ":")))

        if id_ not in self._subscribed:
            return  # Ended by the batch that began it.
        try:
            with one.scope:
                await one.body(tell)
        except FellBehind:
            _log.info("a client that does not read its %s is sent away", notifies)
            self._nursery.cancel_scope.cancel()
        except Exception:
            _log.exception("the subscription %s failed", one.method.name)
        finally:
            self._forget(id_)

    def _forget(self, id_: str) -> None:
        if self._subscribed.pop(id_, None) is not None:
            self._count.taken -= 1
