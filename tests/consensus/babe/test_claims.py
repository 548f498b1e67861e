"""Claiming slots; the claims are judged by the rules that other nodes judge with."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.consensus.babe.claims import SlotClaim, claim_slot, seal
from parahost.consensus.babe.digests import pre_digest_item, pre_digest_of
from parahost.consensus.babe.epochs import Epoch
from parahost.consensus.babe.errors import (
    AboveThreshold,
    InvalidHeader,
    NotSlotAuthor,
    SlotKindNotAllowed,
    UnknownAuthority,
)
from parahost.consensus.babe.verification import verify_header
from parahost.ports import ContradictionRefused
from parahost.primitives.basic import H256, U32, U64, ZERO_HASH, BlockNumber, Slot
from parahost.primitives.consensus import AllowedSlots, PrimaryPreDigest, SecondaryVrfPreDigest
from parahost.primitives.header import Block, Header
from tests.consensus.babe.world import NAMES, PARAMETERS, genesis_view, key_store
from tests.verifying import VERIFIER

STORES = [key_store(name) for name in NAMES]


def epoch_of(slot: int) -> Epoch:
    return genesis_view().epoch_at(Slot(U64(slot)))


def block(claim: SlotClaim, root: bytes = bytes(32)) -> Block:
    header = Header(
        ZERO_HASH,
        BlockNumber(U32(1)),
        H256(root),
        ZERO_HASH,
        (pre_digest_item(claim.pre_digest),),
    )
    return Block(header, ())


def test_every_slot_has_an_author_and_its_claim_is_accepted() -> None:
    kinds = set()
    for number in range(100, 112):
        epoch = epoch_of(number)
        claims = [
            (claim, keys)
            for keys in STORES
            if (claim := claim_slot(Slot(U64(number)), epoch, keys)) is not None
        ]
        assert claims
        for claim, keys in claims:
            header = seal(block(claim), claim, keys).header
            assert pre_digest_of(header) == claim.pre_digest
            author = verify_header(header, claim.pre_digest, epoch, VERIFIER, parent_slot=None)
            assert author == claim.public
            kinds.add(type(claim.pre_digest))
        assert sum(isinstance(c.pre_digest, SecondaryVrfPreDigest) for c, _ in claims) <= 1
    assert kinds == {PrimaryPreDigest, SecondaryVrfPreDigest}


def claim_of_kind(kind: type) -> tuple[SlotClaim, Epoch, int]:
    for number in range(100, 200):
        for index, keys in enumerate(STORES):
            claim = claim_slot(Slot(U64(number)), epoch_of(number), keys)
            if claim is not None and isinstance(claim.pre_digest, kind):
                return claim, epoch_of(number), index
    raise AssertionError("a hundred slots have both kinds")


def judged(claim: SlotClaim, epoch: Epoch, author: int) -> None:
    header = seal(block(claim), claim, key_store(NAMES[author])).header
    verify_header(header, claim.pre_digest, epoch, VERIFIER, parent_slot=None)


def test_a_secondary_claim_passed_off_as_primary_is_above_the_threshold() -> None:
    claim, epoch, author = claim_of_kind(SecondaryVrfPreDigest)
    digest = claim.pre_digest
    assert isinstance(digest, SecondaryVrfPreDigest)
    lie = PrimaryPreDigest(digest.authority_index, digest.slot, digest.vrf_output, digest.vrf_proof)
    with pytest.raises(AboveThreshold):
        judged(replace(claim, pre_digest=lie), epoch, author)


def test_a_slot_that_falls_to_another_is_not_ours() -> None:
    claim, epoch, author = claim_of_kind(SecondaryVrfPreDigest)
    moved = replace(epoch, randomness=H256(b"\x07" * 32))
    while moved.authorities and claim_slot(claim.pre_digest.slot, moved, STORES[author]):
        moved = replace(moved, randomness=H256(bytes([moved.randomness[0] + 1]) * 32))
    with pytest.raises(NotSlotAuthor):
        judged(claim, moved, author)


def test_claims_outside_the_rules_are_refused() -> None:
    claim, epoch, author = claim_of_kind(SecondaryVrfPreDigest)
    primary_only = replace(epoch.parameters, allowed_slots=AllowedSlots.PRIMARY)
    with pytest.raises(SlotKindNotAllowed):
        judged(claim, replace(epoch, parameters=primary_only), author)
    stranger = replace(claim.pre_digest, authority_index=U32(99))
    with pytest.raises(UnknownAuthority):
        judged(replace(claim, pre_digest=stranger), epoch, author)
    assert issubclass(UnknownAuthority, InvalidHeader)


def test_a_second_block_for_a_slot_is_never_signed() -> None:
    claim, _, author = claim_of_kind(PrimaryPreDigest)
    keys = key_store(NAMES[author])
    first = seal(block(claim), claim, keys)
    assert seal(block(claim), claim, keys) == first
    with pytest.raises(ContradictionRefused):
        seal(block(claim, b"\x01" * 32), claim, keys)


def test_slots_have_the_length_of_the_parameters() -> None:
    assert PARAMETERS.slot_duration_s == 1.0
