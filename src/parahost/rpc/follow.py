"""One `chainHead_v1_follow`: what it tells, which blocks it pins, what is asked of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace

import trio

from parahost.chain.chain import ChainEvent, is_of_best
from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.events import BlockFinalizationEvent, BlockImportEvent
from parahost.rpc.errors import NamedTwice, NeedsRuntime, NotPinned, NotWaiting
from parahost.rpc.feed import FellBehind
from parahost.rpc.forms import runtime_form
from parahost.rpc.limits import FINAL_BLOCKS_TOLD, MAX_OPERATIONS, MAX_PINNED
from parahost.rpc.recent import KeptBlock
from parahost.rpc.served import ServedNode
from parahost.rpc.table import Tell
from parahost.rpc.values import Json, hex_of
from parahost.runtime.version import RUNTIME_VERSION


@dataclass(slots=True)
class Operation:
    """What a client has begun: ``run`` tells of it until it is done."""

    run: Callable[[Operation, Tell], Awaitable[None]]
    id: str = ""
    scope: trio.CancelScope = field(default_factory=trio.CancelScope)

    def event(self, name: str, **more: Json) -> Json:
        return {"event": name, "operationId": self.id, **more}


class _Over(Exception):
    """The subscription cannot go on: it is told `stop`."""


class Follow:
    """A subscription: called with what tells its client, it tells until it is cancelled."""

    def __init__(self, served: ServedNode, *, with_runtime: bool) -> None:
        self._served = served
        self._with_runtime = with_runtime
        self._pinned: dict[Hash, KeptBlock] = {}
        self._told: set[Hash] = set()
        """Blocks that the client has been told of and that are not final or pruned yet."""
        self._final: BlockNumber = served.chain.finalized.number
        self._best: Hash = served.chain.finalized_hash
        self._operations: dict[str, Operation] = {}
        self._tell: Tell | None = None
        self._nursery: trio.Nursery | None = None

    async def __call__(self, tell: Tell) -> None:
        async with trio.open_nursery() as self._nursery:
            self._tell = tell
            try:
                await self._follow(tell)
            except (FellBehind, _Over):
                self._pinned.clear()
                await tell({"event": "stop"})
                self._nursery.cancel_scope.cancel()

    # Pins

    def pinned(self, block: Hash) -> KeptBlock:
        """:raises NotPinned: when the client was not told of it, or has let it go."""
        found = self._pinned.get(block)
        if found is None:
            raise NotPinned
        return found

    def unpin(self, blocks: tuple[Hash, ...]) -> None:
        """Let all of them go, or none.

        :raises NamedTwice:
        :raises NotPinned: when one is not pinned.
        """
        if len(set(blocks)) < len(blocks):
            raise NamedTwice
        for block in blocks:
            self.pinned(block)
        for block in blocks:
            del self._pinned[block]

    def check_runtime(self) -> None:
        """:raises NeedsRuntime: when the client did not ask for it."""
        if not self._with_runtime:
            raise NeedsRuntime

    # Operations

    def add_operation(self, id_: str, operation: Operation) -> bool:
        """Whether there is room for it."""
        if self._nursery is None or len(self._operations) >= MAX_OPERATIONS:
            return False
        operation.id = id_
        self._operations[id_] = operation
        return True

    def begin_operation(self, id_: str) -> None:
        """Once the client knows of it."""
        operation = self._operations.get(id_)
        if operation is not None and self._nursery is not None:
            self._nursery.start_soon(self._operate, operation)

    def stop_operation(self, id_: str) -> None:
        operation = self._operations.pop(id_, None)
        if operation is not None:
            operation.scope.cancel()

    def continue_operation(self, id_: str) -> None:
        """:raises NotWaiting: when there is an operation of that name, as none waits."""
        if id_ in self._operations:
            raise NotWaiting

    async def _operate(self, operation: Operation) -> None:
        assert self._tell is not None
        try:
            with operation.scope:
                await operation.run(operation, self._tell)
        finally:
            self._operations.pop(operation.id, None)

    # Events

    async def _follow(self, tell: Tell) -> None:
        with self._served.feed.reading() as reader:
            for event in self._beginning():
                await tell(event)
            while True:
                for event in self._events(await reader.next()):
                    await tell(event)

    def _beginning(self) -> Iterable[Json]:
        chain = self._served.chain
        root = chain.finalized_hash
        final = [*chain.ancestors(root, FINAL_BLOCKS_TOLD - 1)[::-1], root]
        for block in final:
            self._pin(block)
        initialized: dict[str, Json] = {
            "event": "initialized",
            "finalizedBlockHashes": [hex_of(block) for block in final],
        }
        if self._with_runtime:
            initialized["finalizedBlockRuntime"] = runtime_form(RUNTIME_VERSION)
        events: list[Json] = [initialized]
        waiting = [root]
        while waiting:
            for child in chain.children(waiting.pop(0)):
                events += self._new(child)
                waiting.append(child)
        self._best = chain.best_hash
        events.append(self._best_changed())
        return events

    def _events(self, event: ChainEvent) -> Iterable[Json]:
        match event:
            case BlockImportEvent(hash=block):
                if block not in self._told and self._served.node.state_of(block) is not None:
                    yield from self._new(block)
            case BlockFinalizationEvent():
                yield from self._finalized(event)
        if is_of_best(event) and event.hash in self._told and event.hash != self._best:
            self._best = event.hash
            yield self._best_changed()

    def _new(self, block: Hash) -> list[Json]:
        pinned = self._pin(block)
        self._told.add(block)
        event: dict[str, Json] = {
            "event": "newBlock",
            "blockHash": hex_of(block),
            "parentBlockHash": hex_of(pinned.header.parent_hash),
        }
        if self._with_runtime:
            event["newRuntime"] = None
        return [event]

    def _best_changed(self) -> Json:
        return {"event": "bestBlockChanged", "bestBlockHash": hex_of(self._best)}

    def _finalized(self, event: BlockFinalizationEvent) -> Iterable[Json]:
        chain = self._served.chain
        final = []
        for number in range(self._final + 1, event.header.number + 1):
            hash = chain.hash_of(BlockNumber(number))  # type: ignore[arg-type]
            assert hash is not None, "the final chain has no gap"
            final.append(hash)
            if hash not in self._told:
                yield from self._new(hash)
        if not final:
            return
        self._final = event.header.number
        self._told.difference_update(final)
        for block in self._pinned.keys() & set(final):
            self._pinned[block] = replace(self._pinned[block], body=None)
        pruned = [one for one in self._told if one not in chain]
        self._told.difference_update(pruned)
        if self._best not in self._told and self._best != final[-1]:
            self._best = chain.best_hash if chain.best_hash in self._told else final[-1]
            yield self._best_changed()
        yield {
            "event": "finalized",
            "finalizedBlockHashes": [hex_of(one) for one in final],
            "prunedBlockHashes": [hex_of(one) for one in pruned],
        }
        if sum(one not in self._told for one in self._pinned) > MAX_PINNED:
            raise _Over

    def _pin(self, block: Hash) -> KeptBlock:
        header, state = self._served.chain.header(block), self._served.node.state_of(block)
        if header is None or state is None:
            raise _Over
        body = None if header.number <= self._final else self._served.body(block)
        pinned = self._pinned[block] = KeptBlock(header, state, body)
        return pinned
