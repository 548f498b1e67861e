"""What happens to the chain, for as many readers as there are, each at its own pace."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

import trio

from parahost.chain.chain import Chain, ChainEvent
from parahost.rpc.limits import MAX_UNTOLD_EVENTS


class FellBehind(Exception):
    """The reader has let more events wait than are kept for it."""


class EventReader:
    """The events since its beginning, in order."""

    def __init__(self) -> None:
        self._events: deque[ChainEvent] = deque()
        self._some = trio.Event()
        self._lost = False

    def put(self, event: ChainEvent) -> None:
        if len(self._events) >= MAX_UNTOLD_EVENTS:
            self._lost = True
            self._events.clear()
        if not self._lost:
            self._events.append(event)
        self._some.set()

    async def next(self) -> ChainEvent:
        """:raises FellBehind: when events were lost."""
        while not self._events and not self._lost:
            self._some = trio.Event()
            await self._some.wait()
        if self._lost:
            raise FellBehind
        return self._events.popleft()


class ChainFeed:
    """Listens to a chain, once for all."""

    def __init__(self, chain: Chain) -> None:
        self.readers: set[EventReader] = set()
        chain.subscribe(self._on_chain)

    @contextmanager
    def reading(self) -> Iterator[EventReader]:
        """Every event from now on."""
        reader = EventReader()
        self.readers.add(reader)
        try:
            yield reader
        finally:
            self.readers.remove(reader)

    def _on_chain(self, event: ChainEvent) -> None:
        for reader in self.readers:
            reader.put(event)
