"""Sessions and epochs: authorities change one session after they were queued, and all agree."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.crypto.vrf import make_bytes, vrf_inout
from parahost.primitives.basic import H256, U32, U64, SessionIndex, Slot
from parahost.primitives.consensus import (
    BabeConsensusLog,
    GrandpaConsensusLog,
    NextEpochData,
    ScheduledChange,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import BABE_ENGINE, GRANDPA_ENGINE, Block, Consensus
from parahost.primitives.scale import decode
from parahost.runtime import api
from parahost.runtime.babe import (
    RANDOMNESS_CONTEXT,
    SEGMENT_LENGTH,
    babe_authorities,
    epoch_randomness,
    slot_transcript,
)
from parahost.runtime.grandpa import NewAuthorities, grandpa_authorities
from parahost.runtime.parachains.configuration import SetMaxCodeSize
from parahost.runtime.parachains.shuffle import shuffled
from parahost.runtime.session import SESSIONS_KEPT, NewSession, SetKeys, SetValidators, Validator
from tests.runtime.pipeline import inherent_data
from tests.runtime.world import (
    EPOCH_SLOTS,
    FIRST_SLOT,
    GENESIS,
    NAMES,
    Chain,
    account,
    session_keys,
    validators,
)


def babe_logs(block: Block) -> list[NextEpochData]:
    return [
        decode(BabeConsensusLog, item.data)
        for item in block.header.digest
        if isinstance(item, Consensus) and item.engine == BABE_ENGINE
    ]


def grandpa_logs(block: Block) -> list[ScheduledChange]:
    return [
        decode(GrandpaConsensusLog, item.data)
        for item in block.header.digest
        if isinstance(item, Consensus) and item.engine == GRANDPA_ENGINE
    ]


def test_first_block_begins_the_first_epoch_and_announces_the_second() -> None:
    chain = Chain()
    block = chain.step()
    assert babe_logs(block) == [
        NextEpochData(babe_authorities(GENESIS.validators), H256(bytes(32)))
    ]
    assert api.current_epoch(chain.state).start_slot == FIRST_SLOT
    assert api.current_epoch(chain.state).epoch_index == 0
    assert api.session_index_for_child(chain.state) == 0


def test_a_session_is_an_epoch() -> None:
    chain = Chain()
    for number in range(1, 3 * EPOCH_SLOTS + 1):
        block = chain.step()
        begins = number % EPOCH_SLOTS == 1
        assert len(babe_logs(block)) == begins
        assert api.session_index_for_child(chain.state) == (number - 1) // EPOCH_SLOTS
        assert api.current_epoch(chain.state).epoch_index == (number - 1) // EPOCH_SLOTS
        changed = [event for event in chain.events() if isinstance(event, NewSession)]
        assert len(changed) == (begins and number > 1)


@pytest.mark.guide("A3", "A4")
def test_the_session_changes_after_the_block_has_finalised() -> None:
    """D1: the inherent of the epoch's first block still belongs to the old session, its
    post-state to the new one."""
    chain = Chain()
    chain.steps(EPOCH_SLOTS)
    builder = chain.builder()
    session = chain.runtime.modules.session
    store = builder._store
    assert session.index(store) == 0
    assert chain.runtime.modules.parachains.initializer.has_initialized.get(store)
    assert api.current_epoch(store).epoch_index == 1
    _, state = builder.finish()
    assert session.index(state) == 1
    assert api.session_index_for_child(state) == 1
    assert not chain.runtime.modules.parachains.initializer.has_initialized.get(state)


@pytest.mark.guide("A4", "A115")
def test_chosen_validators_are_queued_for_one_session_then_take_office() -> None:
    chain = Chain()
    chain.step()
    for name in ("Eve", "Ferdie"):
        chain.step(chain.signed(name, SetKeys(session_keys(name))))
    chosen = ("Bob", "Eve", "Ferdie")
    chain.step(chain.sudo(SetValidators(tuple(account(name) for name in chosen))))
    old, new = GENESIS.validators, validators(*chosen)

    while api.session_index_for_child(chain.state) < 1:
        block = chain.step()
    assert (api.session_validators(chain.state), api.queued_validators(chain.state)) == (old, new)
    assert babe_logs(block)[0].authorities == babe_authorities(new)
    assert grandpa_logs(block) == []
    assert api.babe_authorities(chain.state) == babe_authorities(old)
    assert api.validators(chain.state) == tuple(v.keys.para_validator for v in old)

    while api.session_index_for_child(chain.state) < 2:
        block = chain.step()
    assert (api.session_validators(chain.state), api.queued_validators(chain.state)) == (new, new)
    assert [log.next_authorities for log in grandpa_logs(block)] == [grandpa_authorities(new)]
    assert api.grandpa_authorities(chain.state) == grandpa_authorities(new)
    assert api.grandpa_set_id(chain.state) == 1
    assert api.babe_authorities(chain.state) == babe_authorities(new)
    assert api.validators(chain.state) == tuple(v.keys.para_validator for v in new)
    assert NewAuthorities(grandpa_authorities(new)) in chain.events()

    chain.steps(2 * EPOCH_SLOTS)
    assert api.grandpa_set_id(chain.state) == 1, "nothing has changed since"


def test_new_keys_of_a_validator_go_the_same_way() -> None:
    chain = Chain()
    chain.step()
    chain.step(chain.signed("Alice", SetKeys(session_keys("Alice", "2"))))
    renewed = (Validator(account("Alice"), session_keys("Alice", "2")), *GENESIS.validators[1:])
    while api.session_index_for_child(chain.state) < 1:
        chain.step()
    assert api.session_validators(chain.state) == GENESIS.validators
    assert api.queued_validators(chain.state) == renewed
    while api.session_index_for_child(chain.state) < 2:
        chain.step()
    assert api.session_validators(chain.state) == renewed
    assert api.grandpa_set_id(chain.state) == 1


@pytest.mark.guide("A7")
def test_configuration_changes_with_the_session() -> None:
    chain = Chain()
    chain.step()
    configuration = chain.runtime.modules.parachains.configuration
    before = configuration.configuration(chain.state)
    chain.step(chain.sudo(SetMaxCodeSize(U32(1234))))
    while api.session_index_for_child(chain.state) < 1:
        assert configuration.configuration(chain.state) == before
        chain.step()
    assert configuration.configuration(chain.state) == replace(before, max_code_size=U32(1234))


@pytest.mark.parametrize("skipped", [1, 3])
def test_epochs_without_a_block_are_skipped(skipped: int) -> None:
    chain = Chain()
    chain.steps(2)
    announced = api.next_epoch(chain.state)
    epochs = 1 + skipped
    block = chain.step(slot=FIRST_SLOT + epochs * EPOCH_SLOTS + 2)
    epoch = api.current_epoch(chain.state)
    assert epoch.epoch_index == epochs
    assert epoch.start_slot == FIRST_SLOT + epochs * EPOCH_SLOTS
    assert (epoch.authorities, epoch.randomness) == (announced.authorities, announced.randomness)
    assert len(babe_logs(block)) == 1
    assert api.session_index_for_child(chain.state) == 1
    chain.steps(EPOCH_SLOTS)


def test_randomness_comes_from_all_vrf_outputs_of_the_epoch_before_the_last() -> None:
    """Those of secondary slots too: the specification counts the output of each block."""
    chain = Chain()
    outputs = []
    for number in range(1, EPOCH_SLOTS + 1):
        claim = chain.claim(chain.slot + 1, primary=number % 2 == 1)
        author = api.babe_authorities(chain.state)[claim.authority_index][0]
        chain.step(primary=number % 2 == 1)
        transcript = slot_transcript(claim.slot, U64(0), H256(bytes(32)))
        drawn = make_bytes(vrf_inout(author, transcript, claim.vrf_output), RANDOMNESS_CONTEXT, 32)
        current = chain.runtime.modules.babe.author_vrf_randomness.get(chain.state)
        assert current == drawn
        outputs.append(drawn)
    block = chain.step()
    expected = blake2_256(bytes(32) + (2).to_bytes(8, "little") + b"".join(outputs))
    assert babe_logs(block)[0].randomness == expected
    assert api.next_epoch(chain.state).randomness == expected
    assert api.current_epoch(chain.state).randomness == bytes(32)
    chain.steps(EPOCH_SLOTS)
    assert api.current_epoch(chain.state).randomness == expected


def test_a_full_segment_begins_the_next_and_all_count() -> None:
    """Each epoch's outputs count to the last one, across segments."""
    chain = Chain(replace(GENESIS, epoch_length=SEGMENT_LENGTH + 4))
    babe = chain.runtime.modules.babe
    chain.steps(3)
    gathered = babe.under_construction.get(chain.state, U32(0))
    assert len(gathered) == 3

    from parahost.runtime.storage import Overlay

    store = Overlay(chain.state)
    full = tuple(H256(bytes((n % 256,)) * 32) for n in range(SEGMENT_LENGTH))
    babe.under_construction.put(store, U32(0), full)
    babe._gather(store, H256(b"\xaa" * 32))
    assert babe.segment_index.get(store) == 1
    babe.current_slot.put(store, Slot(U64(FIRST_SLOT + SEGMENT_LENGTH + 4)))
    babe._begin_epoch_if_due(store)
    expected = epoch_randomness(H256(bytes(32)), U64(2), (*full, H256(b"\xaa" * 32)))
    assert babe.next_randomness.get(store) == expected
    assert babe.segment_index.get(store) == 0
    assert list(babe.under_construction.keys(store)) == []


def test_the_author_is_known_while_the_block_executes() -> None:
    """Also in the first block of an epoch, whose author is of the new authorities."""
    chain = Chain()
    chain.step()
    chain.step(chain.signed("Eve", SetKeys(session_keys("Eve"))))
    chain.step(chain.sudo(SetValidators((account("Eve"),))))
    while api.session_index_for_child(chain.state) < 1:
        chain.step()
    while (chain.slot + 1 - FIRST_SLOT) % EPOCH_SLOTS:
        chain.step()
    claim = replace(chain.claim(chain.slot + 1), authority_index=U32(0))
    from tests.runtime.world import pre_digest

    builder = chain.runtime.new_block(chain.state, chain.header, (pre_digest(claim),))
    assert chain.runtime.modules.authorship.author(builder._store) == account("Eve")


@pytest.mark.guide("A27")
def test_groups_are_drawn_by_the_epochs_randomness() -> None:
    chain = Chain()
    chain.step()
    seen = set()
    for session in (1, 2, 3):
        chain.steps(EPOCH_SLOTS)
        assert api.session_index_for_child(chain.state) == session
        randomness = api.current_epoch(chain.state).randomness
        order = shuffled(4, H256(blake2_256(b"paras" + randomness)))
        groups = api.validator_groups(chain.state).groups
        assert [member for group in groups for member in group] == order
        seen.add(randomness)
    assert len(seen) == 3


def test_keys_of_past_sessions_are_forgotten_in_time() -> None:
    chain = Chain()
    session = chain.runtime.modules.session
    while api.session_index_for_child(chain.state) < SESSIONS_KEPT + 3:
        chain.step(slot=chain.slot + EPOCH_SLOTS if chain.blocks else None)
    kept = sorted(session.past_keys.keys(chain.state))
    current = SESSIONS_KEPT + 3
    assert kept == list(range(current - SESSIONS_KEPT, current + 1))


@pytest.mark.guide("A56")
def test_accounts_are_known_as_long_as_their_candidates_may_be_disputed() -> None:
    """The candidate of block 3, session 0, may be until block 53: ten sessions later."""
    assert GENESIS.configuration.acceptance_period == 50
    chain = Chain()
    chain.step()
    chain.step(data=inherent_data(chain))
    chain.step(data=inherent_data(chain))
    past_keys = chain.runtime.modules.session.past_keys
    first, second = SessionIndex(U32(0)), SessionIndex(U32(1))
    assert {record.session for record in api.included_candidates(chain.state)} == {0}
    while api.included_candidates(chain.state):
        assert past_keys.get(chain.state, first) == GENESIS.validators
        chain.step()
    assert chain.header.number == 54
    assert api.session_index_for_child(chain.state) == 10 > SESSIONS_KEPT
    while api.session_index_for_child(chain.state) == 10:
        chain.step()
    assert not past_keys.contains(chain.state, first)
    assert not past_keys.contains(chain.state, second)


def test_a_replaced_key_is_its_owners_while_it_is_in_office() -> None:
    chain = Chain()
    session = chain.runtime.modules.session
    chain.step(chain.signed("Alice", SetKeys(session_keys("Alice", "2"))))
    old = session_keys("Alice")
    assert not session.key_owner.contains(chain.state, (b"babe", old.babe))
    chain.step(chain.signed("Eve", SetKeys(old)))
    assert session.next_keys.get(chain.state, account("Eve")) is None
    for _ in range(SESSIONS_KEPT + 1):
        chain.step(slot=chain.slot + EPOCH_SLOTS)
        assert session.owner_of(chain.state, b"babe", old.babe) == account("Alice")
    chain.step(slot=chain.slot + EPOCH_SLOTS)
    assert session.owner_of(chain.state, b"babe", old.babe) is None
    chain.step(chain.signed("Eve", SetKeys(old)))
    assert session.next_keys.get(chain.state, account("Eve")) == old


def test_validators_must_have_keys_of_their_own() -> None:
    chain = Chain()
    chain.step()
    for wrong in ((), (account("Alice"), account("Alice")), (account("Alice"), account("Eve"))):
        chain.step(chain.sudo(SetValidators(wrong)))
        chosen = chain.runtime.modules.session.chosen.get(chain.state)
        assert chosen == tuple(account(name) for name in NAMES[:4])
