"""Remote disputes that are not concluded: first their candidate has to be available (A59-A61, D24).

The candidate is not included on this fork, maybe on none. So the validators of its session say,
one by one, whether they hold their chunks of it. If enough do, the dispute takes its course like a
local one, with checkers drawn by the VRF of the block that included the candidate on its own fork.
If not, those who have disputed it are slashed: they have kept everybody busy with what nobody can
get.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from parahost.ports.verifier import Verifier
from parahost.primitives.approval import RelayVrfStory
from parahost.primitives.availability import availability_threshold, is_backing_majority
from parahost.primitives.basic import (
    U32,
    BlockNumber,
    CandidateHash,
    CoreIndex,
    GroupIndex,
    SessionIndex,
    ValidationCode,
    ValidationCodeHash,
    ValidatorIndex,
    block_at,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import DisputeState
from parahost.primitives.remote_disputes import (
    AvailabilityVotes,
    RemoteDispute,
    availability_payload,
)
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.primitives.scale import BitVec
from parahost.runtime.errors import InvalidBlock, ModuleError, RuntimeBug
from parahost.runtime.module import (
    Constant,
    Module,
    RuntimeCall,
    RuntimeEvent,
    call,
    entry_point,
    event,
)
from parahost.runtime.origin import AccountId, Signed
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.admission import STRICTLY, Admission
from parahost.runtime.parachains.dispute_errors import InvalidDispute
from parahost.runtime.parachains.dispute_votes import Votes
from parahost.runtime.parachains.disputes import Disputes
from parahost.runtime.parachains.included import IncludedCandidates
from parahost.runtime.parachains.inherent_weight import DISPUTE, DISPUTE_VOTE, OUTPUT_BYTE
from parahost.runtime.parachains.paras import Paras, validation_code_hash
from parahost.runtime.parachains.windows import CandidateKey
from parahost.runtime.storage import Hasher, Overlay, Reader, StorageDoubleMap, StorageMap
from parahost.runtime.system import System

# Types

MAX_REMOTE_DISPUTES: Final = 16
"""Unconcluded remote disputes at a time: each may bring a code of its own."""


@dataclass(frozen=True, slots=True)
class RemoteState:
    """A remote dispute on its way. Until the candidate is available, ``dispute`` waits."""

    receipt: CandidateReceipt
    core: CoreIndex
    backing_group: GroupIndex
    relay_vrf_story: RelayVrfStory
    dispute: DisputeState
    availability_votes: BitVec
    times_out_at: BlockNumber | None
    """The last block in which they may say so; ``None`` when it is available."""


class RefusedVotes(ModuleError, index=0):
    """The statements are refused; ``reason`` says why."""

    def __init__(self, reason: InvalidDispute) -> None:
        super().__init__(str(reason))
        self.reason = reason


class NotRemote(ModuleError, index=1):
    """The candidate is included here, or disputed, or was: its votes come with blocks."""


class TooManyRemoteDisputes(ModuleError, index=2):
    """So many are on their way already."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"{limit} remote disputes are on their way already")
        self.limit = limit


class NotBacked(ModuleError, index=3):
    """The statements hold no backing by a majority of one group of the session, or the session has
    no such core."""


class BadIncludingHeader(ModuleError, index=4):
    """The header is not of an author who had its slot in the session."""


class CodeMissing(ModuleError, index=5):
    """The code that judges the candidate is neither known nor brought, or another is."""


class InvalidAvailability(InvalidBlock):
    """A block brings votes on the availability of what needs none, or bad ones (A50)."""

    def __init__(self, candidate: CandidateHash, why: str) -> None:
        super().__init__(f"the availability of {candidate.hex()}: {why}")
        self.candidate = candidate


@call(
    0,
    "dispute_remotely",
    weight=lambda call: (
        DISPUTE
        + DISPUTE_VOTE * (len(call.dispute.statements) + 4)
        + OUTPUT_BYTE * len(call.dispute.code or b"")
    ),
)
@dataclass(frozen=True, slots=True)
class DisputeRemotely(RuntimeCall):
    """Dispute a candidate that another fork has included. Whoever votes against it answers for
    it; whoever sends it pays for its length."""

    dispute: RemoteDispute


@event(0)
@dataclass(frozen=True, slots=True)
class RemoteDisputeBrought(RuntimeEvent):
    """The validators of the session are asked for a candidate's availability."""

    session: SessionIndex
    candidate_hash: CandidateHash


@event(1)
@dataclass(frozen=True, slots=True)
class RemoteCandidateAvailable(RuntimeEvent):
    """The candidate is available, and its dispute takes its course."""

    session: SessionIndex
    candidate_hash: CandidateHash


@event(2)
@dataclass(frozen=True, slots=True)
class RemoteCandidateUnavailable(RuntimeEvent):
    """The candidate has not become available in time (A60)."""

    session: SessionIndex
    candidate_hash: CandidateHash


class RemoteDisputes(Module, pallet=Pallet(76, "RemoteDisputes")):
    """Remote disputes that are not concluded."""

    calls = (DisputeRemotely,)
    events = (RemoteDisputeBrought, RemoteCandidateAvailable, RemoteCandidateUnavailable)
    errors = (
        RefusedVotes,
        NotRemote,
        TooManyRemoteDisputes,
        NotBacked,
        BadIncludingHeader,
        CodeMissing,
    )

    # Constants

    max_remote_disputes = Constant("MaxRemoteDisputes", U32, U32(MAX_REMOTE_DISPUTES))
    """Unconcluded remote disputes at a time."""

    # Storage

    remote = StorageDoubleMap("Remote", SessionIndex, CandidateHash, RemoteState)
    """The remote disputes on their way."""
    code = StorageDoubleMap("Code", SessionIndex, CandidateHash, ValidationCode)
    """The codes that came with them."""
    answering = StorageMap(
        "Answering",
        AccountId,
        tuple[CandidateKey, ...],
        hasher=Hasher.BLAKE2_128_CONCAT,
        default=(),
    )
    """By account, those of them that it has begun: it answers for one at a time."""
    over = StorageDoubleMap("Over", SessionIndex, CandidateHash, BlockNumber)
    """Those that were given up, and when: nobody is slashed twice for one."""

    def __init__(
        self,
        system: System,
        paras: Paras,
        included: IncludedCandidates,
        disputes: Disputes,
        *,
        verifier: Verifier,
    ) -> None:
        self.system = system
        self.paras = paras
        self.included = included
        self.disputes = disputes
        self.verifier = verifier

    # Session change

    def forget_session(self, store: Overlay, session: SessionIndex) -> None:
        """The session cannot be judged any more: none of its disputes is on its way."""
        self.over.remove_first(store, session)

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        """Give up what is not available in time (A60), forget what is decided."""
        now = self.system.block_number(store)
        for key, state in tuple(self.remote.iterate(store)):
            if self._is_overtaken(store, key, state):
                self.disputes.note_votes(store, key, Votes.of(state.dispute))
                self._forget(store, key)
            elif self.disputes.is_closed(store, key):
                self._forget(store, key)
            elif state.times_out_at is not None and state.times_out_at < now:
                self._give_up(store, key, state, now)

    def _is_overtaken(self, store: Reader, key: CandidateKey, state: RemoteState) -> bool:
        """Whether it is concluded, or included here, before it was available."""
        return state.times_out_at is not None and (
            self.disputes.disputes.contains(store, key)
            or self.included.included.contains(store, key)
        )

    def _give_up(
        self, store: Overlay, key: CandidateKey, state: RemoteState, now: BlockNumber
    ) -> None:
        self.disputes.punish_unavailable(store, key, state.dispute)
        self.over.put(store, key, now)
        self._forget(store, key)
        self.system.deposit_event(store, RemoteCandidateUnavailable(*key))

    def _forget(self, store: Overlay, key: CandidateKey) -> None:
        self.remote.remove(store, key)
        for account, begun in tuple(self.answering.iterate(store)):
            if key in begun:
                self._answers_for(store, account, tuple(each for each in begun if each != key))
        self.included.release_session(store, key[0])
        self.code.remove(store, key)
        self.included.forget_remote(store, key)
        if not self.included.included.contains(store, key):
            self.disputes.approvals.forget(store, key)

    def _answers_for(
        self, store: Overlay, account: AccountId, keys: tuple[CandidateKey, ...]
    ) -> None:
        if keys:
            self.answering.put(store, account, keys)
        else:
            self.answering.remove(store, account)

    # Entry points

    @entry_point(DisputeRemotely, origin=Signed)
    def dispute_remotely(self, store: Overlay, _origin: Signed, call: DisputeRemotely) -> None:
        """Ask for the candidate's availability, then for its validity (A59, A60).

        :raises NotRemote: when it is included here, or disputed.
        :raises TooManyRemoteDisputes: when there are so many.
        :raises RefusedVotes: when a statement is none, or nobody may answer for the dispute.
        :raises NotBacked: when no group has backed it.
        :raises BadIncludingHeader: when the header's author did not have the slot.
        :raises CodeMissing: when nobody could execute it.
        """
        dispute = call.dispute
        key = dispute.session, dispute.receipt.hash()
        self._check_is_remote(store, key)
        self._check_code(store, dispute)
        info, begun = self._begun(store, key, dispute)
        group = self._backing_group(info, dispute.core, Votes.of(begun))
        story = self.included.claims.foreign_story(store, dispute.session, dispute.including_header)
        if story is None:
            raise BadIncludingHeader
        period = self.disputes.parameters.current(store).remote_availability_period
        state = RemoteState(
            receipt=dispute.receipt,
            core=dispute.core,
            backing_group=group,
            relay_vrf_story=story,
            dispute=begun,
            availability_votes=BitVec.zeros(len(info.validators)),
            times_out_at=block_at(self.system.block_number(store) + period),
        )
        self.remote.put(store, key, state)
        assert begun.opened_by is not None, "somebody answers for it"
        account = self.disputes.slashing.account(store, key[0], begun.opened_by)
        self._answers_for(store, account, (*self.answering.get(store, account), key))
        self.included.keep_session(store, key[0])
        if dispute.code is not None:
            self.code.put(store, key, dispute.code)
        self.system.deposit_event(store, RemoteDisputeBrought(*key))

    def _check_is_remote(self, store: Reader, key: CandidateKey) -> None:
        known = (
            self.included.included.contains(store, key)
            or self.disputes.disputes.contains(store, key)
            or self.remote.contains(store, key)
            or self.over.contains(store, key)
        )
        if known:
            raise NotRemote
        if not self.has_room(store):
            raise TooManyRemoteDisputes(MAX_REMOTE_DISPUTES)

    def _check_code(self, store: Reader, dispute: RemoteDispute) -> None:
        wanted = dispute.receipt.descriptor.validation_code_hash
        if dispute.code is not None:
            if validation_code_hash(dispute.code) != wanted:
                raise CodeMissing
        elif self.code_by_hash(store, wanted) is None:
            raise CodeMissing

    def _begun(
        self, store: Reader, key: CandidateKey, dispute: RemoteDispute
    ) -> tuple[SessionInfo, DisputeState]:
        """The session, and the dispute as it is to begin."""
        try:
            may_begin = partial(self.may_begin, store)
            return self.disputes.begun_remotely(store, key, dispute.statements, may_begin)
        except InvalidDispute as reason:
            raise RefusedVotes(reason) from reason

    def _backing_group(self, info: SessionInfo, core: CoreIndex, votes: Votes) -> GroupIndex:
        if core >= info.cores:
            raise NotBacked
        for index, members in enumerate(info.groups):
            if is_backing_majority(len(votes.backers & set(members)), len(members)):
                return GroupIndex(U32(index))
        raise NotBacked

    # Routines: availability

    def take_availability(
        self, store: Overlay, given: AvailabilityVotes, admission: Admission = STRICTLY
    ) -> AvailabilityVotes | None:
        """Note who holds its chunk; with enough of them, the dispute takes its course. Gives what
        was taken.

        :raises InvalidAvailability: when any of it breaks a rule.
        """
        key = given.session, given.candidate_hash
        found = admission.attempt(partial(self._awaited, store, key))
        if found is None:
            return None
        info, state = found
        kept = []
        for validator, signature in given.votes:
            judge = partial(self._holder, key, info, state, validator, signature)
            holder = admission.attempt(judge)
            if holder is not None:
                votes = state.availability_votes.with_bit(holder)
                state = replace(state, availability_votes=votes)
                kept.append((validator, signature))
        taken = replace(given, votes=tuple(kept))
        if admission.admit(taken, partial(_not_nothing, taken)) is None:
            return None
        self.remote.put(store, key, state)
        if state.availability_votes.count() >= availability_threshold(len(info.validators)):
            self._begin(store, key, state)
        return taken

    def _awaited(self, store: Reader, key: CandidateKey) -> tuple[SessionInfo, RemoteState]:
        state, info = self.remote.get(store, key), self.included.session_info(store, key[0])
        if state is None or info is None or state.times_out_at is None:
            raise InvalidAvailability(key[1], "nobody asks for it")
        return info, state

    def _holder(
        self,
        key: CandidateKey,
        info: SessionInfo,
        state: RemoteState,
        validator: ValidatorIndex,
        signature: bytes,
    ) -> ValidatorIndex:
        if validator >= len(info.validators) or state.availability_votes[validator]:
            raise InvalidAvailability(key[1], f"validator {validator} is none, or has said so")
        payload = availability_payload(key[1], key[0])
        if not self.verifier.sr25519(info.validators[validator], payload, signature):
            raise InvalidAvailability(key[1], f"validator {validator} has not signed that")
        return validator

    def _begin(self, store: Overlay, key: CandidateKey, state: RemoteState) -> None:
        """The candidate is available: it is checked and voted on as if it were included now."""
        self.remote.put(store, key, replace(state, times_out_at=None))
        now = self.system.block_number(store)
        record = IncludedCandidate(
            session=key[0],
            receipt=state.receipt,
            core=state.core,
            backing_group=state.backing_group,
            backers=tuple(sorted(Votes.of(state.dispute).backers)),
            relay_parent_number=block_at(0),
            included_in=now,
            included_slot=self.included.claims.slot(store),
            parent_hash=self.system.parent_hash(store),
            relay_vrf_story=state.relay_vrf_story,
        )
        self.included.note_remote(store, record)
        self.disputes.begin(store, key, replace(state.dispute, start=now))
        self.system.deposit_event(store, RemoteCandidateAvailable(*key))

    # Routines: lookups

    def has_room(self, store: Reader) -> bool:
        """Whether there may be one more."""
        return sum(1 for _ in self.remote.keys(store)) < MAX_REMOTE_DISPUTES

    def may_begin(self, store: Reader, session: SessionIndex, validator: ValidatorIndex) -> bool:
        """Whether a validator may begin one. It answers for one at a time that nobody has decided,
        in whatever session: so nobody alone takes the places of all."""
        if not self.disputes.may_open(store, session, validator):
            return False
        account = self.disputes.slashing.account(store, session, validator)
        return all(self._is_decided(store, key) for key in self.answering.get(store, account))

    def _is_decided(self, store: Reader, key: CandidateKey) -> bool:
        state = self.disputes.disputes.get(store, key)
        return state is not None and state.outcome is not None

    def code_by_hash(self, store: Reader, wanted: ValidationCodeHash) -> ValidationCode | None:
        """Code that a para has, had or will have, or that came with a dispute."""
        known = self.paras.validation_code_by_hash(store, wanted)
        if known is not None:
            return known
        codes = self.code.values(store)
        return next((code for code in codes if validation_code_hash(code) == wanted), None)

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when a remote dispute that is available does not take its course."""
        for key, state in self.remote.iterate(store):
            if state.times_out_at is None and not self.disputes.disputes.contains(store, key):
                raise RuntimeBug(f"RemoteDisputes: {key[1].hex()} is available, and not disputed")
        if not set(self.code.keys(store)) <= set(self.remote.keys(store)):
            raise RuntimeBug("RemoteDisputes: a code outlives its dispute")
        if not set(self.included.remote.keys(store)) <= set(self.remote.keys(store)):
            raise RuntimeBug("RemoteDisputes: a record outlives its dispute")
        begun = [key for keys in self.answering.values(store) for key in keys]
        if sorted(begun) != sorted(self.remote.keys(store)):
            raise RuntimeBug("RemoteDisputes: not each of them has one who answers for it")


def _not_nothing(taken: AvailabilityVotes) -> AvailabilityVotes:
    if not taken.votes:
        raise InvalidAvailability(taken.candidate_hash, "nobody says anything")
    return taken
