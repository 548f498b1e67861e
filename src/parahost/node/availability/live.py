"""Which candidates' chunks travel: the guide's ``live_candidates`` (A89)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping

from parahost.node.availability.pending import PendingCandidate, pending_of
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Unanswered
from parahost.node.messages.utility import Ancestors, RuntimeCall
from parahost.node.overseer import Context
from parahost.primitives.basic import CandidateHash, Hash

LIVE_ANCESTORS = 3
"""The guide's K."""
MAX_KNOWN_BLOCKS = 256


class LiveLookup:
    """Looks up live candidates, and remembers what was pending in which block's state."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._pending: OrderedDict[Hash, Mapping[CandidateHash, PendingCandidate]] = OrderedDict()

    def note(self, leaf: ActiveLeaf) -> None:
        """A leaf tells what is pending in its state; so nobody need be asked, then and later."""
        self._keep(leaf.hash, leaf.pending)

    async def of(self, head: Hash) -> dict[CandidateHash, PendingCandidate] | None:
        """All candidates pending availability in the head's state or in that of one of its last
        K ancestors; ``None`` when the head is not known here."""
        found: dict[CandidateHash, PendingCandidate] = {}
        ancestors = await self._ctx.ask(Ancestors(head, LIVE_ANCESTORS))
        for block in (head, *ancestors):
            try:
                found |= await self._pending_in(block)
            except Unanswered:
                if block == head:
                    return None
        return found

    async def _pending_in(self, block: Hash) -> Mapping[CandidateHash, PendingCandidate]:
        """:raises Unanswered: when the block's state is not known."""
        if block not in self._pending:
            self._keep(block, await self._ctx.ask(RuntimeCall(block, pending_of)))
        return self._pending[block]

    def _keep(self, block: Hash, pending: Mapping[CandidateHash, PendingCandidate]) -> None:
        self._pending[block] = pending
        if len(self._pending) > MAX_KNOWN_BLOCKS:
            self._pending.popitem(last=False)
