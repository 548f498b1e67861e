"""Candidate Checking: one judgement of a candidate, from data and code (D22)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from parahost.node.messages.availability import RecoverAvailableData, RecoveryFailure
from parahost.node.messages.base import Message
from parahost.node.messages.utility import (
    CandidateInvalid,
    CandidateUndecided,
    CandidateValid,
    RuntimeApiRequest,
    ValidateCandidate,
    ValidationOutcome,
)
from parahost.node.messages.validity import CheckCandidate, CheckOutcome, CheckVerdict
from parahost.node.overseer import Scope, Subsystem
from parahost.node.validity.candidate_checking import (
    CHECKS_AT_ONCE,
    OUTCOMES_KEPT,
    CandidateChecking,
)
from parahost.node.validity.disputes.participation import MAX_CHECKS
from parahost.ports import ExecutionKind
from parahost.primitives.approval import ApprovalParameters
from parahost.primitives.basic import (
    H256,
    U32,
    Hash,
    SessionIndex,
    ValidationCode,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.candidates import AvailableData
from parahost.primitives.runtime_api import OccupiedCoreAssumption, SessionInfo
from parahost.runtime import api
from tests.node.backing.world import (
    CODE,
    GROUPS,
    SESSION,
    VALIDATORS,
    Silent,
    Stage,
    candidate,
    on_stage,
    pov,
    runtime_answers,
    validation_data,
    validator,
)

KNOWN_AT = Hash(H256(b"\x33" * 32))
FORK_THAT_WENT = Hash(H256(b"\x44" * 32))
IDS = tuple(ValidatorId(H256(validator(index).public)) for index in range(VALIDATORS))
BACKERS = (ValidatorIndex(U32(2)), ValidatorIndex(U32(0)))
APPROVAL = ApprovalParameters(*map(U32, (2, 1, 4, 0, 2, 2)))
INFO = SessionInfo(SESSION, IDS, GROUPS, U32(3), APPROVAL)
DATA = AvailableData(pov(), validation_data(OccupiedCoreAssumption.FREE))
VALID = CandidateValid(candidate().commitments, DATA.validation_data)


def request(number: int = 0, *, known_at: Hash = KNOWN_AT, **changes: Any) -> CheckCandidate:
    receipt = candidate(number, **changes).to_plain()
    return CheckCandidate(receipt, SESSION, BACKERS, known_at)


def chain(asked: RuntimeApiRequest[Any]) -> Any:
    """``KNOWN_AT``, which is no leaf, knows session and code."""
    if asked.relay_parent == KNOWN_AT:
        return {
            (api.session_info, SESSION): INFO,
            (api.validation_code_by_hash, candidate().descriptor.validation_code_hash): CODE,
        }.get((asked.function, *asked.args))
    if asked.relay_parent == FORK_THAT_WENT:
        asked.reply.drop()
        raise Silent
    return None


def leaf_that_knows(
    session: SessionInfo | None, code: ValidationCode | None
) -> dict[Callable[..., Any], Callable[..., Any]]:
    asked: dict[Callable[..., Any], Callable[..., Any]] = {
        api.session_info: lambda index: session,
        api.validation_code_by_hash: lambda code_hash: code,
    }
    return runtime_answers() | asked


def world(
    data: AvailableData | RecoveryFailure = DATA, outcome: ValidationOutcome = VALID
) -> dict[type[Message], Callable[[Any], Any]]:
    return {
        RuntimeApiRequest: chain,
        RecoverAvailableData: lambda asked: data,
        ValidateCandidate: lambda asked: outcome,
    }


class Asker(Subsystem):
    """Asks in jobs that may be ended."""

    name = "asker"
    sends = (CheckCandidate,)

    def on_message(self, message: Message) -> None:
        raise AssertionError(message)

    def ask(self, scope: Scope, asked: CheckCandidate) -> None:
        async def wait() -> None:
            await self.ctx.ask(asked)

        self.ctx.spawn(scope, wait, "ask")


async def answer(stage: Stage, asked: CheckCandidate) -> CheckOutcome:
    await stage.say(asked)
    return asked.reply.value


async def test_data_and_code_make_the_verdict() -> None:
    async with on_stage(CandidateChecking(), answers=world()) as stage:
        outcome = await answer(stage, request())
        assert outcome == CheckOutcome(CheckVerdict.VALID, "executed")
        (recovered,) = stage.heard(RecoverAvailableData)
        assert (recovered.receipt, recovered.validators) == (candidate().to_plain(), IDS)
        (judged,) = stage.heard(ValidateCandidate)
        assert judged.descriptor == candidate().descriptor
        assert judged.commitments_hash == candidate().commitments.hash()
        assert (judged.pov, judged.validation_data) == (DATA.pov, DATA.validation_data)
        assert (judged.code, judged.criteria) == (CODE, None)
        assert judged.kind is ExecutionKind.CHECKING


@pytest.mark.parametrize(
    ("data", "outcome", "verdict"),
    [
        (RecoveryFailure.INVALID, VALID, CheckVerdict.INVALID),
        (RecoveryFailure.UNAVAILABLE, VALID, CheckVerdict.UNAVAILABLE),
        (DATA, CandidateInvalid("it traps"), CheckVerdict.INVALID),
        (DATA, CandidateUndecided("no worker"), CheckVerdict.UNDECIDED),
    ],
)
async def test_what_becomes_of_it(
    data: AvailableData | RecoveryFailure, outcome: ValidationOutcome, verdict: CheckVerdict
) -> None:
    """A wrong root is a verdict, a lack of data is none, and this machine's trouble is none."""
    async with on_stage(CandidateChecking(), answers=world(data, outcome)) as stage:
        found = await answer(stage, request())
        assert found.verdict is verdict
        decisive = data if isinstance(data, RecoveryFailure) else outcome
        assert found.reason == (
            decisive.value if isinstance(decisive, RecoveryFailure) else decisive.reason  # type: ignore[union-attr]
        )
        assert stage.journal() == [f"checking.{verdict.value}"]


async def test_those_who_ask_at_the_same_time_share_one_check() -> None:
    answers = world()
    del answers[RecoverAvailableData]
    async with on_stage(CandidateChecking(), answers=answers) as stage:
        asked = [request(), request(), request()]
        await stage.say(*asked)
        assert not any(each.reply.settled for each in asked)
        (recovering,) = stage.heard(RecoverAvailableData)
        recovering.reply.answer(DATA)
        await stage.rest()
        assert [each.reply.value.verdict for each in asked] == [CheckVerdict.VALID] * 3


@pytest.mark.parametrize("data", [DATA, RecoveryFailure.INVALID])
async def test_a_verdict_stays_known(data: AvailableData | RecoveryFailure) -> None:
    async with on_stage(CandidateChecking(), answers=world(data)) as stage:
        first = await answer(stage, request())
        assert await answer(stage, request(known_at=FORK_THAT_WENT)) == first
        assert len(stage.heard(RecoverAvailableData)) == 1


@pytest.mark.parametrize(
    ("data", "outcome"),
    [(RecoveryFailure.UNAVAILABLE, VALID), (DATA, CandidateUndecided("no worker"))],
)
async def test_what_is_no_verdict_is_tried_again(
    data: AvailableData | RecoveryFailure, outcome: ValidationOutcome
) -> None:
    async with on_stage(CandidateChecking(), answers=world(data, outcome)) as stage:
        await answer(stage, request())
        stage.neighbours.answers |= world()
        assert (await answer(stage, request())).verdict is CheckVerdict.VALID


async def test_the_verdicts_that_stay_known_are_bounded() -> None:
    checking = CandidateChecking()
    async with on_stage(checking, answers=world()) as stage:
        receipt = candidate().to_plain()
        for number in range(OUTCOMES_KEPT + 10):
            other = replace(receipt, commitments_hash=H256(number.to_bytes(32, "little")))
            await stage.say(CheckCandidate(other, SESSION, BACKERS, KNOWN_AT))
        assert len(checking._found) == OUTCOMES_KEPT
        assert checking._asking == {}


async def test_so_many_are_checked_at_a_time_and_the_others_in_order() -> None:
    answers = world()
    del answers[RecoverAvailableData]
    async with on_stage(CandidateChecking(), answers=answers) as stage:
        asked = [request(number) for number in range(CHECKS_AT_ONCE + 2)]
        await stage.say(*asked)
        recovering = stage.heard(RecoverAvailableData)
        assert {each.receipt.hash() for each in recovering} == {
            each.receipt.hash() for each in asked[:CHECKS_AT_ONCE]
        }
        recovering[5].reply.answer(RecoveryFailure.UNAVAILABLE)
        await stage.rest()
        assert stage.heard(RecoverAvailableData)[-1].receipt == asked[CHECKS_AT_ONCE].receipt


async def test_what_is_disputed_does_not_wait_behind_approvals() -> None:
    """Nor if its approval was to be checked already. Of disputes the first one comes first."""
    answers = world()
    del answers[RecoverAvailableData]
    async with on_stage(CandidateChecking(), answers=answers) as stage:
        await stage.say(*[request(number) for number in range(CHECKS_AT_ONCE)])
        approvals = [request(number) for number in range(100, 103)]
        disputed, also = request(200), request(102)
        disputed.is_disputed = also.is_disputed = True
        await stage.say(*approvals, disputed, also)
        for recovering in stage.heard(RecoverAvailableData)[:4]:
            recovering.reply.answer(RecoveryFailure.UNAVAILABLE)
            await stage.rest()
        begun = [each.receipt for each in stage.heard(RecoverAvailableData)[CHECKS_AT_ONCE:]]
        wanted = (approvals[2], disputed, approvals[0], approvals[1])
        assert begun == [each.receipt for each in wanted]


def test_disputes_leave_the_approvals_most_of_the_places() -> None:
    assert 4 * MAX_CHECKS <= CHECKS_AT_ONCE


async def test_what_nobody_waits_for_any_more_is_not_begun() -> None:
    """Finality has left the fork that had it. Whoever asks again is served."""
    answers = world()
    del answers[RecoverAvailableData]
    asker = Asker()
    async with on_stage(CandidateChecking(), asker, answers=answers) as stage:
        before = [request(number) for number in range(CHECKS_AT_ONCE)]
        await stage.say(*before)
        fork, last = Scope(), request(101)
        asker.ask(fork, request(100))
        await stage.rest()
        await stage.say(last)
        fork.end()
        await stage.rest()
        recovering = stage.heard(RecoverAvailableData)
        recovering[0].reply.answer(DATA)
        await stage.rest()
        assert stage.heard(RecoverAvailableData)[-1].receipt == last.receipt
        assert len(stage.heard(RecoverAvailableData)) == CHECKS_AT_ONCE + 1
        again = request(100)
        await stage.say(again)
        recovering[1].reply.answer(DATA)
        await stage.rest()
        assert stage.heard(RecoverAvailableData)[-1].receipt == again.receipt


async def test_a_question_that_nobody_answers_holds_no_place() -> None:
    answers = world()

    def drop(asked: RecoverAvailableData) -> None:
        asked.reply.drop()
        raise Silent

    async with on_stage(
        CandidateChecking(), answers=answers | {RecoverAvailableData: drop}
    ) as stage:
        for _ in range(CHECKS_AT_ONCE + 1):
            assert (await answer(stage, request())).verdict is CheckVerdict.UNDECIDED
        stage.neighbours.answers |= answers
        assert (await answer(stage, request())).verdict is CheckVerdict.VALID


# What it is judged by


async def test_when_a_fork_has_gone_the_leaves_are_asked() -> None:
    """The block that was named is forgotten; a leaf knows session and code too."""
    leaf = leaf_that_knows(INFO, CODE)
    async with on_stage(CandidateChecking(), answers=world(), runtime=leaf) as stage:
        outcome = await answer(stage, request(known_at=FORK_THAT_WENT))
        assert outcome.verdict is CheckVerdict.VALID


@pytest.mark.parametrize("unknown", [api.session_info, api.validation_code_by_hash])
async def test_by_what_nobody_knows_nothing_is_judged(unknown: Callable[..., Any]) -> None:
    def knows_the_other(asked: RuntimeApiRequest[Any]) -> Any:
        return None if asked.function is unknown else chain(asked)

    answers, leaf = world() | {RuntimeApiRequest: knows_the_other}, leaf_that_knows(None, None)
    async with on_stage(CandidateChecking(), answers=answers, runtime=leaf) as stage:
        assert (await answer(stage, request())).verdict is CheckVerdict.UNDECIDED
        assert stage.heard(RecoverAvailableData) == []


async def test_a_candidate_said_to_be_of_another_session_is_not_judged() -> None:
    """Its root is of other validators' chunks: it would be found wrong, and is not."""
    async with on_stage(CandidateChecking(), answers=world()) as stage:
        other = request()
        other.session = SessionIndex(U32(SESSION + 1))

        def both_sessions(asked: RuntimeApiRequest[Any]) -> Any:
            return INFO if asked.function is api.session_info else chain(asked)

        stage.neighbours.answers[RuntimeApiRequest] = both_sessions
        found = await answer(stage, other)
        assert found.verdict is CheckVerdict.UNDECIDED
        assert "session" in found.reason
        assert stage.heard(RecoverAvailableData) == []


async def test_a_candidate_of_an_unknown_relay_parent_is_judged() -> None:
    """It is another fork's, and disputed here."""
    async with on_stage(CandidateChecking(), answers=world()) as stage:
        outcome = await answer(stage, request(relay_parent=FORK_THAT_WENT))
        assert outcome.verdict is CheckVerdict.VALID
