"""The events of a chain's blocks, read as the chain grows."""

from __future__ import annotations

from collections.abc import Iterator

from parahost.client import ChainClient, NamedEvent, RpcFailed

EVENTS_SHOWN = 8
STATE_DISCARDED = "State already discarded"
"""In the error about a block whose state the node does not keep any more."""


class EventTail:
    """Reads the events of a node's best, or final, chain once each, from the first block on whose
    state the node still has. When blocks are left for others, so are their events."""

    def __init__(self, chain: ChainClient, *, finalized: bool) -> None:
        self._chain = chain
        self._finalized = finalized
        self._blocks: dict[str, tuple[NamedEvent, ...]] = {}
        self._number = 0

    def read(self) -> str:
        """Read up to the newest block; what there is at the end, for people."""
        self._number, block = self._chain.head(finalized=self._finalized)
        new: list[tuple[str, tuple[NamedEvent, ...]]] = []
        for _ in range(self._number):
            if block in self._blocks:
                break
            events = self._events(block)
            if events is None:
                break
            new.append((block, events))
            block = self._chain.parent(block)
        self._leave_what_follows(block)
        self._blocks.update(reversed(new))
        return self._shown()

    def events(self) -> Iterator[NamedEvent]:
        """All that are read, in order."""
        for events in self._blocks.values():
            yield from events

    def _events(self, block: str) -> tuple[NamedEvent, ...] | None:
        try:
            return self._chain.events(block)
        except RpcFailed as error:
            if STATE_DISCARDED in error.message:
                return None
            raise

    def _leave_what_follows(self, block: str) -> None:
        while self._blocks and next(reversed(self._blocks)) != block:
            self._blocks.popitem()

    def _shown(self) -> str:
        names = [event.name for event in self.events()][-EVENTS_SHOWN:]
        return f"block {self._number}, the last events: {', '.join(names) or 'none'}"
