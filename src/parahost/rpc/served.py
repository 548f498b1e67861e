"""What calls see: the node that is served, and who calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import TYPE_CHECKING, TypeVar

import trio

from parahost.chain.chain import Chain
from parahost.chain.errors import StateUnavailable, UnknownBlock
from parahost.chain.pool.pool import transaction_hash
from parahost.node.node import Node
from parahost.ports import Executor
from parahost.primitives.basic import Hash
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.ss58 import SS58_PREFIX, ss58_encode
from parahost.rpc.errors import AnswerTooLarge, Busy, NoSuchBlock, StateDiscarded
from parahost.rpc.feed import ChainFeed
from parahost.rpc.keys import NodeKeys
from parahost.rpc.limits import ANSWER_S, KEPT_BLOCKS, MAX_ANSWER_BYTES
from parahost.rpc.recent import RecentBlocks
from parahost.runtime.chain_spec import ChainSpec
from parahost.runtime.runtime_apis import needs_host, state_call
from parahost.runtime.storage import State

if TYPE_CHECKING:
    from parahost.rpc.session import ClientSession

T = TypeVar("T")


class ServedNode:
    """A node, with what clients want to know beside it."""

    def __init__(self, node: Node, spec: ChainSpec, executor: Executor) -> None:
        """:param executor: for what would hold the loop too long; not the node's own, which
        executes blocks."""
        self.node = node
        self.spec = spec
        self.feed = ChainFeed(node.chain)
        self.started_at = node.chain.best.number
        self.keys = NodeKeys(node.ports.keystore, node.ports.random)
        self._executor = executor
        self.transactions_in = lru_cache(KEPT_BLOCKS)(self._transactions_in)
        """The names of a block's transactions; many who watch look at the same blocks."""
        self._recent = RecentBlocks(node)

    @property
    def chain(self) -> Chain:
        return self.node.chain

    def block(self, hash: Hash | None) -> Hash:
        """The block that is meant: the best one if none is named."""
        return self.chain.best_hash if hash is None else hash

    def header(self, hash: Hash | None) -> Header | None:
        """The header of a block, also of a recent one that finality has left."""
        block = self.block(hash)
        kept = self._recent.get(block)
        return self.chain.header(block) if kept is None else kept.header

    def body(self, block: Hash) -> tuple[Extrinsic, ...] | None:
        """The extrinsics of a block, also of a recent one that finality has left."""
        kept = self._recent.get(block)
        return self.chain.body(block) if kept is None else kept.body

    def state(self, hash: Hash | None) -> State:
        """The state after a block, also after a recent one that finality has left.

        :raises NoSuchBlock:
        :raises StateDiscarded:
        """
        block = self.block(hash)
        kept = self._recent.get(block)
        if kept is not None:
            return kept.state
        try:
            return self.chain.state(block)
        except UnknownBlock:
            raise NoSuchBlock(block) from None
        except StateUnavailable:
            raise StateDiscarded(block) from None

    def address(self, public: bytes) -> str:
        """A public key as people of this chain write it."""
        prefix = self.spec.properties.get("ss58Format", SS58_PREFIX)
        assert isinstance(prefix, int), "a spec's prefix is a number"
        return ss58_encode(public, prefix)

    def _transactions_in(self, block: Hash) -> tuple[Hash, ...]:
        return tuple(transaction_hash(extrinsic) for extrinsic in self.body(block) or ())

    async def ask_runtime(
        self, function: str, arguments: bytes, state: State, *, may_change_keys: bool = False
    ) -> bytes:
        """What a function of the Runtime API answers on a state. One that changes the key store is
        called on this thread, which is the key store's.

        :raises RefusedStateCall: when it cannot be asked this.
        """
        if may_change_keys and needs_host(function):
            return state_call(function, arguments, state, self.keys)
        return await self.work(partial(state_call, function, arguments, state))

    async def work(self, work: Callable[[], T]) -> T:
        """What ``work`` returns or raises, on another thread.

        :raises Busy: when too many others wait for that.
        """
        with trio.move_on_after(ANSWER_S):
            return await self._executor.run(work)
        raise Busy


@dataclass(frozen=True, slots=True)
class CallContext:
    """One call's surroundings. ``session``: the WebSocket that it came over; ``None`` for plain
    HTTP. ``unsafe``: the caller may do what only the node's operator may."""

    served: ServedNode
    session: ClientSession | None
    unsafe: bool


class AnswerRoom:
    """How much more an answer may hold, as bytes that become hex."""

    def __init__(self) -> None:
        self._left = MAX_ANSWER_BYTES

    def take(self, data: bytes) -> bytes:
        """The same bytes.

        :raises AnswerTooLarge: when there is no room for them.
        """
        self._left -= 2 * len(data)
        if self._left < 0:
            raise AnswerTooLarge(MAX_ANSWER_BYTES)
        return data
