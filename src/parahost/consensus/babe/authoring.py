"""The author's slot loop: claim, propose, seal, import.

Our clock may be wrong or jump. A slot is tried once: never again after the clock went back, and
never late after it went forward. That no second block is ever signed for a slot, not even after a
crash, is the key store's promise (D16).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import trio

from parahost.chain.chain import Chain
from parahost.chain.errors import ImportRefused
from parahost.chain.importing import Imported, Importer
from parahost.consensus.babe.digests import pre_digest_item
from parahost.consensus.babe.epochs import BabeParameters, Epoch
from parahost.consensus.babe.lottery import (
    own_score,
    primary_threshold,
    secondary_author,
    slot_transcript,
)
from parahost.ports import Clock, ContradictionRefused, KeyStore, KeyType
from parahost.primitives.basic import H256, H512, U32, BabeId, Hash, Slot
from parahost.primitives.consensus import (
    AllowedSlots,
    BabePreDigest,
    PrimaryPreDigest,
    SecondaryPlainPreDigest,
    SecondaryVrfPreDigest,
)
from parahost.primitives.header import BABE_ENGINE, Block, PreRuntime, Seal
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


@dataclass(frozen=True, slots=True)
class Claim:
    """A slot that one of our keys has won."""

    public: BabeId
    pre_digest: BabePreDigest


def claim_slot(slot: Slot, epoch: Epoch, keys: KeyStore) -> Claim | None:
    """Whether a slot is ours: by VRF if it can be, else in turn."""
    held = set(keys.public_keys(KeyType.BABE))
    ours = [
        (U32(index), public)
        for index, (public, _) in enumerate(epoch.authorities)
        if public in held
    ]
    transcript = slot_transcript(slot, epoch)
    for index, public in ours:
        if own_score(public, transcript, keys) < primary_threshold(epoch, index):
            vrf = keys.vrf_sign(KeyType.BABE, public, transcript)
            claim = PrimaryPreDigest(index, slot, H256(vrf.pre_output), H512(vrf.proof))
            return Claim(public, claim)
    allowed = epoch.parameters.allowed_slots
    if allowed is AllowedSlots.PRIMARY:
        return None
    in_turn = secondary_author(slot, epoch)
    for index, public in ours:
        if index != in_turn:
            continue
        if allowed is AllowedSlots.PRIMARY_AND_SECONDARY_PLAIN:
            return Claim(public, SecondaryPlainPreDigest(index, slot))
        vrf = keys.vrf_sign(KeyType.BABE, public, transcript)
        proof = H256(vrf.pre_output), H512(vrf.proof)
        return Claim(public, SecondaryVrfPreDigest(index, slot, *proof))
    return None


def seal(block: Block, claim: Claim, keys: KeyStore) -> Block:
    """Sign a block for the slot that was claimed.

    :raises ContradictionRefused: when another block was signed for this slot.
    """
    signature = keys.sign(
        KeyType.BABE,
        claim.public,
        block.header.hash(),
        [b"babe" + claim.pre_digest.slot.to_bytes(8, "little")],
    )
    digest = (*block.header.digest, Seal(BABE_ENGINE, signature))
    return Block(replace(block.header, digest=digest), block.extrinsics)


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
        if claim is None:
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

    async def _publish(self, block: Block, claim: Claim) -> Imported | None:
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
