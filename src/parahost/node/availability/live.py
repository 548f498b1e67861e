"""Which candidates' chunks travel: the guide's ``live_candidates`` (A89)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from parahost.node.messages.base import Unanswered
from parahost.node.messages.utility import Ancestors, RuntimeCall
from parahost.node.overseer import Context
from parahost.primitives.basic import H256, CandidateHash, Hash, ValidatorId, ValidatorIndex
from parahost.primitives.runtime_api import CoreOccupied
from parahost.runtime import api
from parahost.runtime.storage import State

LIVE_ANCESTORS = 3
"""The guide's K."""
MAX_KNOWN_BLOCKS = 256


@dataclass(frozen=True, slots=True)
class PendingCandidate:
    """A candidate that awaits availability, with the session that backed it: cores are cleared
    when a session ends, so it is the session of the children of the block whose state has it."""

    hash: CandidateHash
    erasure_root: H256
    validators: tuple[ValidatorId, ...]
    backers: tuple[ValidatorIndex, ...]
    """The members of the backing group, some of whom hold the data."""


class LiveLookup:
    """Looks up live candidates, and remembers what was pending in which block's state."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._pending: OrderedDict[Hash, Mapping[CandidateHash, PendingCandidate]] = OrderedDict()

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
        pending = self._pending.get(block)
        if pending is None:
            pending = self._pending[block] = await self._ctx.ask(RuntimeCall(block, pending_of))
            if len(self._pending) > MAX_KNOWN_BLOCKS:
                self._pending.popitem(last=False)
        return pending


def pending_of(state: State) -> Mapping[CandidateHash, PendingCandidate]:
    """What is pending in a block's state: a question for a ``RuntimeCall``."""
    cores = api.availability_cores(state)
    occupied = [core for core in cores if isinstance(core, CoreOccupied)]
    if not occupied:
        return {}
    validators, groups = api.validators(state), api.validator_groups(state).groups
    return {
        core.candidate_hash: PendingCandidate(
            core.candidate_hash,
            core.candidate_descriptor.erasure_root,
            validators,
            groups[core.group_responsible],
        )
        for core in occupied
    }
