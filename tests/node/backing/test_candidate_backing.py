"""Candidate Backing among scripted neighbours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from parahost.crypto import sr25519
from parahost.node.backing.candidate_backing import CandidateBacking
from parahost.node.messages.availability import QueryPoV, StoreAvailableData, Stored
from parahost.node.messages.backing import (
    CollationInvalid,
    CollationSeconded,
    CollationUndecided,
    DistributePoV,
    FetchPoV,
    RegisterBackingWatcher,
    Second,
    Share,
    StatementReceived,
)
from parahost.node.messages.base import Message
from parahost.node.messages.utility import (
    CandidateInvalid,
    CandidateUndecided,
    CandidateValid,
    ProvisionBackable,
    ReportMisbehavior,
    ValidateCandidate,
)
from parahost.node.messages.validity import BarredCandidates
from parahost.ports import ContradictionRefused, ExecutionKind, KeyType, promises
from parahost.primitives.approval import approval_payload
from parahost.primitives.basic import U32, CandidateHash, ParaId, SessionIndex
from parahost.primitives.candidates import AvailableData, CommittedCandidateReceipt
from parahost.primitives.misbehavior import CandidateValidityDisagreement
from parahost.primitives.runtime_api import OccupiedCore, OccupiedCoreAssumption
from parahost.primitives.statements import (
    BackedCandidate,
    Implicit,
    Invalid,
    Seconded,
    SignedStatement,
    SigningContext,
    Valid,
    statement_payload,
)
from parahost.runtime import api
from parahost.storage import MemoryDatabase
from tests.node.backing.world import (
    CODE,
    GROUPS,
    OCCUPIED_PARA,
    OTHER_RELAY_PARENT,
    PARA,
    RELAY_PARENT,
    SESSION,
    THREAD,
    VALIDATORS,
    Silent,
    Stage,
    candidate,
    cores,
    invalid,
    keystore,
    on_stage,
    pov,
    runtime_answers,
    seconded,
    sign,
    valid,
    validation_data,
    validator,
)

A, B = candidate(1), candidate(2)
POVS = {receipt.descriptor.pov_hash: pov(number) for number, receipt in ((1, A), (2, B))}
FREE, INCLUDED = OccupiedCoreAssumption.FREE, OccupiedCoreAssumption.INCLUDED


def valid_outcome(request: ValidateCandidate) -> CandidateValid:
    return CandidateValid(A.commitments, request.validation_data)


def silence(_: Message) -> Any:
    raise Silent


def neighbours(**changes: Callable[[Any], Any]) -> dict[type[Message], Callable[[Any], Any]]:
    """All goes well, but for what is changed: ``validate``, ``store``, ``fetch``."""
    return {
        ValidateCandidate: changes.get("validate", valid_outcome),
        StoreAvailableData: changes.get("store", lambda request: Stored.KEPT),
        FetchPoV: changes.get("fetch", lambda request: POVS[request.descriptor.pov_hash]),
    }


def disputed(*candidates: CandidateHash) -> Callable[[BarredCandidates], Any]:
    return lambda request: frozenset(candidates).intersection(request.candidates)


def second(receipt: CommittedCandidateReceipt = A, number: int = 1) -> Second:
    return Second(receipt.descriptor.relay_parent, receipt, pov(number))


def received(*statements: SignedStatement) -> list[Message]:
    return [StatementReceived(RELAY_PARENT, signed) for signed in statements]


def shared(stage: Stage) -> list[SignedStatement]:
    return [message.statement for message in stage.heard(Share)]


# Jobs


@pytest.mark.guide("A73")
async def test_without_a_key_nothing_is_judged_but_all_is_counted() -> None:
    async with on_stage(CandidateBacking(keystore()), answers=neighbours()) as stage:
        await stage.say(*received(seconded(2, A), valid(0, A)))
        assert stage.heard(FetchPoV) == [] and stage.heard(Share) == []
        assert [each.candidate.candidate for each in stage.heard(ProvisionBackable)] == [A]


@pytest.mark.guide("A57", "A73")
async def test_who_is_disabled_judges_nothing_and_counts_what_others_say() -> None:
    """The chain would not take what it signs."""
    disabled = {api.disabled_validators: lambda: frozenset({GROUPS[0][1]})}
    async with on_stage(
        CandidateBacking(keystore(0)),
        answers=neighbours(),
        runtime=runtime_answers() | disabled,
    ) as stage:
        await stage.say(second(), *received(seconded(2, B), valid(1, B)))
        assert stage.heard(FetchPoV) == [] and stage.heard(Share) == []
        assert [each.candidate for each in stage.heard(CollationUndecided)] == [A.to_plain()]
        assert [each.candidate.candidate for each in stage.heard(ProvisionBackable)] == [B]


@pytest.mark.guide("A57", "A74")
async def test_what_the_disabled_put_forward_is_nobodys_work() -> None:
    """They have nothing to lose by it. Whoever else seconds the same is heard."""
    disabled = {api.disabled_validators: lambda: frozenset({GROUPS[0][0]})}
    async with on_stage(
        CandidateBacking(keystore(0)),
        answers=neighbours(),
        runtime=runtime_answers() | disabled,
    ) as stage:
        await stage.say(*received(seconded(2, A), seconded(2, B)))
        assert stage.heard(FetchPoV) == [] and stage.heard(Share) == []
        await stage.say(*received(seconded(1, A)))
        assert [signed.statement for signed in shared(stage)] == [Valid(A.hash())]
        assert [each.candidate.candidate for each in stage.heard(ProvisionBackable)] == [A]


@pytest.mark.guide("A73")
async def test_the_groups_rotation_decides_what_is_judged() -> None:
    runtime = runtime_answers(rotations=1)  # core 0 is group 2's, core 1 is group 0's
    async with on_stage(
        CandidateBacking(keystore(5)), answers=neighbours(), runtime=runtime
    ) as stage:
        await stage.say(second())
        assert [signed.statement for signed in shared(stage)] == [Seconded(A)]


@pytest.mark.guide("A72", "A80")
async def test_relay_parents_are_apart_and_end_with_their_work() -> None:
    subsystem = CandidateBacking(keystore(0))
    elsewhere = candidate(2, relay_parent=OTHER_RELAY_PARENT)
    heads = (RELAY_PARENT, OTHER_RELAY_PARENT)
    async with on_stage(subsystem, answers=neighbours(), heads=heads) as stage:
        await stage.say(second(A, 1), second(elsewhere, 2))
        assert {message.relay_parent for message in stage.heard(Share)} == set(heads)

        await stage.move_on()
        assert RELAY_PARENT not in subsystem._jobs
        await stage.say(*received(seconded(2, B)))
        assert stage.heard(FetchPoV) == []


@pytest.mark.guide("A72")
async def test_judging_stops_with_the_relay_parent() -> None:
    held: list[ValidateCandidate] = []

    def hold(request: ValidateCandidate) -> Any:
        held.append(request)
        raise Silent

    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours(validate=hold)) as stage:
        await stage.say(second())
        await stage.move_on()
        held[0].reply.answer(valid_outcome(held[0]))
        await stage.rest()
        assert stage.heard(Share) == [] and stage.heard(StoreAvailableData) == []
        assert stage.journal().count("backing.abandoned") == 1


# Seconding


@pytest.mark.guide("A75", "A77", "A111", "A116")
async def test_a_recommended_candidate_is_validated_stored_and_seconded() -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours()) as stage:
        await stage.say(second())

        (request,) = stage.heard(ValidateCandidate)
        assert request.descriptor == A.descriptor
        assert request.commitments_hash == A.commitments.hash()
        assert (request.validation_data, request.code) == (validation_data(FREE), CODE)
        assert (request.pov, request.kind) == (pov(1), ExecutionKind.BACKING)

        (stored,) = stage.heard(StoreAvailableData)
        assert stored.candidate == A.hash()
        assert stored.data == AvailableData(pov(1), validation_data(FREE))
        assert stored.erasure_root == A.descriptor.erasure_root
        assert (stored.validators, stored.own) == (VALIDATORS, 0)

        (signed,) = shared(stage)
        assert signed.statement == Seconded(A) and signed.validator_index == 0
        payload = statement_payload(Seconded, A.hash(), SigningContext(SESSION, RELAY_PARENT))
        assert sr25519.verify(validator(0).public, payload, signed.signature)

        order = [type(message) for message in stage.neighbours.heard]
        assert order.index(StoreAvailableData) < order.index(DistributePoV) < order.index(Share)
        assert stage.heard(CollationSeconded) == [CollationSeconded(RELAY_PARENT, A.to_plain())]


@pytest.mark.guide("A75")
async def test_nothing_is_signed_before_the_data_are_stored() -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours(store=silence)) as stage:
        await stage.say(second())
        assert stage.heard(StoreAvailableData) and not stage.heard(Share)


@pytest.mark.guide("A77")
async def test_one_candidate_is_seconded_per_relay_parent() -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours()) as stage:
        await stage.say(second(A, 1))
        await stage.say(second(B, 2))
        assert [signed.statement for signed in shared(stage)] == [Seconded(A)]
        assert [message.candidate for message in stage.heard(CollationSeconded)] == [A.to_plain()]
        assert {m.candidate for m in stage.heard(CollationUndecided)} == {B.to_plain()}


@pytest.mark.guide("A77")
async def test_of_two_that_are_judged_at_once_one_is_seconded() -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours()) as stage:
        await stage.say(second(A, 1), second(B, 2))
        assert len(shared(stage)) == 1
        assert len(stage.heard(CollationSeconded)) == len(stage.heard(CollationUndecided)) == 1


@pytest.mark.guide("A77")
async def test_what_we_said_valid_of_is_not_seconded() -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours()) as stage:
        await stage.say(*received(seconded(2, A)))
        await stage.say(second())
        assert [signed.statement for signed in shared(stage)] == [Valid(A.hash())]
        assert len(stage.heard(CollationSeconded)) == 1, "the collator did well all the same"


@pytest.mark.guide("A75", "A77")
async def test_what_we_seconded_is_not_called_valid_too() -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours()) as stage:
        await stage.say(second())
        await stage.say(*received(seconded(2, A), valid(1, A)))
        assert [signed.statement for signed in shared(stage)] == [Seconded(A)]


@pytest.mark.guide("A77")
async def test_the_collators_copy_serves_when_the_pov_cannot_be_fetched() -> None:
    held: list[FetchPoV] = []

    def hold(request: FetchPoV) -> Any:
        held.append(request)
        raise Silent

    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours(fetch=hold)) as stage:
        await stage.say(*received(seconded(2, A)))
        await stage.say(second())
        held[0].reply.answer(pov(1))
        await stage.rest()
        assert [signed.statement for signed in shared(stage)] == [Seconded(A)]
        assert len(stage.heard(ValidateCandidate)) == 1


@pytest.mark.guide("A77")
@pytest.mark.parametrize("own", [Seconded(A), Valid(A.hash())])
async def test_a_dispute_vote_against_an_own_statement_is_refused(own: Any) -> None:
    """Also by a node that remembers nothing but its promises; a vote for it is signed."""
    database, key = MemoryDatabase(), validator(0).public
    backing = CandidateBacking(keystore(0, database=database))
    async with on_stage(backing, answers=neighbours()) as stage:
        await stage.say(second() if isinstance(own, Seconded) else received(seconded(2, A))[0])
        assert [signed.statement for signed in shared(stage)] == [own]
    keys = keystore(0, database=database.crash())

    def vote(valid: bool) -> bool:
        payload = approval_payload(A.hash(), SessionIndex(U32(SESSION)), valid=valid)
        bound = [promises.verdict(A.hash(), valid=valid)]
        return sr25519.verify(key, payload, keys.sign(KeyType.PARACHAIN, key, payload, bound))

    with pytest.raises(ContradictionRefused):
        vote(valid=False)
    assert vote(valid=True)


@pytest.mark.guide("A77")
@pytest.mark.parametrize("before", [Seconded(A), Valid(A.hash())])
async def test_after_a_restart_the_same_is_said_again_and_nothing_else(before: Any) -> None:
    database = MemoryDatabase()
    async with on_stage(
        CandidateBacking(keystore(0, database=database)), answers=neighbours()
    ) as stage:
        await stage.say(second() if isinstance(before, Seconded) else received(seconded(2, A))[0])
        (first,) = shared(stage)
        assert first.statement == before

    # The node forgets everything but what is on its disk, and the world turns against it.
    async with on_stage(
        CandidateBacking(keystore(0, database=database.crash())), answers=neighbours()
    ) as stage:
        if isinstance(before, Seconded):
            await stage.say(second(B, 2))
            await stage.say(*received(seconded(2, A)))
        else:
            await stage.say(second())
        assert stage.heard(Share) == []
        assert "backing.refused" in stage.journal()

    async with on_stage(
        CandidateBacking(keystore(0, database=database.crash())), answers=neighbours()
    ) as stage:
        await stage.say(second() if isinstance(before, Seconded) else received(seconded(2, A))[0])
        assert shared(stage) == [first]


@pytest.mark.guide("A77")
async def test_our_own_statement_of_before_a_restart_is_learned_from_peers() -> None:
    answers = {**neighbours(), QueryPoV: lambda query: pov(1)}
    async with on_stage(CandidateBacking(keystore(0)), answers=answers) as stage:
        await stage.say(*received(seconded(0, A)))
        assert stage.heard(FetchPoV) == []
        assert stage.heard(DistributePoV) == [DistributePoV(RELAY_PARENT, A.hash(), PARA, pov(1))]
        await stage.say(second(B, 2))
        assert stage.heard(Share) == []
        await stage.say(*received(valid(1, A)))
        assert len(stage.heard(ProvisionBackable)) == 1


# Invalid and undecided


@pytest.mark.guide("A79")
async def test_a_recommended_candidate_that_is_invalid_is_reported_and_nothing_is_signed() -> None:
    bad = neighbours(validate=lambda request: CandidateInvalid("a trap"))
    async with on_stage(CandidateBacking(keystore(0)), answers=bad) as stage:
        await stage.say(second())
        assert stage.heard(CollationInvalid) == [
            CollationInvalid(RELAY_PARENT, A.to_plain(), "a trap")
        ]
        assert stage.heard(Share) == [] and stage.heard(StoreAvailableData) == []
        assert stage.heard(DistributePoV) == []


@pytest.mark.guide("A75", "A79")
async def test_a_wrong_erasure_root_is_the_candidates_fault() -> None:
    wrong = candidate(1, erasure_root=bytes(32))
    async with on_stage(
        CandidateBacking(keystore(0)), answers=neighbours(store=lambda request: Stored.WRONG_ROOT)
    ) as stage:
        await stage.say(second(wrong, 1))
        assert [message.candidate for message in stage.heard(CollationInvalid)] == [
            wrong.to_plain()
        ]
        await stage.say(*received(seconded(2, wrong)))
        assert [signed.statement for signed in shared(stage)] == [Invalid(wrong.hash())]


async def test_a_full_disk_is_nobodys_fault() -> None:
    async with on_stage(
        CandidateBacking(keystore(0)), answers=neighbours(store=lambda request: Stored.REFUSED)
    ) as stage:
        await stage.say(second())
        assert stage.heard(CollationUndecided) and not stage.heard(CollationInvalid)
        await stage.say(*received(seconded(2, B)))
        assert stage.heard(Share) == []


async def test_a_para_without_validation_data_is_nobodys_fault() -> None:
    runtime = {**runtime_answers(), api.persisted_validation_data: lambda *_: None}
    async with on_stage(
        CandidateBacking(keystore(0)), answers=neighbours(), runtime=runtime
    ) as stage:
        await stage.say(second(), *received(seconded(2, B)))
        assert stage.heard(CollationUndecided) and not stage.heard(CollationInvalid)
        assert stage.heard(FetchPoV) == []


@pytest.mark.guide("A75")
async def test_undecided_signs_nothing() -> None:
    unsure = neighbours(validate=lambda request: CandidateUndecided("the worker was killed"))
    async with on_stage(CandidateBacking(keystore(0)), answers=unsure) as stage:
        await stage.say(second(), *received(seconded(2, B)))
        assert stage.heard(CollationUndecided) == [
            CollationUndecided(RELAY_PARENT, A.to_plain(), "the worker was killed")
        ]
        assert len(stage.heard(ValidateCandidate)) == 2
        assert stage.heard(Share) == []


@pytest.mark.guide("A75", "A79")
async def test_what_is_disputed_is_not_vouched_for() -> None:
    """Neither seconded nor called valid; and nothing is held against it: a dispute decides that."""
    answers = {**neighbours(), BarredCandidates: disputed(A.hash())}
    async with on_stage(CandidateBacking(keystore(0)), answers=answers) as stage:
        await stage.say(second(), *received(seconded(2, A)))
        assert stage.heard(CollationUndecided) and not stage.heard(CollationInvalid)
        assert not stage.heard(Share) and not stage.heard(StoreAvailableData)
        await stage.say(*received(seconded(2, B)))
        assert [signed.statement for signed in shared(stage)] == [Valid(B.hash())]


async def test_nothing_is_put_on_a_candidate_that_is_disputed() -> None:
    """It is on the core still; if it is invalid, what is made on it is never included."""
    (below,) = (core.candidate_hash for core in cores() if isinstance(core, OccupiedCore))
    ahead = candidate(1, para=OCCUPIED_PARA, assumption=INCLUDED)
    for barred, said in ((below,), []), ((), [Seconded(ahead)]):
        answers = {**neighbours(), BarredCandidates: disputed(*barred)}
        async with on_stage(CandidateBacking(keystore(3)), answers=answers) as stage:
            await stage.say(second(ahead, 1))
            assert [signed.statement for signed in shared(stage)] == said
            (asked,) = stage.heard(BarredCandidates)
            assert asked.candidates == (ahead.hash(), below)


async def test_an_invalid_candidate_is_called_so_though_it_is_disputed() -> None:
    bad = {
        **neighbours(validate=lambda request: CandidateInvalid("a trap")),
        BarredCandidates: disputed(A.hash()),
    }
    async with on_stage(CandidateBacking(keystore(0)), answers=bad) as stage:
        await stage.say(*received(seconded(2, A)))
        assert [signed.statement for signed in shared(stage)] == [Invalid(A.hash())]


# Other validators' candidates


@pytest.mark.guide("A74", "A75")
async def test_an_unknown_candidate_of_our_para_is_fetched_validated_stored_and_voted_for() -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours()) as stage:
        await stage.say(*received(seconded(2, A)))
        (fetch,) = stage.heard(FetchPoV)
        assert (fetch.relay_parent, fetch.candidate) == (RELAY_PARENT, A.hash())
        assert fetch.descriptor == A.descriptor
        assert fetch.max_pov_size == validation_data(FREE).max_pov_size
        assert [signed.statement for signed in shared(stage)] == [Valid(A.hash())]
        order = [type(message) for message in stage.neighbours.heard]
        assert order.index(StoreAvailableData) < order.index(Share)
        assert stage.heard(DistributePoV) == [DistributePoV(RELAY_PARENT, A.hash(), PARA, pov(1))]


@pytest.mark.guide("A75")
async def test_an_invalid_candidate_of_another_is_called_so() -> None:
    bad = neighbours(validate=lambda request: CandidateInvalid("a trap"))
    async with on_stage(CandidateBacking(keystore(0)), answers=bad) as stage:
        await stage.say(*received(seconded(2, A)))
        assert [signed.statement for signed in shared(stage)] == [Invalid(A.hash())]
        assert stage.heard(StoreAvailableData) == []


@pytest.mark.guide("A74")
async def test_a_candidate_is_judged_once_however_many_second_it() -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours()) as stage:
        await stage.say(*received(seconded(2, A), seconded(1, A)))
        assert len(stage.heard(FetchPoV)) == len(stage.heard(Share)) == 1


@pytest.mark.guide("A74", "A80")
@pytest.mark.parametrize(
    "statement",
    [
        seconded(3, candidate(1, para=OCCUPIED_PARA, assumption=INCLUDED)),
        sign(2, Seconded(candidate(1, relay_parent=OTHER_RELAY_PARENT))),
        seconded(5, A),
        seconded(2, candidate(1, para=ParaId(U32(999)))),
    ],
    ids=["another group's", "another relay parent", "not of the group", "no core"],
)
async def test_what_is_not_ours_is_not_judged(statement: SignedStatement) -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours()) as stage:
        await stage.say(*received(statement))
        assert stage.heard(FetchPoV) == [] and stage.heard(Share) == []


@pytest.mark.guide("A80")
async def test_a_collation_for_another_relay_parent_or_para_is_refused() -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours()) as stage:
        for receipt in (
            candidate(1, relay_parent=OTHER_RELAY_PARENT),
            candidate(1, para=OCCUPIED_PARA),
        ):
            await stage.say(Second(RELAY_PARENT, receipt, pov(1)))
        assert len(stage.heard(CollationInvalid)) == 2
        assert stage.heard(ValidateCandidate) == []


@pytest.mark.guide("A80")
async def test_on_a_thread_only_the_claims_collator_counts() -> None:
    async with on_stage(CandidateBacking(keystore(5)), answers=neighbours()) as stage:
        await stage.say(second(candidate(1, para=THREAD, by=8), 1))
        assert stage.heard(CollationInvalid) and not stage.heard(ValidateCandidate)
        await stage.say(second(candidate(1, para=THREAD, by=9), 1))
        assert stage.heard(CollationSeconded)


@pytest.mark.guide("A80", "A116")
async def test_on_an_occupied_core_the_next_candidate_follows_the_pending_one() -> None:
    ahead = candidate(1, para=OCCUPIED_PARA, assumption=INCLUDED)
    async with on_stage(CandidateBacking(keystore(3)), answers=neighbours()) as stage:
        await stage.say(second(ahead, 1))
        (request,) = stage.heard(ValidateCandidate)
        assert request.validation_data == validation_data(INCLUDED)
        assert stage.heard(CollationSeconded)


# Quorum, watchers, misbehaviour


@pytest.mark.guide("A76", "A113")
async def test_a_majority_of_the_group_makes_it_backable() -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours()) as stage:
        theirs = seconded(2, A)
        await stage.say(*received(theirs))
        (mine,) = shared(stage)
        (provided,) = stage.heard(ProvisionBackable)
        assert provided.relay_parent == RELAY_PARENT and provided.candidate.candidate == A
        in_group = [GROUPS[0][bit] for bit in provided.candidate.validator_indices.ones()]
        assert in_group == [2, 0]
        votes = provided.candidate.validity_votes
        assert votes[0] == Implicit(theirs.signature)
        assert [vote.signature for vote in votes] == [theirs.signature, mine.signature]

        await stage.say(*received(valid(1, A)))
        assert len(stage.heard(ProvisionBackable)) == 1


@pytest.mark.guide("A76")
async def test_a_group_of_one_backs_alone() -> None:
    async with on_stage(CandidateBacking(keystore(5)), answers=neighbours()) as stage:
        await stage.say(second(candidate(1, para=THREAD), 1))
        assert len(stage.heard(ProvisionBackable)) == 1


@pytest.mark.guide("A76", "A79")
async def test_invalid_votes_back_nothing() -> None:
    bad = neighbours(validate=lambda request: CandidateInvalid("a trap"))
    async with on_stage(CandidateBacking(keystore(0)), answers=bad) as stage:
        await stage.say(*received(seconded(2, A), invalid(1, A)))
        assert stage.heard(ProvisionBackable) == []


@pytest.mark.guide("A78")
async def test_watchers_hear_of_what_is_backable_and_of_what_becomes_so() -> None:
    early: list[BackedCandidate] = []
    late: list[BackedCandidate] = []
    async with on_stage(CandidateBacking(keystore()), answers=neighbours()) as stage:
        await stage.say(RegisterBackingWatcher(RELAY_PARENT, early.append))
        assert early == []
        await stage.say(*received(seconded(2, A), valid(0, A)))
        assert [backed.candidate for backed in early] == [A]

        await stage.say(RegisterBackingWatcher(RELAY_PARENT, late.append))
        assert late == early, "fired at once"
        other = candidate(3, para=OCCUPIED_PARA)
        await stage.say(*received(seconded(3, other), valid(4, other)))
        assert [backed.candidate for backed in late] == [A, other]
        assert early == late


@pytest.mark.guide("A75", "A109")
async def test_our_own_contradiction_to_others_is_escalated() -> None:
    bad = neighbours(validate=lambda request: CandidateInvalid("a trap"))
    async with on_stage(CandidateBacking(keystore(0)), answers=bad) as stage:
        theirs = seconded(2, A)
        await stage.say(*received(theirs))
        (mine,) = shared(stage)
        (message,) = stage.heard(ReportMisbehavior)
        assert message.report == CandidateValidityDisagreement(
            SigningContext(SESSION, RELAY_PARENT),
            A.hash(),
            (mine.to_compact(), theirs.to_compact()),
        )


@pytest.mark.parametrize("seed", range(4))
async def test_whoever_is_served_first_the_outcome_is_the_same(seed: int) -> None:
    async with on_stage(CandidateBacking(keystore(0)), answers=neighbours(), seed=seed) as stage:
        await stage.say(second(B, 2), *received(seconded(2, A), valid(1, A)))
        assert {type(signed.statement) for signed in shared(stage)} == {Seconded, Valid}
        assert [p.candidate.candidate for p in stage.heard(ProvisionBackable)] == [A]
