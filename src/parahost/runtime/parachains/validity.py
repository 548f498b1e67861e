"""Validity: from Included to Accepted (A53-A65).

Last in the order of initialisation. Its parts are modules of their own: what is included
(:mod:`~.included`) and until when it is needed (:mod:`~.windows`), the checks
(:mod:`~.approvals`), and the disputes, of this fork's candidates (:mod:`~.disputes`) and of others'
(:mod:`~.remote_disputes`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Final

from parahost.primitives.approval import SecondaryChecks
from parahost.primitives.basic import U32
from parahost.primitives.disputes import DisputeStatementSet
from parahost.primitives.remote_disputes import AvailabilityVotes
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.primitives.scale import MaxLen
from parahost.runtime.dispatch import DispatchClass
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.module import Constant, Module, RuntimeCall, call, entry_point
from parahost.runtime.origin import NoOrigin
from parahost.runtime.parachains.admission import STRICTLY, Admission
from parahost.runtime.parachains.approval_weight import notes_weight
from parahost.runtime.parachains.approvals import Approvals
from parahost.runtime.parachains.configuration import Configuration
from parahost.runtime.parachains.dispute_errors import TooManyDisputes
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.disputes import Disputes
from parahost.runtime.parachains.included import IncludedCandidates
from parahost.runtime.parachains.notification import SessionChangeNotification
from parahost.runtime.parachains.remote_disputes import MAX_REMOTE_DISPUTES, RemoteDisputes
from parahost.runtime.parachains.windows import CandidateKey, Windows
from parahost.runtime.storage import Overlay, Reader, StorageValue
from parahost.runtime.system import System

# Types

MAX_UNACCEPTED: Final = 10_000
"""Candidates that wait for acceptance at a time: a hundred blocks full of them. While there are so
many, no more are backed: their records would grow without end if nobody checked them."""
MAX_DISPUTED: Final = 32
"""Candidates on which one block brings dispute statements: each may be one more to be named in its
header."""
MAX_CHECKED: Final = 1024
"""Candidates on whose checks one block brings something."""


@call(
    0,
    "note_checks",
    weight=lambda call: notes_weight(call.checks, call.availability),
    dispatch_class=DispatchClass.OPERATIONAL,
)
@dataclass(frozen=True, slots=True)
class NoteChecks(RuntimeCall):
    """What the block's author knows of the checks of candidates that the chain does not, and of
    who holds the data of those that are disputed from another fork."""

    checks: Annotated[tuple[SecondaryChecks, ...], MaxLen(MAX_CHECKED)]
    availability: Annotated[tuple[AvailabilityVotes, ...], MaxLen(MAX_REMOTE_DISPUTES)] = ()

    def __bool__(self) -> bool:
        """Whether there is anything to note."""
        return bool(self.checks or self.availability)


class Validity(Module, pallet=Windows.pallet):
    """From Included to Accepted."""

    calls = (NoteChecks,)

    # Constants

    max_unaccepted = Constant("MaxUnaccepted", U32, U32(MAX_UNACCEPTED))
    """Candidates that wait for acceptance at a time."""

    # Storage

    unaccepted = StorageValue("Unaccepted", U32, default=U32(0))
    """How many recorded candidates are not accepted."""
    touched = StorageValue("Touched", tuple[CandidateKey, ...], default=())
    """The candidates that may be accepted when the block that executes ends. Ephemeral."""

    def __init__(
        self,
        system: System,
        configuration: Configuration,
        windows: Windows,
        included: IncludedCandidates,
        approvals: Approvals,
        disputes: Disputes,
        remote_disputes: RemoteDisputes,
    ) -> None:
        self.system = system
        self.configuration = configuration
        self.windows = windows
        self.included = included
        self.approvals = approvals
        self.disputes = disputes
        self.remote_disputes = remote_disputes

    # Session change

    def on_session_change(self, store: Overlay, notification: SessionChangeNotification) -> None:
        """Remember the new session, forget those that cannot be judged any more."""
        self.included.on_session_change(store, notification)
        self._forget_sessions(store)

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        """End the windows that are due, or extend them (A53, A55); then what is due of disputes."""
        for key in self.windows.take_due(store, self.system.block_number(store)):
            self._end_or_extend(store, key)
        self.disputes.initialize(store)
        self.remote_disputes.initialize(store)

    def _end_or_extend(self, store: Overlay, key: CandidateKey) -> None:
        if self._is_needed(store, key):
            period = self.configuration.configuration(store).acceptance_period
            self.windows.extend(store, key, self.system.block_number(store) + period)
            self._touch(store, key)
        else:
            if not self.approvals.is_accepted(store, key):
                self._count(store, -1)
            self.included.forget(store, key)
            self.approvals.forget(store, key)
            self._forget_sessions(store)

    def _is_needed(self, store: Overlay, key: CandidateKey) -> bool:
        """Whether checks are missing, or it is disputed. What is found invalid needs no checks."""
        if self.disputes.is_open(store, key):
            return True
        return not (self.approvals.is_accepted(store, key) or self.disputes.is_invalid(store, key))

    def _forget_sessions(self, store: Overlay) -> None:
        for session in self.included.forget_sessions(store):
            self.disputes.forget_session(store, session)
            self.remote_disputes.forget_session(store, session)

    # Entry points

    @entry_point(NoteChecks, origin=NoOrigin)
    def note_checks(self, store: Overlay, _origin: NoOrigin, call: NoteChecks) -> None:
        """Note assignments and checks. What has all it needs is accepted when the block ends (D22).

        :raises InvalidCheck: when any of it breaks a rule.
        :raises InvalidAvailability: likewise.
        """
        self.process_checks(store, call, STRICTLY)

    # Routines

    def process_disputes(
        self, store: Overlay, given: Sequence[DisputeStatementSet], admission: Admission
    ) -> tuple[DisputeStatementSet, ...]:
        """Note the statements that a block brings, and draw the consequences; gives what was taken.

        :raises InvalidDispute: when any of it breaks a rule.
        :raises TooManyDisputes: when they are about too many candidates.
        """
        taken: list[DisputeStatementSet] = []
        for statements in given:
            if len(taken) == MAX_DISPUTED:
                admission.attempt(partial(_refuse_more_than, MAX_DISPUTED))
                break
            noted = self.disputes.take(store, statements, admission)
            if noted is None:
                continue
            taken.append(noted)
            self._touch(store, (noted.session, noted.candidate_hash))
        return tuple(taken)

    def process_checks(self, store: Overlay, given: NoteChecks, admission: Admission) -> NoteChecks:
        """Note what a block brings on the checks of candidates; then who holds what is disputed
        from another fork. Gives what was taken.

        :raises InvalidCheck: when any of it breaks a rule.
        :raises InvalidAvailability: likewise.
        """
        checks = []
        for each in given.checks:
            noted = self.approvals.take(store, each, admission)
            if noted is None:
                continue
            checks.append(noted)
            key = noted.session, noted.candidate_hash
            approvers = frozenset(approval.validator_index for approval in noted.approvals)
            self.disputes.note_votes(store, key, Votes(valid=approvers))
            self._touch(store, key)
        held = [
            self.remote_disputes.take_availability(store, votes, admission)
            for votes in given.availability
        ]
        return NoteChecks(tuple(checks), tuple(votes for votes in held if votes is not None))

    def room(self, store: Reader) -> int:
        """How many candidates more may be recorded."""
        return max(MAX_UNACCEPTED - self.unaccepted.get(store), 0)

    def _touch(self, store: Overlay, key: CandidateKey) -> None:
        """See, when the block ends, whether the candidate can be accepted. Not before: time counts
        for it, and the slot of a block that is only tried is not known. So no step of the inherent
        hangs on it."""
        self.touched.mutate(store, lambda keys: keys if key in keys else (*keys, key))

    def _accept_if_complete(self, store: Overlay, record: IncludedCandidate) -> None:
        """Checks are complete, and nobody disputes it; or a supermajority has vouched for it."""
        key, disputes = record.key(), self.disputes
        if self.approvals.is_accepted(store, key) or disputes.is_invalid(store, key):
            return
        is_checked = self.approvals.is_complete(store, record)
        if disputes.is_valid(store, key) or (is_checked and not disputes.is_undecided(store, key)):
            self.approvals.accept(store, key)
            self._count(store, -1)

    def _count(self, store: Overlay, change: int) -> None:
        self.unaccepted.mutate(store, lambda count: U32(count + change))

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        """Record what the block has included, and accept what has all its checks now: at once, what
        needs none."""
        for key in self.touched.take(store):
            known = self.included.included.get(store, key)
            if known is not None:
                self._accept_if_complete(store, known)
        for record in self.included.record_noted(store):
            self._count(store, 1)
            self._accept_if_complete(store, record)

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when not so many candidates wait for acceptance as are counted, or
        sessions are kept for other disputes than there are."""
        if self.touched.exists(store):
            raise RuntimeBug("Validity: what a block has touched outlives it")
        waiting = sum(
            not self.approvals.is_accepted(store, key) for key in self.included.included.keys(store)
        )
        if waiting != self.unaccepted.get(store):
            raise RuntimeBug(f"Validity: {waiting} candidates wait for acceptance")
        unsettled = Counter(session for session, _ in self.remote_disputes.remote.keys(store))
        unsettled.update(each.session for each in self.disputes.settling.get(store))
        for (session, _), state in self.disputes.disputes.iterate(store):
            unsettled[session] += not state.is_closed
        if dict(self.included.unsettled.iterate(store)) != dict(+unsettled):
            raise RuntimeBug(f"Validity: sessions with unsettled disputes are {+unsettled}")


def _refuse_more_than(limit: int) -> None:
    raise TooManyDisputes(limit)
