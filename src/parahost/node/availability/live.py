"""Which candidates' chunks travel: the guide's ``live_candidates`` (A89)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from parahost.node.availability.pending import PendingCandidate, pending_of
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Unanswered
from parahost.node.messages.utility import BlockHeader, RuntimeApiRequest
from parahost.node.overseer import Context
from parahost.primitives.basic import CandidateHash, Hash
from parahost.primitives.header import Header

LIVE_ANCESTORS = 3
"""The guide's K."""
MAX_KNOWN_BLOCKS = 256


@dataclass(frozen=True, slots=True)
class _Block:
    parent: Hash | None
    """``None`` at genesis."""
    pending: Mapping[CandidateHash, PendingCandidate]

    @classmethod
    def of(cls, header: Header, pending: Mapping[CandidateHash, PendingCandidate]) -> _Block:
        return cls(header.parent_hash if header.number else None, pending)


class LiveLookup:
    """Looks up live candidates, and remembers what was pending in which block's state. What was a
    leaf of ours is known already; about other blocks, such as peers work on, it asks."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._known: OrderedDict[Hash, _Block] = OrderedDict()

    def note(self, leaf: ActiveLeaf) -> None:
        """What is pending at a leaf."""
        self._keep(leaf.hash, _Block.of(leaf.header, leaf.pending))

    async def of(self, relay_parent: Hash) -> dict[CandidateHash, PendingCandidate] | None:
        """All candidates pending availability in the leaf's state or in that of one of its last
        K ancestors; ``None`` when the leaf is not known here."""
        found: dict[CandidateHash, PendingCandidate] = {}
        at: Hash | None = relay_parent
        for _ in range(1 + LIVE_ANCESTORS):
            block = None if at is None else self._known.get(at) or await self._learn(at)
            if block is None:
                return None if at == relay_parent else found
            found |= block.pending
            at = block.parent
        return found

    async def _learn(self, block: Hash) -> _Block | None:
        header = await self._ctx.ask(BlockHeader(block))
        if header is None:
            return None
        try:
            pending = await self._ctx.ask(RuntimeApiRequest(block, pending_of))
        except Unanswered:
            return None
        return self._keep(block, _Block.of(header, pending))

    def _keep(self, hash_: Hash, block: _Block) -> _Block:
        self._known[hash_] = block
        if len(self._known) > MAX_KNOWN_BLOCKS:
            self._known.popitem(last=False)
        return block
