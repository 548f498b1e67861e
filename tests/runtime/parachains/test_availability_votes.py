"""Counting votes: fast and plain alike, and as a real block counted them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.crypto import sr25519
from parahost.primitives.availability import availability_threshold
from parahost.primitives.basic import U32, CoreIndex, ValidatorIndex
from parahost.primitives.candidates import CandidateDescriptor, CommittedCandidateReceipt
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.scale import BitVec, decode, decode_compact
from parahost.runtime.parachains.availability_votes import tally, tally_plainly

BLOCK = Path(__file__).parents[2] / "vectors" / "polkadot_block_19772575.json"
SESSION_VALIDATORS = 297
"""Polkadot's para validators at that block; all of them sent bitfields."""


@st.composite
def ballots(draw: st.DrawFn) -> tuple[list[tuple[ValidatorIndex, BitVec]], list[CoreIndex], int]:
    validators = draw(st.integers(1, 40))
    cores = draw(st.integers(0, 30))
    voters = draw(st.sets(st.integers(0, validators - 1)))
    pending = draw(st.sets(st.integers(0, cores - 1))) if cores else set()
    likely = st.sampled_from(sorted(pending)) if pending else st.nothing()
    anything = st.integers(0, cores - 1) if cores else st.nothing()
    bitfields = []
    for voter in sorted(voters):
        ones = draw(st.sets(likely) | st.sets(anything))
        bitfields.append((ValidatorIndex(U32(voter)), BitVec.with_ones(cores, ones)))
    return bitfields, [CoreIndex(U32(core)) for core in pending], validators


@pytest.mark.guide("A42")
@given(ballots())
def test_the_fast_count_is_the_plain_one(
    ballot: tuple[list[tuple[ValidatorIndex, BitVec]], list[CoreIndex], int],
) -> None:
    assert tally(*ballot) == tally_plainly(*ballot)


@pytest.mark.guide("A42")
def test_a_bit_for_a_free_core_disregards_only_that_bitfield() -> None:
    bitfields = [
        (ValidatorIndex(U32(0)), BitVec.with_ones(4, [1])),
        (ValidatorIndex(U32(2)), BitVec.with_ones(4, [1, 3])),
        (ValidatorIndex(U32(5)), BitVec.with_ones(4, [0, 1])),
        (ValidatorIndex(U32(7)), BitVec.zeros(4)),
    ]
    pending = [CoreIndex(U32(0)), CoreIndex(U32(1))]
    counted = tally(bitfields, pending, 8)
    assert counted.counted == (0, 2, 3)
    assert counted.votes == {0: BitVec.with_ones(8, [5]), 1: BitVec.with_ones(8, [0, 5])}


# Polkadot's block 19772575


@cache
def real_block() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(BLOCK.read_text())
    return content


@cache
def real_inherent() -> ParachainsInherentData:
    extrinsic = bytes.fromhex(
        real_block()["extrinsics_hex"][real_block()["paras_inherent_extrinsic_index"]]
    )
    _, version = decode_compact(extrinsic, 0)
    call = version + 1
    assert extrinsic[call : call + 2].hex() == real_block()["call_index"]
    data: ParachainsInherentData = decode(ParachainsInherentData, extrinsic[call + 2 :])
    return data


@pytest.mark.guide("A42", "A43")
def test_the_votes_of_a_real_block_include_what_it_included() -> None:
    """All cores with a vote were occupied. Those over the threshold are those included."""
    signed = real_inherent().bitfields
    assert len(signed) == real_block()["n_bitfields"]
    ballot = [(bitfield.validator_index, bitfield.bitfield) for bitfield in signed]
    occupied = sorted({core for _, bits in ballot for core in bits.ones()})
    validators = max(validator for validator, _ in ballot) + 1
    assert validators >= SESSION_VALIDATORS

    votes = tally(ballot, [CoreIndex(U32(core)) for core in occupied], validators).votes
    counts = real_block()["bitfield_tally_per_core"]
    assert {core: bits.count() for core, bits in votes.items()} == {
        core: count for core, count in enumerate(counts) if count
    }
    available = {
        core
        for core, bits in votes.items()
        if bits.count() >= availability_threshold(SESSION_VALIDATORS)
    }
    assert available == {c["core_index"] for c in real_block()["candidates_included"]}


@pytest.mark.guide("A114")
def test_the_candidates_of_a_real_block_hash_and_verify_as_ours_do() -> None:
    backed = real_inherent().backed_candidates
    listed = {c["candidate_hash"]: c for c in real_block()["candidates_backed"]}
    assert len(backed) == len(listed) == 28
    for one in backed:
        receipt: CommittedCandidateReceipt = one.candidate
        known = listed[receipt.hash().hex()]
        assert receipt.commitments.hash().hex() == known["commitments_hash_onchain"]
        descriptor: CandidateDescriptor = receipt.descriptor
        payload = descriptor.signature_payload()
        assert payload.hex() == known["collator_signature_payload_hex"]
        assert sr25519.verify(descriptor.collator, payload, descriptor.signature)
