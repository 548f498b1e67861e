"""Claiming a slot with keys of ours, and sealing the block that is made for it.

That no second block is ever signed for a slot, not even after a crash, is the key store's promise
(D16).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from parahost.consensus.babe.epochs import Epoch
from parahost.consensus.babe.lottery import (
    own_score,
    primary_threshold,
    secondary_author,
    slot_transcript,
)
from parahost.ports import KeyStore, KeyType, promises
from parahost.primitives.basic import H256, H512, U32, BabeId, Slot
from parahost.primitives.consensus import (
    AllowedSlots,
    BabePreDigest,
    PrimaryPreDigest,
    SecondaryPlainPreDigest,
    SecondaryVrfPreDigest,
)
from parahost.primitives.header import BABE_ENGINE, Block, Seal


@dataclass(frozen=True, slots=True)
class SlotClaim:
    """A slot that one of our keys has won."""

    public: BabeId
    pre_digest: BabePreDigest


def claim_slot(slot: Slot, epoch: Epoch, keys: KeyStore) -> SlotClaim | None:
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
            return SlotClaim(public, claim)
    allowed = epoch.parameters.allowed_slots
    if allowed is AllowedSlots.PRIMARY:
        return None
    in_turn = secondary_author(slot, epoch)
    for index, public in ours:
        if index != in_turn:
            continue
        if allowed is AllowedSlots.PRIMARY_AND_SECONDARY_PLAIN:
            return SlotClaim(public, SecondaryPlainPreDigest(index, slot))
        vrf = keys.vrf_sign(KeyType.BABE, public, transcript)
        proof = H256(vrf.pre_output), H512(vrf.proof)
        return SlotClaim(public, SecondaryVrfPreDigest(index, slot, *proof))
    return None


def seal(block: Block, claim: SlotClaim, keys: KeyStore) -> Block:
    """Sign a block for the slot that was claimed.

    :raises ContradictionRefused: when another block was signed for this slot.
    """
    signature = keys.sign(
        KeyType.BABE,
        claim.public,
        block.header.hash(),
        [promises.block(claim.pre_digest.slot)],
    )
    digest = (*block.header.digest, Seal(BABE_ENGINE, signature))
    return Block(replace(block.header, digest=digest), block.extrinsics)
