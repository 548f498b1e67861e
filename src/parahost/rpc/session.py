"""One client's WebSocket, as calls see it: its subscriptions."""

from __future__ import annotations

import itertools
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import trio

from parahost.rpc.errors import TooManySubscriptions
from parahost.rpc.feed import FellBehind
from parahost.rpc.limits import MAX_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS_OF_CONNECTION
from parahost.rpc.table import Method, Subscription
from parahost.rpc.values import Json

_log = logging.getLogger(__name__)


class SubscriptionCount:
    """How many subscriptions all clients have together."""

    def __init__(self) -> None:
        self.taken = 0


@dataclass(slots=True)
class _Subscribed:
    method: Method
    body: Subscription
    begun: bool = False
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)


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

    def check_room(self) -> None:
        """:raises TooManySubscriptions: when no further one is accepted."""
        if len(self._subscribed) >= MAX_SUBSCRIPTIONS_OF_CONNECTION:
            raise TooManySubscriptions(MAX_SUBSCRIPTIONS_OF_CONNECTION)
        if self._count.taken >= MAX_SUBSCRIPTIONS:
            raise TooManySubscriptions(MAX_SUBSCRIPTIONS)

    def accept(self, method: Method, body: Subscription) -> str:
        """Give a subscription its id. It begins when the client has been told (:meth:`begin`)."""
        id_ = f"{next(self._ids):016x}"
        self._subscribed[id_] = _Subscribed(method, body)
        self._count.taken += 1
        return id_

    def begin(self) -> None:
        """Begin with what was accepted and has not begun."""
        for id_, one in self._subscribed.items():
            if not one.begun:
                one.begun = True
                self._nursery.start_soon(self._run, id_, one)

    def withdraw(self) -> None:
        """Forget what was accepted and has not begun: the client will not learn of it."""
        for id_ in [id_ for id_, one in self._subscribed.items() if not one.begun]:
            self._forget(id_)

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
