"""Candidate Checking: one place that recovers a candidate's data and judges it (D22).

Approval voting and disputes ask here, so that what is checked once is not checked again. A wrong
erasure root makes a candidate invalid; a lack of data does not. Nothing of this machine, such as
its time or its peers, is in a verdict (D34).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, ClassVar, TypeVar

from parahost.metrics.metric import Gauge, Reading
from parahost.node.messages.availability import RecoverAvailableData, RecoveryFailure
from parahost.node.messages.base import Message, Reply, Unanswered
from parahost.node.messages.utility import (
    CandidateInvalid,
    CandidateValid,
    RuntimeApiRequest,
    ValidateCandidate,
    ValidationOutcome,
)
from parahost.node.messages.validity import CheckCandidate, CheckOutcome, CheckVerdict
from parahost.node.overseer import Subsystem
from parahost.node.utility.runtime_of import runtime_of
from parahost.ports import ExecutionKind
from parahost.primitives.basic import CandidateHash, SessionIndex, ValidationCode
from parahost.primitives.candidates import AvailableData
from parahost.primitives.runtime_api import SessionInfo
from parahost.runtime import api

T = TypeVar("T")

CHECKS_AT_ONCE = 16
"""Candidates whose data are recovered or executed at a time: with the largest PoVs they hold half
a gigabyte. Others wait, as long as somebody waits for them: what is disputed comes first, and the
rest in the order in which they came. Disputes ask for three at a time, and so leave the approvals
most of the places, however many there are."""
OUTCOMES_KEPT = 4096
"""Verdicts that stay known: those of 200 cores, 20 blocks long."""

WAITING = Gauge("parahost_checks_waiting", "Candidates that wait to be checked.")
UNDER_WAY = Gauge("parahost_checks_under_way", "Candidates that are being checked.")

CheckKey = tuple[SessionIndex, CandidateHash]


class CandidateChecking(Subsystem):
    """One job per candidate, however many ask."""

    name = "candidate-checking"
    receives = (CheckCandidate,)
    sends: ClassVar[tuple[type[Message], ...]] = (
        RuntimeApiRequest,
        RecoverAvailableData,
        ValidateCandidate,
    )
    metrics = (WAITING, UNDER_WAY)

    def __init__(self) -> None:
        self._asking: dict[CheckKey, list[Reply[CheckOutcome]]] = {}
        self._found: OrderedDict[CheckKey, CheckOutcome] = OrderedDict()
        self._waiting: dict[CheckKey, CheckCandidate] = {}
        self._under_way = 0

    # Handlers

    def on_message(self, message: Message) -> None:
        assert isinstance(message, CheckCandidate)
        request, key = message, _key_of(message)
        if key in self._found:
            self._found.move_to_end(key)
            request.reply.answer(self._found[key])
        elif key in self._asking:
            self._asking[key].append(request.reply)
            if request.is_disputed and key in self._waiting:
                self._waiting[key] = request
        else:
            self._asking[key] = [request.reply]
            self._waiting[key] = request
            self._begin()

    def _begin(self) -> None:
        """Check what waits and somebody waits for, as far as there is room. Nobody does when
        finality has left the forks that had the candidate."""
        while self._waiting and self._under_way < CHECKS_AT_ONCE:
            key = self._next()
            request = self._waiting.pop(key)
            if all(reply.abandoned for reply in self._asking[key]):
                del self._asking[key]
                continue
            self._under_way += 1
            self.ctx.spawn(None, partial(self._serve, request), "check candidate")

    def _next(self) -> CheckKey:
        disputed = (key for key, request in self._waiting.items() if request.is_disputed)
        return next(disputed, next(iter(self._waiting)))

    def readings(self) -> Iterable[Reading]:
        return WAITING.of(len(self._waiting)), UNDER_WAY.of(self._under_way)

    # Jobs

    async def _serve(self, request: CheckCandidate) -> None:
        key = _key_of(request)
        try:
            outcome = await self._check(request)
        except Unanswered:
            outcome = CheckOutcome(CheckVerdict.UNDECIDED, "a question about it was not answered")
        self._under_way -= 1
        self._begin()
        if outcome.verdict in (CheckVerdict.VALID, CheckVerdict.INVALID):
            self._found[key] = outcome
            if len(self._found) > OUTCOMES_KEPT:
                self._found.popitem(last=False)
        self.ctx.journal.record(
            f"checking.{outcome.verdict.value}",
            candidate=key[1],
            para=request.receipt.descriptor.para_id,
            reason=outcome.reason,
        )
        for reply in self._asking.pop(key):
            reply.answer(outcome)

    async def _check(self, request: CheckCandidate) -> CheckOutcome:
        code_hash = request.receipt.descriptor.validation_code_hash
        session = await self._known(request, api.session_info, request.session)
        code = await self._known(request, api.validation_code_by_hash, code_hash)
        if session is None or code is None:
            lacking = "session" if session is None else "validation code"
            return CheckOutcome(CheckVerdict.UNDECIDED, f"its {lacking} is not known here")
        if not await self._is_of(request):
            return CheckOutcome(CheckVerdict.UNDECIDED, "its relay parent is of another session")
        data = await self._recover(request, session)
        if data is RecoveryFailure.UNAVAILABLE:
            return CheckOutcome(CheckVerdict.UNAVAILABLE, data.value)
        if data is RecoveryFailure.INVALID:
            return CheckOutcome(CheckVerdict.INVALID, data.value)
        return await self._execute(request, code, data)

    async def _recover(
        self, request: CheckCandidate, session: SessionInfo
    ) -> AvailableData | RecoveryFailure:
        wanted = RecoverAvailableData(request.receipt, session.validators, request.backers)
        return await self.ctx.ask(wanted)

    async def _execute(
        self, request: CheckCandidate, code: ValidationCode, data: AvailableData
    ) -> CheckOutcome:
        """The relay chain took the commitments, by its criteria; here they only have to come out
        of the execution."""
        outcome = await self.ctx.ask(
            ValidateCandidate(
                request.receipt.descriptor,
                request.receipt.commitments_hash,
                data.validation_data,
                code,
                None,
                data.pov,
                ExecutionKind.CHECKING,
            )
        )
        return _outcome_of(outcome)

    # What the chain knows

    async def _is_of(self, request: CheckCandidate) -> bool:
        """Whether the candidate may be of the session that it is said to be of: a root is of so
        many chunks as the session has validators. What is not known here cannot be held against
        it."""
        relay_parent = request.receipt.descriptor.relay_parent
        try:
            session = await runtime_of(self.ctx, relay_parent, api.session_index_for_child)
        except Unanswered:
            return True
        return session == request.session

    async def _known(
        self, request: CheckCandidate, function: Callable[..., T | None], *args: Any
    ) -> T | None:
        """What the block that was named knows; or, when finality has left it meanwhile or it
        knows nothing, what our leaves know, the newest first."""
        for block in dict.fromkeys((request.known_at, *reversed(tuple(self.ctx.leaves)))):
            try:
                found = await runtime_of(self.ctx, block, function, *args)
            except Unanswered:
                continue
            if found is not None:
                return found
        return None


def _key_of(request: CheckCandidate) -> CheckKey:
    return request.session, request.receipt.hash()


def _outcome_of(outcome: ValidationOutcome) -> CheckOutcome:
    if isinstance(outcome, CandidateValid):
        return CheckOutcome(CheckVerdict.VALID, "executed")
    if isinstance(outcome, CandidateInvalid):
        return CheckOutcome(CheckVerdict.INVALID, outcome.reason)
    return CheckOutcome(CheckVerdict.UNDECIDED, outcome.reason)
