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


@dataclass(frozen=True, slots=True)
class WonSlot:
    """A slot that one of our keys has; ``kind`` is the claim that is made of it. ``index``: the
    key's among the authorities."""

    index: U32
    public: BabeId
    kind: type[BabePreDigest]


def won_slot(slot: Slot, epoch: Epoch, keys: KeyStore) -> WonSlot | None:
    """Whether a slot is ours: by VRF if it can be, else in turn. Nothing is signed for it."""
    held = set(keys.public_keys(KeyType.BABE))
    ours = [
        (U32(index), public)
        for index, (public, _) in enumerate(epoch.authorities)
        if public in held
    ]
    transcript = slot_transcript(slot, epoch)
    for index, public in ours:
        if own_score(public, transcript, keys) < primary_threshold(epoch, index):
            return WonSlot(index, public, PrimaryPreDigest)
    allowed = epoch.parameters.allowed_slots
    if allowed is AllowedSlots.PRIMARY:
        return None
    plain = allowed is AllowedSlots.PRIMARY_AND_SECONDARY_PLAIN
    in_turn = secondary_author(slot, epoch)
    for index, public in ours:
        if index == in_turn:
            kind = SecondaryPlainPreDigest if plain else SecondaryVrfPreDigest
            return WonSlot(index, public, kind)
    return None


def claim_slot(slot: Slot, epoch: Epoch, keys: KeyStore) -> SlotClaim | None:
    """The claim to a slot, if it is ours."""
    won = won_slot(slot, epoch, keys)
    if won is None:
        return None
    if won.kind is SecondaryPlainPreDigest:
        return SlotClaim(won.public, SecondaryPlainPreDigest(won.index, slot))
    vrf = keys.vrf_sign(KeyType.BABE, won.public, slot_transcript(slot, epoch))
    proof = H256(vrf.pre_output), H512(vrf.proof)
    if won.kind is PrimaryPreDigest:
        return SlotClaim(won.public, PrimaryPreDigest(won.index, slot, *proof))
    return SlotClaim(won.public, SecondaryVrfPreDigest(won.index, slot, *proof))


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
