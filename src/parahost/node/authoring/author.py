"""The author's slot loop: claim, propose, seal, import.

Our clock may be wrong or jump. A slot is tried once: never again after the clock went back, and
never late after it went forward.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

import trio

from parahost.chain.blocks import Imported
from parahost.chain.chain import Chain
from parahost.chain.errors import ImportRefused
from parahost.chain.importing import Importer
from parahost.consensus.babe.claims import SlotClaim, claim_slot, seal
from parahost.consensus.babe.digests import pre_digest_item
from parahost.consensus.babe.epochs import BabeParameters
from parahost.ports import Clock, ContradictionRefused, KeyStore
from parahost.primitives.basic import Hash, Slot
from parahost.primitives.header import Block, PreRuntime
from parahost.runtime import api
from parahost.runtime.errors import InvalidBlock

log = logging.getLogger(__name__)

_SHORTEST_SLEEP_S = 0.001


class Proposer(Protocol):
    """Makes the content of a block."""

    async def propose(
        self, parent: Hash, slot: Slot, pre_digest: PreRuntime, deadline: float
    ) -> Block | None:
        """A block on ``parent`` without its seal, whose digest opens with ``pre_digest``.
        It is to be ready by ``deadline``, in seconds since the Unix epoch by the node's clock;
        ``None`` when there is nothing to be made."""
        ...


class Author:
    """Authors blocks on the best block in the slots that are ours."""

    def __init__(
        self,
        chain: Chain,
        importer: Importer,
        parameters: BabeParameters,
        keys: KeyStore,
        clock: Clock,
        proposer: Proposer,
        *,
        ready: Callable[[], bool],
    ) -> None:
        """``ready`` says whether the node is near the head of the chain: while it catches up,
        blocks of its own would be stale."""
        self._chain = chain
        self._importer = importer
        self._parameters = parameters
        self._keys = keys
        self._clock = clock
        self._proposer = proposer
        self._ready = ready
        self.on_sealed: Callable[[Hash], None] = lambda block: None
        """Called with each block that is made, before it is imported."""

    async def run(self) -> None:
        """Try each slot once, as it comes. Does not return."""
        tried = self._parameters.slot_at(self._clock.now()) - 1
        while True:
            slot = self._parameters.slot_at(self._clock.now())
            if slot > tried:
                tried = slot
                await self.author(slot)
            wait = self._parameters.start_of(tried + 1) - self._clock.now()
            # Not longer than a slot: the clock may have gone back, and may go forward again.
            longest = self._parameters.slot_duration_s
            await self._clock.sleep(min(max(wait, _SHORTEST_SLEEP_S), longest))

    async def author(self, slot: Slot) -> Imported | None:
        """Author one block, if the slot is ours and its parent is older. What is being imported
        when the slot begins may be that parent."""
        with trio.move_on_after(self._parameters.slot_duration_s / 4):
            await self._importer.settled()
        parent = self._chain.best_hash
        parent_slot = self._chain.slot(parent)
        if not self._ready() or (parent_slot is not None and parent_slot >= slot):
            return None
        claim = claim_slot(slot, self._chain.epoch_of_child(parent, slot), self._keys)
        if claim is None or claim.public in api.disabled_authors(self._chain.state(parent)):
            return None
        end = self._parameters.start_of(slot) + self._parameters.slot_duration_s
        deadline = end - self._parameters.slot_duration_s / 3
        block = await self._proposer.propose(
            parent, slot, pre_digest_item(claim.pre_digest), deadline
        )
        if block is None:
            return None
        if self._clock.now() >= end + self._parameters.slot_duration_s:
            log.warning("slot %d: the block was ready a slot too late and is dropped", slot)
            return None
        return await self._publish(block, claim)

    async def _publish(self, block: Block, claim: SlotClaim) -> Imported | None:
        try:
            sealed = seal(block, claim, self._keys)
            self.on_sealed(sealed.header.hash())
            imported = await self._importer.import_block(sealed)
        except ContradictionRefused:
            log.warning("slot %d: another block was signed already", claim.pre_digest.slot)
            return None
        except ImportRefused as why:
            log.warning("slot %d: our block was not taken: %s", claim.pre_digest.slot, why)
            return None
        except InvalidBlock:  # a fault of ours; an end of the node would mend nothing
            log.exception("slot %d: our block is invalid", claim.pre_digest.slot)
            return None
        assert isinstance(imported, Imported), "a block is sealed once"
        return imported
