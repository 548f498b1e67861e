"""Blocks: what is built can be executed, and what breaks a rule is refused for that reason."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.primitives.basic import (
    H256,
    U32,
    U64,
    BabeId,
    BlockNumber,
    GrandpaId,
    Hash,
    Slot,
)
from parahost.primitives.consensus import (
    BabeConsensusLog,
    GrandpaConsensusLog,
    NextEpochData,
    PrimaryPreDigest,
    ScheduledChange,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import (
    BABE_ENGINE,
    GRANDPA_ENGINE,
    Block,
    Consensus,
    Extrinsic,
    Header,
    PreRuntime,
    Seal,
)
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.scale import encode
from parahost.runtime import executive, inherents
from parahost.runtime.dispatch import BadOriginRefusal
from parahost.runtime.errors import (
    BadOrigin,
    BodyTooLong,
    HeaderTooLong,
    InherentFailed,
    InvalidBlock,
    InvalidExtrinsic,
    InvalidPreDigest,
    MalformedExtrinsic,
    MisplacedInherent,
    UnsignedNotAllowed,
    WrongDigest,
    WrongExtrinsicsRoot,
    WrongNumber,
    WrongStateRoot,
)
from parahost.runtime.executive import extrinsics_root
from parahost.runtime.extrinsic import inherent
from parahost.runtime.module import RuntimeCall
from parahost.runtime.origin import Origin
from parahost.runtime.parachains.configuration import SetParathreadCores
from parahost.runtime.parachains.inclusion_errors import WrongParentHeader
from parahost.runtime.session import SetKeys
from parahost.runtime.storage import Overlay
from parahost.runtime.system import ExtrinsicFailed, ExtrinsicSuccess
from parahost.runtime.timestamp import TimestampOutsideSlot, TimestampTooEarly
from parahost.runtime.transaction_payment import TransactionFeePaid
from tests.runtime.world import Chain, account, pre_digest, session_keys


@pytest.fixture
def chain() -> Chain:
    return Chain()


def resealed(block: Block, extrinsics: tuple[Extrinsic, ...]) -> Block:
    """The block with another body, whose root the header carries."""
    header = replace(block.header, extrinsics_root=H256(extrinsics_root(extrinsics)))
    return Block(header, extrinsics)


def finished(chain: Chain, *extrinsics: Extrinsic) -> Block:
    builder = chain.builder()
    for extrinsic in extrinsics:
        builder.apply(extrinsic)
    return builder.finish()[0]


def test_what_is_built_executes_to_the_same_state(chain: Chain) -> None:
    for _ in range(3 * chain.genesis.epoch_length):
        chain.step()  # compares the states, and checks all modules
    assert chain.runtime.modules.system.block_number(chain.state) == 15


def test_executing_twice_is_the_same(chain: Chain) -> None:
    block = finished(chain)
    first, second = chain.execute(block), chain.execute(block)
    assert first.state.root == second.state.root == block.header.state_root
    assert dict(first.changes) == dict(second.changes)


def test_forks_do_not_touch_each_other(chain: Chain) -> None:
    chain.step()
    parent, root = chain.state, chain.state.root
    one = chain.builder(slot=chain.slot + 1).finish()
    other = chain.builder(slot=chain.slot + 2).finish()
    assert one[1].root != other[1].root
    assert parent.root == root
    assert chain.execute(one[0]).state.root == one[1].root


def test_number_must_follow(chain: Chain) -> None:
    block = finished(chain)
    wrong = Block(replace(block.header, number=BlockNumber(U32(2))), block.extrinsics)
    with pytest.raises(WrongNumber) as refusal:
        chain.execute(wrong)
    assert (refusal.value.number, refusal.value.parent_number) == (2, 0)


def test_state_root_must_be_right(chain: Chain) -> None:
    block = finished(chain)
    wrong = Block(replace(block.header, state_root=H256(bytes(32))), block.extrinsics)
    with pytest.raises(WrongStateRoot) as refusal:
        chain.execute(wrong)
    assert refusal.value.computed == block.header.state_root


def test_extrinsics_root_must_be_right(chain: Chain) -> None:
    block = finished(chain)
    with pytest.raises(WrongExtrinsicsRoot):
        chain.execute(Block(block.header, block.extrinsics[:1]))


@pytest.mark.parametrize("where", ["absent", "more", "other"])
def test_digest_must_be_what_execution_makes(chain: Chain, where: str) -> None:
    block = finished(chain)
    digest = block.header.digest
    assert isinstance(digest[-1], Consensus), "the first block announces an epoch"
    changed = {
        "absent": digest[:-1],
        "more": (*digest, Consensus(BABE_ENGINE, b"")),
        "other": (*digest[:-1], Consensus(BABE_ENGINE, digest[-1].data + b"\0")),
    }[where]
    with pytest.raises(WrongDigest):
        chain.execute(Block(replace(block.header, digest=changed), block.extrinsics))


def test_seal_is_the_importers(chain: Chain) -> None:
    block = finished(chain)
    digest = (*block.header.digest, Seal(BABE_ENGINE, bytes(64)))
    with pytest.raises(InvalidBlock, match="seal"):
        chain.execute(Block(replace(block.header, digest=digest), block.extrinsics))


def sealed_size(header: Header) -> int:
    return len(encode(replace(header, digest=(*header.digest, Seal(BABE_ENGINE, bytes(64))))))


def test_a_header_is_as_long_as_can_be_announced_and_no_longer(chain: Chain) -> None:
    """The author adds an item of its own: refused when it builds, and by whoever executes it."""

    def begun(size: int) -> Header:
        claim = pre_digest(chain.claim(chain.slot + 1))
        items = (claim, PreRuntime(b"mine", bytes(size)))
        return chain.runtime.new_block(chain.state, chain.header, items).header

    room = 128 * 1024 - sealed_size(begun(10_000)) + 10_000
    room -= 2  # the length of so many bytes is written in two bytes more
    assert sealed_size(begun(room)) == 128 * 1024
    with pytest.raises(HeaderTooLong) as refusal:
        begun(room + 1)
    assert refusal.value.size == refusal.value.limit + 1

    block = finished(chain)
    items = (*block.header.digest, PreRuntime(b"mine", bytes(room + 1)))
    with pytest.raises(HeaderTooLong):
        chain.execute(replace(block, header=replace(block.header, digest=items)))


def test_an_honest_header_of_a_thousand_validators_fits() -> None:
    """At a session's end it names both sets of authorities."""
    keys = [H256(blake2_256(b"%d" % number)) for number in range(1000)]
    babe = tuple((BabeId(key), U64(1)) for key in keys)
    grandpa = tuple((GrandpaId(key), U64(1)) for key in keys)
    claim = PrimaryPreDigest(U32(999), Slot(U64(2**63)), keys[0], bytes(64))  # type: ignore[arg-type]
    epoch = NextEpochData(babe, keys[0])
    change = ScheduledChange(grandpa, BlockNumber(U32(0)))
    header = Header(
        parent_hash=Hash(keys[0]),
        number=BlockNumber(U32(2**32 - 1)),
        state_root=keys[0],
        extrinsics_root=keys[0],
        digest=(
            pre_digest(claim),
            Consensus(BABE_ENGINE, encode(epoch, BabeConsensusLog)),
            Consensus(GRANDPA_ENGINE, encode(change, GrandpaConsensusLog)),
        ),
    )
    assert 80_000 < sealed_size(header) < 128 * 1024


@pytest.mark.parametrize("data", [None, b"", b"\x01\x00", b"\x02" + bytes(12)])
def test_claim_must_be_there_readable_and_with_a_vrf(chain: Chain, data: bytes | None) -> None:
    digest = () if data is None else (PreRuntime(BABE_ENGINE, data),)
    with pytest.raises(InvalidPreDigest):
        chain.runtime.new_block(chain.state, chain.header, digest)


def test_claim_must_be_for_a_later_slot(chain: Chain) -> None:
    chain.step()
    with pytest.raises(InvalidPreDigest, match="not after"):
        chain.builder(slot=chain.slot, with_inherents=False)


def test_parent_hash_is_part_of_the_state(chain: Chain) -> None:
    """A header that names another parent has another post-state, or its inherent fails."""
    block = finished(chain)
    wrong = replace(block.header, parent_hash=Hash(H256(b"\1" * 32)))
    with pytest.raises(WrongParentHeader):
        chain.execute(Block(wrong, block.extrinsics))


def test_slots_end_with_time(chain: Chain) -> None:
    last = (2**64 - 1) // chain.genesis.slot_duration_ms - 1
    chain.step()
    chain.step(slot=last)
    with pytest.raises(InvalidPreDigest, match="end of time"):
        chain.builder(slot=last + 1)


# Inherents


@pytest.mark.guide("A52")
@pytest.mark.parametrize(
    "order",
    [(), (0,), (1,), (1, 0), (0, 0), (0, 1, 1), (0, 1, 0)],
    ids=["none", "only time", "only paras", "swapped", "time twice", "paras twice", "time late"],
)
def test_each_inherent_once_and_in_order(chain: Chain, order: tuple[int, ...]) -> None:
    block = finished(chain)
    with pytest.raises(MisplacedInherent):
        chain.execute(resealed(block, tuple(block.extrinsics[index] for index in order)))


def test_builder_does_not_finish_without_the_inherents(chain: Chain) -> None:
    builder = chain.builder(with_inherents=False)
    builder.apply(chain.timestamp(chain.slot + 1))
    with pytest.raises(MisplacedInherent):
        builder.finish()


def test_refused_inherent_invalidates_the_block_and_leaves_no_trace(chain: Chain) -> None:
    chain.step()
    expected = chain.builder().finish()[1].root

    builder = chain.builder(with_inherents=False)
    with pytest.raises(InherentFailed) as refusal:
        builder.apply(chain.timestamp(chain.slot + 2))
    assert isinstance(refusal.value.reason, TimestampOutsideSlot)
    builder.apply(chain.timestamp(chain.slot + 1))
    wrong = ParachainsInherentData((), (), (), replace(chain.header, state_root=H256(bytes(32))))
    with pytest.raises(WrongParentHeader):
        builder.apply(inherents.parachains(wrong))
    builder.apply(chain.parachains())
    assert builder.finish()[1].root == expected


def test_time_moves_by_half_a_slot_at_least(chain: Chain) -> None:
    slot_ms = chain.genesis.slot_duration_ms
    builder = chain.builder(with_inherents=False)
    builder.apply(inherents.timestamp((chain.slot + 1) * slot_ms + slot_ms - 1))
    builder.apply(chain.parachains())
    block, chain.state = builder.finish()
    chain.header, chain.slot = block.header, chain.slot + 1

    builder = chain.builder(with_inherents=False)
    with pytest.raises(InherentFailed) as refusal:
        builder.apply(inherents.timestamp((chain.slot + 1) * slot_ms))
    assert isinstance(refusal.value.reason, TimestampTooEarly)
    builder.apply(inherents.timestamp((chain.slot + 1) * slot_ms + slot_ms // 2 - 1))


# Transactions


def test_failed_extrinsic_leaves_its_events_a_fee_and_a_nonce_only(chain: Chain) -> None:
    chain.step()
    chain.step(chain.signed("Alice", SetKeys(session_keys("Bob"))))  # Bob's keys are Bob's
    events = chain.events()
    assert [type(event) for event in events] == [
        ExtrinsicSuccess,
        ExtrinsicSuccess,
        TransactionFeePaid,
        ExtrinsicFailed,
    ]
    session = chain.runtime.modules.session
    assert session.next_keys.get(chain.state, account("Alice")) == session_keys("Alice")
    assert chain.runtime.modules.system.nonce(chain.state, account("Alice")) == 1


def test_what_a_call_has_written_before_it_was_refused_is_undone(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules = chain.runtime.modules
    refused = chain.signed("Alice", SetKeys(session_keys("Alice", "new")))
    dispatch = modules.dispatch

    def refuse_late(store: Overlay, origin: Origin, call: RuntimeCall) -> None:
        dispatch(store, origin, call)
        if isinstance(call, SetKeys):
            raise BadOrigin("another", origin)

    monkeypatch.setattr(modules, "dispatch", refuse_late)
    chain.step(refused)
    assert modules.session.next_keys.get(chain.state, account("Alice")) == session_keys("Alice")
    assert isinstance(chain.events()[-1], ExtrinsicFailed)


def test_a_call_that_needs_governance_fails_for_others(chain: Chain) -> None:
    chain.step()
    chain.step(chain.signed("Alice", SetParathreadCores(U32(7))))
    failed = [event for event in chain.events() if isinstance(event, ExtrinsicFailed)]
    assert [event.dispatch_error for event in failed] == [BadOriginRefusal()]
    pending = chain.runtime.modules.parachains.configuration.pending.get(chain.state)
    assert pending is None


def test_unsigned_call_is_no_transaction(chain: Chain) -> None:
    chain.step()
    block = finished(chain)
    unsigned = inherent(SetParathreadCores(U32(7)))
    with pytest.raises(InvalidExtrinsic) as refusal:
        chain.execute(resealed(block, (*block.extrinsics, unsigned)))
    assert refusal.value.index == 2
    assert isinstance(refusal.value.reason, UnsignedNotAllowed)


def test_garbage_in_the_body_is_an_invalid_block(chain: Chain) -> None:
    block = finished(chain)
    garbage = Extrinsic(b"\x04\xfe\xfe")
    with pytest.raises(InvalidExtrinsic) as refusal:
        chain.execute(resealed(block, (*block.extrinsics, garbage)))
    assert isinstance(refusal.value.reason, MalformedExtrinsic)


def test_signed_inherent_is_refused(chain: Chain) -> None:
    """An inherent's place is open to the author's inherent only."""
    chain.step()
    from parahost.runtime.timestamp import SetTimestamp

    now = (chain.slot + 1) * chain.genesis.slot_duration_ms
    builder = chain.builder(with_inherents=False)
    with pytest.raises(InherentFailed) as refusal:
        builder.apply(chain.signed("Alice", SetTimestamp(now)))
    assert isinstance(refusal.value.reason, BadOrigin)


def test_a_body_that_is_not_the_headers_says_nothing_of_the_block(
    chain: Chain, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However it breaks the rules: whoever chose it could make a good block pass for a bad one."""
    block = finished(chain)
    monkeypatch.setattr(executive, "MAX_BODY_BYTES", 1)
    for body in ((), (*block.extrinsics, Extrinsic(b"\xff")), block.extrinsics[::-1]):
        with pytest.raises(WrongExtrinsicsRoot):
            chain.execute(Block(block.header, body))


def test_body_is_bounded(chain: Chain, monkeypatch: pytest.MonkeyPatch) -> None:
    block = finished(chain)
    length = sum(len(extrinsic) for extrinsic in block.extrinsics)
    monkeypatch.setattr(executive, "MAX_BODY_BYTES", length)
    chain.execute(block)
    chain.builder()
    monkeypatch.setattr(executive, "MAX_BODY_BYTES", length - 1)
    with pytest.raises(BodyTooLong):
        chain.execute(block)
    with pytest.raises(BodyTooLong):
        chain.builder()
