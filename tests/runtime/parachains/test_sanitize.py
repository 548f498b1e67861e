"""Whatever an author is given, what it keeps is accepted (D8, D15)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    CandidateHash,
    CollatorSignature,
    ParaId,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.disputes import DisputeStatementSet
from parahost.primitives.scale import BitVec
from parahost.primitives.statements import BackedCandidate
from parahost.runtime.origin import NoOrigin
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.sanitize import sanitize
from parahost.runtime.slashing import Misconduct
from parahost.runtime.storage import Overlay

from .world import World, claim, code, para

VALIDATORS = 9
CORES = 5


@cache
def world() -> World:
    """Two candidates pending (one with half of the votes), two free parachain cores, a claim
    scheduled on the parathread core."""
    made = World(
        validators=VALIDATORS,
        parachains=[1, 2, 3, 4],
        parathreads=[11],
        parathread_cores=1,
        parathread_retries=9,
        validation_upgrade_frequency=1,
    )
    made.add_block(
        made.data(candidates=[made.candidate(1), made.candidate(3)]),
        extrinsics=lambda store: made.host.scheduler.add_parathread_claim(store, claim(11)),
    )
    made.add_block(made.data(made.bitfields({v: [2] for v in range(4)})))
    return made


@cache
def with_pending_available() -> Overlay:
    """The next block when all pending candidates become available in it."""
    w = world()
    store = w.child()
    for number in (1, 3):
        pending = w.host.inclusion.pending_availability.get(store, para(number))
        assert pending is not None
        w.host.inclusion.include(store, para(number), pending)
    return store


@cache
def valid_candidate(number: int, head: bytes, after: bool, new_code: bool) -> BackedCandidate:
    w = world()
    view = with_pending_available() if after else w.state
    receipt = w.receipt(
        number, head=head, view=view, new_code=code(number, 1) if new_code else None
    )
    groups = {1: 0, 2: 1, 3: 2, 4: 3, 11: 4}
    return w.back(receipt, group=groups[number])


@cache
def valid_bitfield(validator: int, cores: frozenset[int]) -> SignedAvailabilityBitfield:
    return world().bitfield(validator, cores)


Bitfields = st.SearchStrategy[SignedAvailabilityBitfield]
Candidates = st.SearchStrategy[BackedCandidate]

VALID_BITFIELDS: Bitfields = st.builds(
    valid_bitfield,
    st.integers(0, VALIDATORS - 1),
    st.frozensets(st.sampled_from([0, 2])) | st.frozensets(st.integers(0, CORES - 1)),
)
SPOIL_BITFIELD: list[Callable[[SignedAvailabilityBitfield], SignedAvailabilityBitfield]] = [
    lambda s: replace(s, validator_index=ValidatorIndex(U32(s.validator_index + 1))),
    lambda s: replace(s, validator_index=ValidatorIndex(U32(2**32 - 1))),
    lambda s: replace(s, bitfield=BitVec.zeros(CORES + 1)),
    lambda s: replace(s, bitfield=BitVec.zeros(0)),
    lambda s: replace(s, bitfield=BitVec.with_ones(CORES, range(CORES))),
    lambda s: replace(s, signature=ValidatorSignature(H512(bytes(64)))),
]
VALID_CANDIDATES: Candidates = st.builds(
    valid_candidate,
    st.sampled_from([1, 2, 3, 4, 11]),
    st.sampled_from([b"one", b"two"]),
    st.booleans(),
    st.booleans(),
)
SPOIL_CANDIDATE: list[Callable[[BackedCandidate], BackedCandidate]] = [
    lambda b: replace(b, validity_votes=b.validity_votes[:1]),
    lambda b: replace(b, validity_votes=b.validity_votes[::-1]),
    lambda b: replace(b, validity_votes=()),
    lambda b: replace(b, validator_indices=BitVec.zeros(0)),
    lambda b: replace(b, validator_indices=BitVec.zeros(3)),
    lambda b: with_descriptor(b, para_id=para(2)),
    lambda b: with_descriptor(b, para_id=para(77)),
    lambda b: with_descriptor(b, relay_parent=H256(bytes(32))),
    lambda b: with_descriptor(b, signature=CollatorSignature(H512(bytes(64)))),
    lambda b: with_descriptor(b, para_head=H256(bytes(32))),
]


def with_descriptor(backed: BackedCandidate, **fields: object) -> BackedCandidate:
    descriptor = replace(backed.candidate.descriptor, **fields)  # type: ignore[arg-type]
    return replace(backed, candidate=replace(backed.candidate, descriptor=descriptor))


def mostly(valid: st.SearchStrategy, spoil: list) -> st.SearchStrategy:  # type: ignore[type-arg]
    spoiled = st.builds(lambda value, change: change(value), valid, st.sampled_from(spoil))
    return st.lists(valid | valid | spoiled, max_size=14)


@pytest.mark.guide("A103")
@settings(max_examples=150)
@given(
    mostly(VALID_BITFIELDS, SPOIL_BITFIELD),
    mostly(VALID_CANDIDATES, SPOIL_CANDIDATE),
    st.booleans(),
)
def test_what_is_kept_is_always_accepted(
    bitfields: list[SignedAvailabilityBitfield],
    candidates: list[BackedCandidate],
    all_vote: bool,
) -> None:
    w = world()
    if all_vote:
        bitfields += [valid_bitfield(v, frozenset([0, 2])) for v in range(VALIDATORS)]
    data = w.data(bitfields, candidates)
    sanitized = sanitize(w.host, w.state, data)
    kept = sanitized.inherent
    assert Counter(candidates) == Counter(
        (*kept.backed_candidates, *(dropped.backed for dropped in sanitized.dropped))
    ), "what is not kept is named"
    store = w.child()
    w.host.inclusion_inherent.dispatch(store, NoOrigin(), InclusionCall(kept))
    w.host.finalize(store)
    assert set(kept.bitfields) <= set(bitfields)
    assert set(kept.backed_candidates) <= set(candidates)
    assert sanitize(w.host, w.state, kept).inherent == kept


@pytest.mark.guide("A103")
def test_what_is_acceptable_is_kept() -> None:
    w = world()
    bitfields = [valid_bitfield(v, frozenset([0, 2])) for v in range(VALIDATORS)]
    candidates = [valid_candidate(n, b"one", n in (1, 3), False) for n in (1, 2, 3, 4, 11)]
    data = w.data(bitfields, candidates)
    assert sanitize(w.host, w.state, data).inherent == data


@pytest.mark.guide("A103")
def test_order_is_made_and_the_first_candidate_and_the_fullest_bitfield_stay() -> None:
    w = world()
    one, two = (valid_candidate(2, head, False, False) for head in (b"one", b"two"))
    four = valid_candidate(4, b"one", False, False)
    thin, full = (valid_bitfield(5, frozenset(cores)) for cores in ([0], [0, 2]))
    with_free_core = valid_bitfield(5, frozenset([0, 2, 3]))
    first = valid_bitfield(1, frozenset([2]))
    data = w.data([thin, with_free_core, full, first], [four, two, one])
    sanitized = sanitize(w.host, w.state, data)
    kept = sanitized.inherent
    assert kept.bitfields == (first, full)
    assert kept.backed_candidates == (two, four)
    (dropped,) = sanitized.dropped
    assert dropped.backed == one and "core 1" in dropped.reason


def test_it_is_said_why_a_candidate_stays_out() -> None:
    w = world()
    elsewhere = valid_candidate(2, b"one", False, False)
    descriptor = replace(elsewhere.candidate.descriptor, para_id=ParaId(U32(99)))
    elsewhere = replace(elsewhere, candidate=replace(elsewhere.candidate, descriptor=descriptor))
    unbacked = replace(valid_candidate(4, b"one", False, False), validity_votes=())
    sanitized = sanitize(w.host, w.state, w.data(candidates=[elsewhere, unbacked]))
    assert sanitized.inherent == w.data()
    first, second = sanitized.dropped
    assert first.backed == elsewhere and "para 99: no core is scheduled" in first.reason
    assert second.backed == unbacked and "votes" in second.reason


@pytest.mark.guide("A57", "A103")
@pytest.mark.parametrize(
    ("backing", "left"),
    [
        ([1, 2, 4, 5, 6, 8], [1, 4, 5, 6, 8]),
        ([0, 2, 3, 7, 8], []),
        ([0, 3, 4, 7, 8], [0, 3, 4, 7, 8]),
    ],
)
def test_the_votes_of_who_is_disabled_stay_out_and_no_others(
    backing: list[int], left: list[int]
) -> None:
    """Among members that have not voted; what has no majority without them stays out itself."""
    w = World(validators=VALIDATORS, parachains=[1])
    (group,) = w.host.scheduler.validator_groups.get(w.state)

    def punish(store: Overlay) -> None:
        w.slashing.punish(store, Misconduct.DOUBLE_VOTE, SessionIndex(U32(0)), [group[2]])

    w.add_block(extrinsics=punish)
    data = w.data(candidates=[w.back(w.receipt(1), positions=backing)])
    kept = sanitize(w.host, w.state, data).inherent
    assert [each.validator_indices.ones() for each in kept.backed_candidates] == [left][: len(left)]
    w.add_block(kept)


@pytest.mark.guide("A36", "A103")
def test_a_candidate_for_a_core_that_times_out_in_this_block_is_kept() -> None:
    w = World(
        validators=3,
        parachains=[1],
        parachain_rotation_frequency=0,
        chain_availability_period=2,
    )
    w.add_block(w.data(candidates=[w.candidate(1)]))
    for number, is_timed_out in ((2, False), (3, True)):
        assert w.number + 1 == number
        data = w.data(candidates=[w.back(w.receipt(1), group=0)])
        kept = sanitize(w.host, w.state, data).inherent
        assert kept == (data if is_timed_out else w.data())
        w.add_block(kept)
    assert w.pending_cores() == [0]


@pytest.mark.guide("A103")
def test_disputes_of_nothing_are_dropped() -> None:
    w = world()
    dispute = DisputeStatementSet(CandidateHash(H256(bytes(32))), SessionIndex(U32(0)), ())
    kept = sanitize(w.host, w.state, replace(w.data(), disputes=(dispute,))).inherent
    assert kept == w.data()


def test_another_blocks_header_is_refused() -> None:
    w = world()
    header = replace(w.header, state_root=H256(bytes(32)))
    with pytest.raises(ValueError, match="state root"):
        sanitize(w.host, w.state, replace(w.data(), parent_header=header))
