"""Checks and disputes on a whole chain: through headers, extrinsics, sessions and stakes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.approval.criteria import certify, own_assignments
from parahost.crypto import sr25519
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.ports.keystore import KeyType
from parahost.primitives.approval import Approval, Assignment, SecondaryChecks, approval_payload
from parahost.primitives.basic import (
    H512,
    U32,
    U64,
    BlockNumber,
    SessionIndex,
    Slot,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.disputes import (
    PARACHAINS_ENGINE,
    DisputeStatementSet,
    ExplicitInvalidVote,
    Revert,
    VoteInvalid,
    vote_payload,
)
from parahost.primitives.header import BABE_ENGINE, Consensus, Header, Seal
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.primitives.scale import decode
from parahost.runtime import api, inherents
from parahost.runtime.balances import UNIT
from parahost.runtime.errors import MisplacedInherent
from parahost.runtime.genesis import GenesisConfig
from parahost.runtime.parachains.approvals import CandidateAccepted
from parahost.runtime.parachains.sanitize import sanitize
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.session import SESSIONS_KEPT
from parahost.runtime.slot_lottery import author_in_turn
from parahost.runtime.validity_parameters import (
    DEFAULT_VALIDITY_CONFIGURATION,
    SetValidityConfiguration,
)
from parahost.storage.memory import MemoryDatabase
from tests.runtime.pipeline import inherent_data
from tests.runtime.test_executive import finished, resealed
from tests.runtime.world import (
    FIRST_SLOT,
    GENESIS,
    NAMES,
    SHARED_RUNTIME,
    Chain,
    account,
    key,
    para,
    validators,
)

STAKE = 100 * UNIT
CONFIG = replace(
    DEFAULT_VALIDITY_CONFIGURATION,
    approval=replace(
        DEFAULT_VALIDITY_CONFIGURATION.approval, needed_approvals=U32(2), n_delay_tranches=U32(4)
    ),
)
VALIDATING = replace(
    GENESIS,
    validators=validators(*NAMES),
    validity=CONFIG,
    epoch_length=50,
    stakes=tuple((account(name), STAKE) for name in NAMES),
    configuration=replace(GENESIS.configuration, acceptance_period=BlockNumber(U32(4))),
)
ALONE = replace(
    VALIDATING,
    paras=tuple(para(number) for number in range(100, 106)),
    configuration=replace(VALIDATING.configuration, parathread_cores=U32(0)),
)
"""Each candidate is backed by one validator."""
MODULES = SHARED_RUNTIME.modules


def including(genesis: GenesisConfig = VALIDATING) -> tuple[Chain, IncludedCandidate]:
    """A chain that has included candidates of its parachains in its last block."""
    chain = Chain(genesis)
    chain.step()
    chain.step(data=inherent_data(chain))
    chain.step(data=inherent_data(chain))
    return chain, api.included_candidates(chain.state)[0]


def name_of(record: IncludedCandidate, validator: int, chain: Chain) -> str:
    info = api.session_info(chain.state, record.session)
    assert info is not None
    public = info.validators[validator]
    return next(name for name in NAMES if key(name, "para").public == public)


def checked(chain: Chain, record: IncludedCandidate) -> SecondaryChecks:
    """Everybody who did not back it has checked it."""
    info = api.session_info(chain.state, record.session)
    assert info is not None
    assignments, approvals = [], []
    for index, public in enumerate(info.validators):
        if index in record.backers:
            continue
        keypair = key(name_of(record, index, chain), "para")
        ring = KeyRing()
        ring.add(KeyType.PARACHAIN, keypair)
        keys = ProtectedKeyStore(ring, MemoryDatabase())
        (own,) = own_assignments(
            keys,
            public,
            record.relay_vrf_story,
            info.approval,
            cores=info.cores,
            candidates=[record.core],
        )
        cert = certify(keys, public, record.relay_vrf_story, own)
        assignments.append(Assignment(ValidatorIndex(U32(index)), cert))
        signed = sr25519.sign(keypair, approval_payload(record.receipt.hash(), record.session))
        approvals.append(Approval(ValidatorIndex(U32(index)), ValidatorSignature(H512(signed))))
    return SecondaryChecks(
        record.session, record.receipt.hash(), tuple(assignments), tuple(approvals)
    )


def against(chain: Chain, record: IncludedCandidate, *indices: int) -> DisputeStatementSet:
    statement = VoteInvalid(ExplicitInvalidVote())
    payload = vote_payload(statement, record.receipt.hash(), record.session)
    assert payload is not None
    statements = []
    for index in indices:
        made = sr25519.sign(key(name_of(record, index, chain), "para"), payload)
        statements.append((statement, ValidatorIndex(U32(index)), ValidatorSignature(H512(made))))
    return DisputeStatementSet(record.receipt.hash(), record.session, tuple(statements))


def empty(chain: Chain) -> ParachainsInherentData:
    return ParachainsInherentData((), (), (), chain.header)


@pytest.mark.guide("A53", "A54", "A116")
def test_checks_come_in_an_inherent_of_their_own_and_make_the_candidate_accepted() -> None:
    chain, record = including()
    notes = NoteChecks((checked(chain, record),))
    assert record.relay_vrf_story != bytes(32)
    kept = sanitize(MODULES.parachains, chain.state, empty(chain), notes)
    assert kept.inherent == empty(chain)
    chain.step(inherents.checks(kept.checks))
    assert CandidateAccepted(*record.key()) in chain.events()


@pytest.mark.guide("A103")
def test_what_is_kept_is_accepted_in_whatever_slot_the_block_comes() -> None:
    """Time counts for acceptance. Nothing that an author brings may hang on it: it does not know
    the slot when it is asked, and one set may be all that the next of the same candidate needs."""
    chain, record = including()
    whole = checked(chain, record)
    parts = [replace(whole, approvals=())]
    parts += [replace(whole, assignments=(), approvals=(each,)) for each in whole.approvals]
    kept = sanitize(MODULES.parachains, chain.state, empty(chain), NoteChecks(tuple(parts))).checks
    approvals = [each for checks in kept.checks for each in checks.approvals]
    assert len(kept.checks) >= 2 and approvals
    chain.step(inherents.checks(kept), slot=chain.slot + 30)
    state = api.candidate_checks(chain.state, record.key())
    assert list(state.approved) == sorted(each.validator_index for each in approvals)


def test_checks_have_their_place_in_a_block() -> None:
    """Right after the inherents, and once."""
    chain, record = including()
    extrinsic = inherents.checks(NoteChecks((checked(chain, record),)))
    block = finished(chain, extrinsic)
    timestamp, inclusion, checks = block.extrinsics
    for body in (
        (timestamp, checks, inclusion),
        (checks, timestamp, inclusion),
        (timestamp, inclusion, checks, checks),
    ):
        with pytest.raises(MisplacedInherent):
            chain.execute(resealed(block, body))
    chain.execute(block)


@pytest.mark.guide("A57", "A65")
def test_a_dispute_that_is_won_is_in_the_header_and_costs_the_backers_their_stake() -> None:
    chain, record = including(ALONE)
    others = [index for index in range(len(NAMES)) if index not in record.backers]
    assert len(others) == 5, "a supermajority of six"
    parent = next(
        block.header for block in chain.blocks if block.header.number == record.included_in - 1
    )
    data = replace(empty(chain), disputes=(against(chain, record, *others),))
    block = chain.step(data=data)
    (log,) = [
        item.data
        for item in block.header.digest
        if isinstance(item, Consensus) and item.engine == PARACHAINS_ENGINE
    ]
    revert = decode(Revert, log)
    assert revert == Revert(parent.number, parent.hash(), record.receipt.hash())
    assert api.frozen(chain.state) == parent.number
    for index in range(len(NAMES)):
        who = account(name_of(record, index, chain))
        lost = STAKE if index in record.backers else 0
        assert MODULES.staking.stake(chain.state, who) == STAKE - lost
    chain.step()


# Blocks of other forks


def sealed(chain: Chain, header: Header, author: str) -> Header:
    seal = Seal(BABE_ENGINE, sr25519.sign(key(author, "babe"), header.hash()))
    return replace(header, digest=(*header.digest, seal))


def in_turn(chain: Chain, after: int) -> int:
    """The next slot that falls in turn to the author that the chain has make its block."""
    randomness, names = MODULES.babe.randomness.get(chain.state), len(NAMES)
    slot = after
    while author_in_turn(Slot(U64(slot)), randomness, names) != slot % names:
        slot += 1
    return slot


@pytest.mark.guide("A61")
def test_a_header_of_another_fork_says_what_its_own_fork_has_drawn_checkers_from() -> None:
    fork = Chain(VALIDATING)
    fork.step()
    fork.step(data=inherent_data(fork))
    fork.step(data=inherent_data(fork), slot=in_turn(fork, fork.slot + 1), primary=False)
    record = api.included_candidates(fork.state)[0]
    author = NAMES[fork.slot % len(NAMES)]
    header = sealed(fork, fork.header, author)

    here = Chain(VALIDATING)
    here.steps(2)
    story = MODULES.babe.foreign_story
    assert story(here.state, record.session, header) == record.relay_vrf_story
    assert story(here.state, SessionIndex(U32(7)), header) is None, "another session"
    assert story(here.state, record.session, fork.header) is None, "no seal"
    other = NAMES[(fork.slot + 1) % len(NAMES)]
    assert story(here.state, record.session, sealed(fork, fork.header, other)) is None


@pytest.mark.guide("A61")
def test_nobody_chooses_a_slot_to_draw_checkers_from() -> None:
    """An author whose turn it was not, and one that takes a slot of long after."""
    fork = Chain(VALIDATING)
    fork.step()
    slot = fork.slot + 1
    randomness = MODULES.babe.randomness.get(fork.state)
    while author_in_turn(Slot(U64(slot)), randomness, len(NAMES)) == slot % len(NAMES):
        slot += 1
    fork.step(slot=slot, primary=False)
    session = SessionIndex(U32(0))
    early = sealed(fork, fork.header, NAMES[slot % len(NAMES)])
    assert MODULES.babe.foreign_story(fork.state, session, early) is None

    late = Chain(replace(VALIDATING, epoch_length=5000))
    late.step()
    far = in_turn(late, FIRST_SLOT + 60)
    late.step(slot=far, primary=False)
    header = sealed(late, late.header, NAMES[far % len(NAMES)])
    assert MODULES.babe.foreign_story(late.state, session, header) is not None
    here = Chain(VALIDATING)
    here.step()
    assert MODULES.babe.foreign_story(here.state, session, header) is None, "epochs have 50 slots"


def test_epochs_are_known_as_long_as_their_sessions() -> None:
    chain = Chain(replace(VALIDATING, epoch_length=2))
    while MODULES.session.index(chain.state) < SESSIONS_KEPT + 3:
        chain.step()
    known = sorted(MODULES.babe.epochs.keys(chain.state))
    assert known == sorted(MODULES.session.past_keys.keys(chain.state))


def test_a_sessions_candidates_are_checked_by_the_parameters_of_then() -> None:
    """Whatever they are made into meanwhile, or what sufficed for acceptance would not any more."""
    chain = Chain()
    before = DEFAULT_VALIDITY_CONFIGURATION.approval
    more = replace(before, needed_approvals=U32(before.needed_approvals + 5))
    changed = replace(DEFAULT_VALIDITY_CONFIGURATION, approval=more)
    chain.step(chain.sudo(SetValidityConfiguration(changed)))
    while api.session_index_for_child(chain.state) < 2:
        chain.step()
    found = [api.session_info(chain.state, SessionIndex(U32(index))) for index in range(3)]
    assert [info and info.approval for info in found] == [before, more, more]
