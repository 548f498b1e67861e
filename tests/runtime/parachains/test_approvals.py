"""From Included to Accepted: checks that blocks bring, windows, and what lives as long as they."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.approval.criteria import OwnAssignment, certify, own_assignments
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.ports.keystore import KeyType
from parahost.primitives.approval import (
    Approval,
    ApprovalParameters,
    Assignment,
    RelayVrfStory,
    SecondaryChecks,
    Tranche,
    approval_payload,
)
from parahost.primitives.basic import (
    H512,
    U32,
    CandidateHash,
    CoreIndex,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.runtime.origin import NoOrigin
from parahost.runtime.parachains import sanitize as sanitize_module
from parahost.runtime.parachains import validity as validity_module
from parahost.runtime.parachains.approval_weight import checks_weight
from parahost.runtime.parachains.approvals import (
    AssignmentTooEarly,
    BadApprovalSignature,
    BadAssignment,
    BadChecker,
    CandidateAccepted,
    InvalidCheck,
    UncheckedCandidate,
)
from parahost.runtime.parachains.inclusion_errors import TooManyUnaccepted
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.sanitize import sanitize
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.validity_parameters import DEFAULT_VALIDITY_CONFIGURATION
from parahost.storage.memory import MemoryDatabase

from .world import World, code, keypair, para, signature, validator_name

VALIDATORS = 12
APPROVAL = ApprovalParameters(
    needed_approvals=U32(3),
    relay_vrf_modulo_samples=U32(1),
    n_delay_tranches=U32(6),
    zeroth_delay_tranche_width=U32(0),
    tranches_per_slot=U32(2),
    no_show_slots=U32(2),
)
CHECKED = replace(DEFAULT_VALIDITY_CONFIGURATION, approval=APPROVAL)
PERIOD = 4


def checked_world(**config: Any) -> World:
    """Candidates of paras 1 and 2 have been included by block 2."""
    world = World(
        validators=VALIDATORS,
        parachains=[1, 2, 3, 4],
        validity=CHECKED,
        acceptance_period=PERIOD,
        **config,
    )
    world.include(1, 2)
    return world


@cache
def key_store() -> ProtectedKeyStore:
    ring = KeyRing()
    for index in range(VALIDATORS):
        ring.add(KeyType.PARACHAIN, keypair(validator_name(index)))
    return ProtectedKeyStore(ring, MemoryDatabase())


@cache
def drawn(
    story: RelayVrfStory, validator: int, core: CoreIndex
) -> tuple[OwnAssignment, Assignment]:
    """How the validator is drawn for the candidate of that core, and its announcement."""
    public = World(validators=VALIDATORS).validators[validator]
    (own,) = own_assignments(key_store(), public, story, APPROVAL, cores=4, candidates=[core])
    cert = certify(key_store(), public, story, own)
    return own, Assignment(ValidatorIndex(U32(validator)), cert)


def candidate(world: World, core: int = 0) -> IncludedCandidate:
    return next(each for each in world.api.included_candidates(world.state) if each.core == core)


def checkers(record: IncludedCandidate) -> list[tuple[Tranche, int]]:
    """All who may check it, in the order in which they join."""
    return sorted(
        (drawn(record.relay_vrf_story, validator, record.core)[0].tranche, validator)
        for validator in range(VALIDATORS)
        if validator not in record.backers
    )


def announced(record: IncludedCandidate, *validators: int) -> SecondaryChecks:
    """Those validators say that they check it."""
    assignments = [drawn(record.relay_vrf_story, each, record.core)[1] for each in validators]
    return SecondaryChecks(record.session, record.receipt.hash(), tuple(assignments), ())


def approved(record: IncludedCandidate, *validators: int) -> SecondaryChecks:
    """Those validators say that it is valid."""
    payload = approval_payload(record.receipt.hash(), record.session)
    approvals = [
        Approval(
            ValidatorIndex(U32(each)),
            ValidatorSignature(signature(validator_name(each), payload)),
        )
        for each in sorted(validators)
    ]
    return SecondaryChecks(record.session, record.receipt.hash(), (), tuple(approvals))


def accepted(world: World) -> list[CandidateHash]:
    """The candidates that the last block has accepted."""
    events = [record.event for record in world.system.block_events(world.state)]
    return [event.candidate_hash for event in events if isinstance(event, CandidateAccepted)]


def first(record: IncludedCandidate, count: int) -> list[int]:
    return [validator for _, validator in checkers(record)[:count]]


def upto(record: IncludedCandidate, tranche: int) -> list[int]:
    return [validator for at, validator in checkers(record) if at <= tranche]


def wait_for_all(world: World) -> None:
    """Until every tranche's time has come; the window ends later."""
    world.add_blocks_until(world.number + 3)


# Acceptance


@pytest.mark.guide("A53", "A54")
def test_a_candidate_is_accepted_when_its_checks_are_complete() -> None:
    world = checked_world()
    record = candidate(world)
    assert accepted(world) == []
    world.add_blocks_until(5)
    last = checkers(record)[2][0]
    joined = upto(record, last)
    world.add_block(checks=[announced(record, *joined)])
    assert accepted(world) == []
    world.add_block(checks=[approved(record, *joined[:-1])])
    assert accepted(world) == [], "whole tranches have to deliver"
    world.add_block(checks=[approved(record, joined[-1])])
    assert accepted(world) == [record.receipt.hash()]
    assert world.api.candidate_checks(world.state, record.key()).accepted_in == world.number
    assert candidate(world, 1).key() != record.key(), "the other one is not"


@pytest.mark.guide("A53")
def test_without_a_need_for_checks_it_is_accepted_at_once() -> None:
    world = World(validators=4, parachains=[1])
    world.include(1)
    assert accepted(world) == [candidate(world).receipt.hash()]


@pytest.mark.guide("A55")
def test_a_third_of_the_validators_are_enough_however_many_do_not_deliver() -> None:
    world = checked_world()
    record = candidate(world)
    wait_for_all(world)
    everybody = first(record, VALIDATORS)
    world.add_block(checks=[announced(record, *everybody)])
    world.add_blocks_until(world.number + 4)
    world.add_block(checks=[approved(record, *everybody[-4:])])
    assert accepted(world) == []
    world.add_block(checks=[approved(record, everybody[0])])
    assert accepted(world) == [record.receipt.hash()]


@pytest.mark.guide("A54")
def test_a_checker_of_a_later_tranche_waits_for_its_time() -> None:
    world = checked_world()
    record = candidate(world)
    tranche, validator = checkers(record)[-1]
    assert tranche >= 3
    with pytest.raises(AssignmentTooEarly) as refused:
        world.add_block(checks=[announced(record, validator)])
    assert (refused.value.tranche, refused.value.now) == (tranche, 2)
    world.add_blocks_until(record.included_in + 3)
    world.add_block(checks=[announced(record, validator)])


# Refusals


def with_cert(checks: SecondaryChecks, **fields: object) -> SecondaryChecks:
    (given,) = checks.assignments
    changed = replace(given, cert=replace(given.cert, **fields))  # type: ignore[arg-type]
    return replace(checks, assignments=(changed,))


@pytest.mark.guide("A54")
def test_bad_checks_are_refused() -> None:
    world = checked_world()
    record = candidate(world)
    wait_for_all(world)
    one, two = first(record, 2)
    own, other = announced(record, one), announced(record, two)
    beyond = replace(own.assignments[0], validator_index=ValidatorIndex(U32(VALIDATORS)))
    backer = record.backers[0]
    unsigned = replace(
        approved(record, one).approvals[0], signature=ValidatorSignature(H512(bytes(64)))
    )
    cases: list[tuple[type[InvalidCheck], list[SecondaryChecks]]] = [
        (UncheckedCandidate, [replace(own, session=SessionIndex(U32(1)))]),
        (UncheckedCandidate, [replace(own, candidate_hash=CandidateHash(record.parent_hash))]),
        (BadChecker, [replace(own, assignments=(beyond,))]),
        (BadChecker, [announced(record, backer)]),
        (BadChecker, [own, own]),
        (BadChecker, [replace(own, assignments=own.assignments * 2)]),
        (BadAssignment, [with_cert(own, vrf_proof=H512(bytes(64)))]),
        (BadAssignment, [with_cert(own, vrf_output=other.assignments[0].cert.vrf_output)]),
        (BadChecker, [approved(record, one)]),
        (BadChecker, [own, approved(record, one), approved(record, one)]),
        (BadApprovalSignature, [own, replace(own, assignments=(), approvals=(unsigned,))]),
    ]
    for error, checks in cases:
        before = world.state
        with pytest.raises(error):
            world.add_block(checks=checks)
        assert world.state is before
        kept = sanitize(world.host, world.state, world.data(), NoteChecks(tuple(checks)))
        store = world.child()
        world.host.inclusion_inherent.dispatch(store, NoOrigin(), InclusionCall(kept.inherent))
        world.host.validity.dispatch(store, NoOrigin(), kept.checks)


@pytest.mark.guide("A54")
def test_what_is_accepted_takes_no_more_checks() -> None:
    world = checked_world()
    record = candidate(world)
    wait_for_all(world)
    everybody = first(record, VALIDATORS)
    world.add_block(checks=[announced(record, *everybody), approved(record, *everybody[:5])])
    assert accepted(world) == [record.receipt.hash()]
    with pytest.raises(UncheckedCandidate):
        world.add_block(checks=[approved(record, everybody[5])])


# Windows


@pytest.mark.guide("A53", "A55")
def test_the_window_extends_while_checks_are_missing() -> None:
    world = checked_world()
    record, other = candidate(world), candidate(world, 1)
    world.add_blocks_until(5)
    everybody = first(other, VALIDATORS)
    world.add_block(checks=[announced(other, *everybody), approved(other, *everybody[:5])])
    world.add_blocks_until(7)
    assert world.api.included_candidates(world.state) == (record,), "the accepted one is forgotten"
    world.add_blocks_until(20)
    everybody = first(record, VALIDATORS)
    world.add_block(checks=[announced(record, *everybody), approved(record, *everybody[:5])])
    world.add_blocks_until(20 + PERIOD + 1)
    assert world.api.included_candidates(world.state) == ()
    assert list(world.host.approvals.checks.keys(world.state)) == []


@pytest.mark.guide("A15", "A53", "A56")
def test_code_and_sessions_live_as_long_as_the_longest_window() -> None:
    """A candidate that nobody checks, code that is replaced right after it, nine sessions later."""
    world = World(
        validators=VALIDATORS,
        parachains=[1, 2, 3, 4],
        validity=CHECKED,
        acceptance_period=PERIOD,
        validation_upgrade_delay=3,
        validation_upgrade_frequency=1,
        chain_availability_period=1,
        thread_availability_period=1,
    )
    world.include(1, new_code=code(1, 1))
    record = candidate(world)
    while world.host.paras.validation_code.get(world.state, para(1)) != code(1, 1):
        world.include(1)
    for _ in range(9):
        world.add_block(new_session=VALIDATORS)
    assert world.number > record.included_in + 3 * PERIOD
    code_hash = record.receipt.descriptor.validation_code_hash
    assert world.api.validation_code_by_hash(world.state, code_hash) == code(1)
    assert world.api.session_info(world.state, record.session) is not None
    for each in world.api.included_candidates(world.state):
        everybody = first(each, VALIDATORS)
        world.add_block(checks=[announced(each, *everybody), approved(each, *everybody[:5])])
    world.add_blocks_until(world.number + PERIOD + 2)
    assert world.api.included_candidates(world.state) == ()
    assert world.api.validation_code_by_hash(world.state, code_hash) is None
    assert world.api.session_info(world.state, record.session) is None


def test_no_more_are_backed_while_too_many_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else their records would grow without end when nobody checks."""
    monkeypatch.setattr(validity_module, "MAX_UNACCEPTED", 3)
    world = checked_world()
    data = world.data(candidates=[world.candidate(1), world.candidate(2)])
    with pytest.raises(TooManyUnaccepted):
        world.add_block(data)
    kept = sanitize(world.host, world.state, data)
    assert kept.inherent.backed_candidates == data.backed_candidates[:1]
    world.add_block(kept.inherent)


def test_where_the_checks_do_not_fit_each_block_takes_the_oldest(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """More was included than a block's checks allow: one candidate after the other is accepted."""
    world = checked_world()
    world.include(3, 4)
    wait_for_all(world)
    records = world.api.included_candidates(world.state)
    waiting = sorted(records, key=lambda each: (each.included_in, each.core))
    said = {each.key(): everything_of(each, *first(each, 5)) for each in waiting}
    room = checks_weight(said[waiting[0].key()])
    monkeypatch.setattr(sanitize_module, "MAX_CHECKS_WEIGHT", room)
    for oldest in tuple(waiting):
        given = NoteChecks(tuple(said[each.key()] for each in waiting))
        kept = sanitize(world.host, world.state, world.data(), given)
        world.add_block(kept.inherent, checks=kept.checks.checks)
        assert accepted(world) == [oldest.receipt.hash()]
        waiting.remove(oldest)
    assert not waiting


def everything_of(record: IncludedCandidate, *validators: int) -> SecondaryChecks:
    """Those validators say that they check it, and that it is valid."""
    approvals = approved(record, *validators).approvals
    return replace(announced(record, *validators), approvals=approvals)


# Whatever an author is given, what it keeps is accepted


def parts(checks: Iterable[SecondaryChecks]) -> set[Assignment | Approval]:
    return {part for each in checks for part in each.assignments} | {
        part for each in checks for part in each.approvals
    }


Deed = tuple[bool, int, int, int]
deeds = st.lists(
    st.tuples(st.booleans(), st.integers(0, 1), st.integers(0, VALIDATORS), st.integers(0, 5)),
    max_size=12,
)


@settings(max_examples=25, deadline=None)
@given(st.lists(deeds, min_size=1, max_size=3))
def test_what_is_kept_of_checks_is_always_accepted(
    blocks: list[list[tuple[bool, int, int, int]]],
) -> None:
    world = checked_world()
    for given_ in blocks:
        checks = []
        for announces, core, validator, spoilt in given_:
            record = candidate(world, core)
            who = min(validator, VALIDATORS - 1)
            made = announced(record, who) if announces else approved(record, who)
            if spoilt == 0:
                made = replace(made, session=SessionIndex(U32(3)))
            if spoilt == 1 and announces:
                made = with_cert(made, vrf_proof=H512(bytes(64)))
            checks.append(made)
        given_notes = NoteChecks(tuple(checks))
        kept = sanitize(world.host, world.state, world.data(), given_notes).checks.checks
        assert parts(kept) <= parts(checks)
        world.add_block(checks=kept)
