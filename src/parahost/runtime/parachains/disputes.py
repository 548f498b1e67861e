"""Disputes: who is right about a candidate, and what becomes of those who are not (A56-A65).

A dispute begins with the first contradiction to a candidate's backing. All validators of the
session of its inclusion are asked; backing and checks count as votes. A supermajority concludes it:
the wrong side is slashed at once, and whoever joins it later. It stays open for late votes for a
while, then the silent pay, and those who were right share a part of what the others have lost.

A candidate that this fork has included is disputed *locally*. What another fork has included comes
here as a *concluded* dispute: with a supermajority, in one transaction (A58).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from parahost.ports.verifier import Verifier
from parahost.primitives.basic import (
    U32,
    U128,
    BlockNumber,
    CandidateHash,
    SessionIndex,
    ValidatorIndex,
    block_at,
)
from parahost.primitives.disputes import (
    PARACHAINS_ENGINE,
    DisputeOutcome,
    DisputeState,
    DisputeStatementSet,
    Revert,
    SignedDisputeStatement,
)
from parahost.primitives.header import Consensus
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.primitives.scale import BitVec, encode
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.module import (
    Constant,
    Module,
    RuntimeCall,
    call,
    entry_point,
)
from parahost.runtime.origin import Root
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.admission import Admission
from parahost.runtime.parachains.approvals import Approvals
from parahost.runtime.parachains.dispute_costs import (
    MAX_SETTLED,
    DisputeCosts,
    Settled,
    Settlement,
)
from parahost.runtime.parachains.dispute_errors import (
    DisputeClosed,
    MayNotDispute,
    NothingDisputed,
    Unconcluded,
    UnknownDisputeSession,
)
from parahost.runtime.parachains.dispute_events import (
    DisputeConcluded,
    DisputeInitiated,
    DisputeTimedOut,
    Frozen,
)
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.included import IncludedCandidates
from parahost.runtime.parachains.windows import CandidateKey
from parahost.runtime.slashing import Misconduct, Slashing
from parahost.runtime.storage import Overlay, Reader, StorageDoubleMap, StorageMap, StorageValue
from parahost.runtime.system import System
from parahost.runtime.validity_parameters import ValidityParameters
from parahost.runtime.weights import micros

# Types

MAX_OPEN_DISPUTES: Final = 10
"""A validator answers for so many disputes at a time that have no outcome yet."""


MayOpen = Callable[[SessionIndex, ValidatorIndex], bool]
"""Whether that validator may begin a dispute."""


@dataclass(frozen=True, slots=True)
class Opener:
    """Who answers for a dispute; nobody, when it comes with its conclusion."""

    validator: ValidatorIndex | None


@call(0, "force_unfreeze", weight=micros(100))
@dataclass(frozen=True, slots=True)
class ForceUnfreeze(RuntimeCall):
    """Let paras go on where an invalid candidate is final: governance has dealt with it."""


class Disputes(Module, pallet=Pallet(62, "ParasDisputes")):
    """Who is right about a candidate, and what becomes of those who are not."""

    calls = (ForceUnfreeze,)
    events = (DisputeInitiated, DisputeConcluded, DisputeTimedOut, Frozen)

    # Constants

    max_open_disputes = Constant("MaxOpenDisputes", U32, U32(MAX_OPEN_DISPUTES))
    """Disputes without an outcome that a validator answers for at a time."""

    # Storage

    disputes = StorageDoubleMap("Disputes", SessionIndex, CandidateHash, DisputeState)
    """Every dispute of a session that can be judged, closed ones too: nobody is punished twice."""
    opened = StorageDoubleMap("Opened", SessionIndex, ValidatorIndex, U32, default=U32(0))
    """How many disputes without an outcome each validator of a session answers for."""
    due = StorageMap("Due", BlockNumber, tuple[CandidateKey, ...], default=())
    """The disputes whose time is over when a block begins: to find an outcome, or for late
    votes."""
    settling = StorageValue("Settling", tuple[Settlement, ...], default=())
    """The closed disputes that are to be settled, or are settled in part; in order."""
    frozen = StorageValue("Frozen", BlockNumber)
    """The last block without an invalid candidate, when this fork has included one."""

    def __init__(
        self,
        system: System,
        included: IncludedCandidates,
        approvals: Approvals,
        *,
        slashing: Slashing,
        parameters: ValidityParameters,
        verifier: Verifier,
    ) -> None:
        self.system = system
        self.included = included
        self.approvals = approvals
        self.slashing = slashing
        self.costs = DisputeCosts(slashing)
        self.parameters = parameters
        self.verifier = verifier

    # Session change

    def forget_session(self, store: Overlay, session: SessionIndex) -> None:
        """The session cannot be judged any more: all its disputes are settled."""
        self.disputes.remove_first(store, session)
        self.opened.remove_first(store, session)

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        """Close what takes late votes no more, end the time of one dispute without a supermajority,
        the others' in the next blocks; and settle what is closed, a part in each block."""
        now = self.system.block_number(store)
        for key in self._close_some(store, self.due.take(store, now), now):
            self._plan(store, key, now)
        self._settle_some(store)

    def _close_some(
        self, store: Overlay, due: Iterable[CandidateKey], now: BlockNumber
    ) -> list[CandidateKey]:
        """All that are concluded, which is little work, and one that is not: there many may have to
        pay. Gives those that are left."""
        undecided = []
        for key in due:
            state = self.disputes.get(store, key)
            if state is None:
                continue
            if state.outcome is None:
                undecided.append(key)
            elif not state.is_closed and state.closes_at is not None and state.closes_at < now:
                self.disputes.put(store, key, replace(state, is_closed=True))
                self.settling.put(store, (*self.settling.get(store), Settlement(*key)))
        if undecided:
            self._time_out(store, undecided[0], self._state(store, undecided[0]))
        return undecided[1:]

    def _settle_some(self, store: Overlay) -> None:
        """Go on with the first settlements, as far as so many validators; a step that touches
        nobody counts like one who is."""
        waiting, left = self.settling.get(store), MAX_SETTLED
        if not waiting:
            return
        while waiting and left > 0:
            settled = self._settle(store, waiting[0], left)
            left -= max(settled.touched, 1)
            waiting = waiting[1:] if settled.rest is None else (settled.rest, *waiting[1:])
        self.settling.put(store, waiting)

    # Entry points

    @entry_point(ForceUnfreeze, origin=Root)
    def force_unfreeze(self, store: Overlay, _origin: Root, _call: ForceUnfreeze) -> None:
        """Only for governance."""
        self.frozen.kill(store)

    # Routines: what a block brings

    def take(
        self, store: Overlay, given: DisputeStatementSet, admission: Admission
    ) -> DisputeStatementSet | None:
        """Note what a block brings on one candidate; gives what was taken of it.

        :raises InvalidDispute: when any of it breaks a rule.
        """
        key = given.session, given.candidate_hash
        found = admission.attempt(partial(self._begin, store, key))
        if found is None:
            return None
        info, before = found
        votes = Votes.of(before)
        kept: list[SignedDisputeStatement] = []
        for signed in given.statements:
            more = admission.attempt(partial(votes.with_signed, signed, key, info, self.verifier))
            if more is not None:
                votes = more
                kept.append(signed)
        taken = replace(given, statements=tuple(kept))
        opener = admission.admit(taken, partial(self._opener, store, key, info, before, votes))
        if opener is None:
            return None
        self._note(store, key, replace(before, opened_by=opener.validator), votes)
        return taken

    def _begin(self, store: Reader, key: CandidateKey) -> tuple[SessionInfo, DisputeState]:
        """The session and the dispute as it is, or as it would begin."""
        info = self.included.session_info(store, key[0])
        if info is None:
            raise UnknownDisputeSession(key[1], key[0])
        state = self.disputes.get(store, key)
        if state is None:
            return info, self._fresh(store, key, len(info.validators))
        if not state.is_closed:
            return info, state
        if state.outcome is None and self.included.included.contains(store, key):
            return info, replace(state, is_closed=False)  # undecided elsewhere, and included since
        raise DisputeClosed(key[1], "it is closed")

    def _fresh(self, store: Reader, key: CandidateKey, validators: int) -> DisputeState:
        """What is known of the candidate before anybody disputes it: backing and checks count."""
        record = self.included.judged(store, key)
        backers = () if record is None else record.backers
        approved = self.approvals.checks.get(store, key).approved
        return DisputeState(
            validators_for=BitVec.with_ones(validators, {*backers, *approved}),
            validators_against=BitVec.zeros(validators),
            backers=BitVec.with_ones(validators, backers),
            start=self.system.block_number(store),
            opened_by=None,
        )

    def _opener(
        self,
        store: Reader,
        key: CandidateKey,
        info: SessionInfo,
        before: DisputeState,
        votes: Votes,
    ) -> Opener:
        """Whether what is brought may be noted; gives who answers for the dispute, if it is new."""
        candidate = key[1]
        if votes == Votes.of(before):
            raise NothingDisputed(candidate, "nothing new is said")
        if self.disputes.contains(store, key):
            return Opener(before.opened_by)
        if not (votes.valid and votes.invalid):
            raise NothingDisputed(candidate, "nobody contradicts anybody")
        if votes.outcome(len(info.validators)) is not None:
            return Opener(None)
        if not self.included.included.contains(store, key):
            raise Unconcluded(candidate, "it is not included here, and nobody has a supermajority")
        return self._answering(key, votes, partial(self.may_open, store))

    def _answering(self, key: CandidateKey, votes: Votes, may_open: MayOpen) -> Opener:
        """The first of those against it who may begin a dispute."""
        for validator in sorted(votes.invalid):
            if may_open(key[0], validator):
                return Opener(validator)
        raise MayNotDispute(key[1], "nobody who votes against it may begin a dispute")

    def begun_remotely(
        self,
        store: Reader,
        key: CandidateKey,
        statements: Iterable[SignedDisputeStatement],
        may_open: MayOpen,
    ) -> tuple[SessionInfo, DisputeState]:
        """A dispute of a candidate of another fork as it is to begin when that is available.

        :raises InvalidDispute: when a statement is none, or nobody may answer for the dispute, or
            the votes conclude it: then it comes with a block.
        """
        info, fresh = self._begin(store, key)
        votes = Votes.of(fresh)
        for signed in statements:
            votes = votes.with_signed(signed, key, info, self.verifier)
        if votes.outcome(len(info.validators)) is not None:
            raise NothingDisputed(key[1], "there is a supermajority, blocks take it at once")
        opener = self._answering(key, votes, may_open)
        return info, votes.written(replace(fresh, opened_by=opener.validator))

    def begin(self, store: Overlay, key: CandidateKey, state: DisputeState) -> None:
        """The candidate of another fork is available: its dispute begins, unless it has been
        concluded meanwhile."""
        if not self.disputes.contains(store, key):
            self._note(store, key, Votes().written(state), Votes.of(state))

    def punish_unavailable(self, store: Overlay, key: CandidateKey, state: DisputeState) -> None:
        """Nobody has what they have disputed (A60)."""
        disputers = Votes.of(state).invalid
        self.costs.punish(store, Misconduct.DISPUTED_UNAVAILABLE, key, disputers)

    def note_votes(self, store: Overlay, key: CandidateKey, more: Votes) -> None:
        """Votes that have come in another way, with their signatures checked, count if there is a
        dispute that takes any."""
        if not self.is_open(store, key):
            return
        state = self._state(store, key)
        before = Votes.of(state)
        if (votes := before.union(more)) != before:
            self._note(store, key, state, votes)

    def _note(self, store: Overlay, key: CandidateKey, state: DisputeState, votes: Votes) -> None:
        """Write the votes down, and draw the consequences."""
        before, known = Votes.of(state), self.disputes.get(store, key)
        if known is None:
            self._initiate(store, key, state)
        if known is None or known.is_closed:
            self.included.keep_session(store, key[0])
        twofold = votes.both_ways - before.both_ways
        lost = self.costs.punish(store, Misconduct.DOUBLE_VOTE, key, twofold)
        outcome = state.outcome
        if outcome is None:
            outcome = votes.outcome(len(state.backers))
            if outcome is not None:
                state = self._conclude(store, key, state, outcome)
                lost += self.costs.slash(store, key, votes, outcome, punished=Votes())
        else:
            lost += self.costs.slash(store, key, votes, outcome, punished=before)
        state = replace(votes.written(state), lost=U128(state.lost + lost))
        self.disputes.put(store, key, state)

    # Routines: the course of a dispute

    def _initiate(self, store: Overlay, key: CandidateKey, state: DisputeState) -> None:
        local = self.included.included.contains(store, key)
        self.system.deposit_event(store, DisputeInitiated(*key, local))
        self._count_opened(store, key, state, 1)
        self._plan(store, key, state.start + self.parameters.current(store).dispute_period)

    def _conclude(
        self, store: Overlay, key: CandidateKey, state: DisputeState, outcome: DisputeOutcome
    ) -> DisputeState:
        now = self.system.block_number(store)
        closes_at = block_at(now + self.parameters.current(store).late_vote_period)
        self.system.deposit_event(store, DisputeConcluded(*key, outcome))
        self._count_opened(store, key, state, -1)
        self._plan(store, key, closes_at)
        record = self.included.included.get(store, key)
        if outcome is DisputeOutcome.INVALID and record is not None:
            self._freeze(store, record)
        return replace(
            state, outcome=outcome, concluded_at=now, closes_at=closes_at, opened_by=None
        )

    def _freeze(self, store: Overlay, record: IncludedCandidate) -> None:
        """This fork is to be left: the header says where to go back to, and what to leave out."""
        to = block_at(record.included_in - 1)
        revert = Revert(to, record.parent_hash, record.receipt.hash())
        self.system.deposit_log(store, Consensus(PARACHAINS_ENGINE, encode(revert)))
        frozen = self.frozen.get(store)
        self.frozen.put(store, to if frozen is None else min(to, frozen))
        self.system.deposit_event(store, Frozen(to))

    def _time_out(self, store: Overlay, key: CandidateKey, state: DisputeState) -> None:
        """Nobody has a supermajority. Those who vouched for the candidate have wasted the others'
        time (A63). If it is included here, votes still count: without an outcome it is not
        accepted. If not, nobody waits for it."""
        lost = state.lost + self.costs.punish(
            store, Misconduct.DISTRACTION, key, Votes.of(state).valid
        )
        state = replace(state, lost=U128(lost))
        if not self.included.included.contains(store, key):
            self._count_opened(store, key, state, -1)
            state = replace(state, is_closed=True, opened_by=None)
            self.included.release_session(store, key[0])
        self.disputes.put(store, key, state)
        self.system.deposit_event(store, DisputeTimedOut(*key))

    def _settle(self, store: Overlay, settlement: Settlement, most: int) -> Settled:
        """Settle with the next few validators."""
        key = settlement.key
        state = self._state(store, key)
        reward = self.parameters.current(store).reward
        settled = self.costs.settle(store, settlement, state, most, reward)
        if settled.lost:
            self.disputes.put(store, key, replace(state, lost=U128(state.lost + settled.lost)))
        if settled.rest is None:
            self.included.release_session(store, key[0])
        return settled

    def _count_opened(
        self, store: Overlay, key: CandidateKey, state: DisputeState, change: int
    ) -> None:
        if state.opened_by is not None:
            opener = key[0], state.opened_by
            self.opened.mutate(store, opener, lambda count: U32(count + change))

    def _plan(self, store: Overlay, key: CandidateKey, until: int) -> None:
        """Its time is over when that block is."""
        self.due.mutate(store, block_at(until + 1), lambda keys: (*keys, key))

    # Routines: lookups

    def may_open(self, store: Reader, session: SessionIndex, validator: ValidatorIndex) -> bool:
        """Whether a validator may begin one more dispute: it has done no wrong, and does not answer
        for as many open ones as may be; and the session is not kept for the others alone."""
        if self.slashing.has_offended(store, session, validator):
            return False
        opened = self.opened.get(store, (session, validator))
        return opened < MAX_OPEN_DISPUTES and not self.included.is_over(store, session)

    def is_open(self, store: Reader, key: CandidateKey) -> bool:
        """Whether votes are taken still."""
        state = self.disputes.get(store, key)
        return state is not None and not state.is_closed

    def is_closed(self, store: Reader, key: CandidateKey) -> bool:
        """Whether there was a dispute, and it takes no votes any more."""
        state = self.disputes.get(store, key)
        return state is not None and state.is_closed

    def is_undecided(self, store: Reader, key: CandidateKey) -> bool:
        """Whether it is disputed, and nobody has a supermajority."""
        return self.is_open(store, key) and self._state(store, key).outcome is None

    def is_invalid(self, store: Reader, key: CandidateKey) -> bool:
        """Whether a supermajority has found the candidate invalid: no block may include it."""
        state = self.disputes.get(store, key)
        return state is not None and state.outcome is DisputeOutcome.INVALID

    def is_valid(self, store: Reader, key: CandidateKey) -> bool:
        """Whether a supermajority has vouched for the candidate."""
        state = self.disputes.get(store, key)
        return state is not None and state.outcome is DisputeOutcome.VALID

    def invalid_candidates(self, store: Reader, session: SessionIndex) -> frozenset[CandidateHash]:
        """The candidates of a session that no block may include."""
        return frozenset(
            candidate
            for candidate, state in self.disputes.iterate_first(store, session)
            if state.outcome is DisputeOutcome.INVALID
        )

    def is_frozen(self, store: Reader) -> bool:
        """Whether this fork has included an invalid candidate: it includes none any more."""
        return self.frozen.exists(store)

    def _state(self, store: Reader, key: CandidateKey) -> DisputeState:
        state = self.disputes.get(store, key)
        if state is None:
            raise RuntimeBug(f"{key[1].hex()} is not disputed")
        return state

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when disputes, who answers for them, and their times do not fit."""
        opened: dict[tuple[SessionIndex, ValidatorIndex], int] = {}
        planned = {key for keys in self.due.values(store) for key in keys}
        for key, state in self.disputes.iterate(store):
            votes = Votes.of(state)
            if not votes.backers <= votes.valid:
                raise RuntimeBug(f"Disputes: backers that do not vouch, {key[1].hex()}")
            if state.outcome is not None and not state.is_closed and key not in planned:
                raise RuntimeBug(f"Disputes: {key[1].hex()} is never closed")
            if state.opened_by is not None:
                opener = key[0], state.opened_by
                opened[opener] = opened.get(opener, 0) + 1
        counted = {opener: count for opener, count in self.opened.iterate(store) if count}
        if counted != opened:
            raise RuntimeBug(f"Disputes: {opened} are open, counted {counted}")
