"""Included candidates, and the sessions whose validators may judge them (D20, A53, A56)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from parahost.primitives.approval import RelayVrfStory
from parahost.primitives.basic import (
    U32,
    BlockNumber,
    CandidateHash,
    CoreIndex,
    GroupIndex,
    SessionIndex,
    Slot,
    ValidatorIndex,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.header import Header
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.primitives.values import dataclass
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.module import Module
from parahost.runtime.parachains.configuration import Configuration
from parahost.runtime.parachains.notification import SessionChangeNotification
from parahost.runtime.parachains.scheduler import Scheduler
from parahost.runtime.parachains.windows import CandidateKey, Windows
from parahost.runtime.session import SESSIONS_KEPT
from parahost.runtime.storage import Overlay, Reader, StorageDoubleMap, StorageMap, StorageValue
from parahost.runtime.system import System
from parahost.runtime.validity_parameters import ValidityParameters

# Types


class SlotClaims(Protocol):
    """What Babe knows of slots and their authors."""

    def slot(self, store: Reader) -> Slot:
        """The block's slot; its parent's, where a child is only tried."""
        ...

    def relay_vrf_story(self, store: Reader) -> RelayVrfStory:
        """What the author's VRF output says to the checkers."""
        ...

    def foreign_story(
        self, store: Reader, session: SessionIndex, header: Header
    ) -> RelayVrfStory | None:
        """The same of a block of another fork whose candidates count to that session; ``None`` when
        the header is not of an author whose its slot was (A61)."""
        ...


@dataclass(frozen=True, slots=True)
class NewlyIncluded:
    """A candidate that the block that executes has included."""

    receipt: CandidateReceipt
    core: CoreIndex
    backing_group: GroupIndex
    backers: tuple[ValidatorIndex, ...]
    relay_parent_number: BlockNumber


class IncludedCandidates(Module, pallet=Windows.pallet):
    """Included candidates, as long as they may be checked and disputed."""

    # Storage

    current_session = StorageValue("CurrentSession", SessionIndex, default=SessionIndex(U32(0)))
    """The number of the session."""
    earliest_session = StorageValue("EarliestSession", SessionIndex)
    """The earliest session whose candidates can be judged."""
    sessions = StorageMap("Sessions", SessionIndex, SessionInfo)
    """From the earliest whose candidates can be judged to this one, without a gap."""
    included = StorageDoubleMap("Included", SessionIndex, CandidateHash, IncludedCandidate)
    """By session and hash; dropped when its window is over."""
    remote = StorageDoubleMap("RemoteCandidates", SessionIndex, CandidateHash, IncludedCandidate)
    """Candidates of other forks that are disputed here and available, as if they were included
    when they became so."""
    unsettled = StorageMap("Unsettled", SessionIndex, U32, default=U32(0))
    """By session, how many disputes are not settled, or wait for availability."""
    included_now = StorageValue("IncludedNow", tuple[NewlyIncluded, ...], default=())
    """The candidates that the block that executes has included. Ephemeral."""

    def __init__(
        self,
        system: System,
        configuration: Configuration,
        scheduler: Scheduler,
        windows: Windows,
        *,
        parameters: ValidityParameters,
        claims: SlotClaims,
    ) -> None:
        self.system = system
        self.configuration = configuration
        self.scheduler = scheduler
        self.windows = windows
        self.parameters = parameters
        self.claims = claims

    # Session change

    def on_session_change(self, store: Overlay, notification: SessionChangeNotification) -> None:
        """Remember who may judge the new session's candidates (A56)."""
        index = notification.session_index
        self.current_session.put(store, index)
        info = SessionInfo(
            session_index=index,
            validators=notification.validators,
            groups=self.scheduler.validator_groups.get(store),
            cores=U32(len(self.scheduler.availability_cores.get(store))),
            approval=self.parameters.current(store).approval,
        )
        self.sessions.put(store, index, info)

    # Routines

    def note(self, store: Overlay, inclusion: NewlyIncluded) -> None:
        """The block that executes includes a candidate. It is recorded when the block ends: what is
        tried without an author includes candidates too."""
        self.included_now.mutate(store, lambda noted: (*noted, inclusion))

    def record_noted(self, store: Overlay) -> Sequence[IncludedCandidate]:
        """Record what the block has included, and open the windows; gives the records."""
        noted = self.included_now.take(store)
        if not noted:
            return ()
        now, session = self.system.block_number(store), self.current_session.get(store)
        until = now + self.configuration.configuration(store).acceptance_period
        slot, story = self.claims.slot(store), self.claims.relay_vrf_story(store)
        records = [
            IncludedCandidate(
                session=session,
                receipt=each.receipt,
                core=each.core,
                backing_group=each.backing_group,
                backers=each.backers,
                relay_parent_number=each.relay_parent_number,
                included_in=now,
                included_slot=slot,
                parent_hash=self.system.parent_hash(store),
                relay_vrf_story=story,
            )
            for each in noted
        ]
        for record in records:
            key = session, record.receipt.hash()
            self.included.put(store, key, record)
            self.windows.open(store, key, now, until)
        return records

    def note_remote(self, store: Overlay, record: IncludedCandidate) -> None:
        """A candidate of another fork is disputed here, and available."""
        self.remote.put(store, record.key(), record)

    def forget_remote(self, store: Overlay, key: CandidateKey) -> None:
        self.remote.remove(store, key)

    def judged(self, store: Reader, key: CandidateKey) -> IncludedCandidate | None:
        """A candidate that is checked here: included, or disputed from another fork."""
        return self.included.get(store, key) or self.remote.get(store, key)

    def forget(self, store: Overlay, key: CandidateKey) -> None:
        """A candidate's window is over."""
        record = self.included.take(store, key)
        if record is None:
            raise RuntimeBug(f"the candidate {key[1].hex()} is not recorded")
        self.windows.close(store, record.included_in)

    def forget_sessions(self, store: Overlay) -> Sequence[SessionIndex]:
        """Forget the sessions that cannot be judged any more; gives them."""
        first = self.first_judged_session(store)
        known = self.earliest_session.get(store)
        over = [SessionIndex(U32(each)) for each in range(first if known is None else known, first)]
        for session in over:
            self.sessions.remove(store, session)
        self.earliest_session.put(store, first)
        return over

    def first_judged_session(self, store: Reader) -> SessionIndex:
        """The earliest session whose candidates can be judged: :data:`SESSIONS_KEPT` before this
        one, for candidates of other forks, or the first that is needed."""
        return min(self._first_kept(store), self.first_needed_session(store))

    def first_needed_session(self, store: Reader) -> SessionIndex:
        """The first session of which a candidate is needed, or a dispute has to be settled: who is
        in the wrong shall pay, and who was right get its share. This one when there is none."""
        return min((self._first_with_candidates(store), *self.unsettled.keys(store)))

    def is_over(self, store: Reader, session: SessionIndex) -> bool:
        """Whether a session is kept for nothing but its disputes: if others might begin them one
        after the other, it would be kept for good."""
        return session < min(self._first_kept(store), self._first_with_candidates(store))

    def _first_kept(self, store: Reader) -> SessionIndex:
        return SessionIndex(U32(max(self.current_session.get(store) - SESSIONS_KEPT, 0)))

    def _first_with_candidates(self, store: Reader) -> SessionIndex:
        needed = self.windows.first_session(store)
        return self.current_session.get(store) if needed is None else needed

    def keep_session(self, store: Overlay, session: SessionIndex) -> None:
        """A dispute about it begins: it is needed until that is settled."""
        self.unsettled.mutate(store, session, lambda count: U32(count + 1))

    def release_session(self, store: Overlay, session: SessionIndex) -> None:
        """One of its disputes is settled, or given up."""
        if left := self.unsettled.get(store, session) - 1:
            self.unsettled.put(store, session, U32(left))
        else:
            self.unsettled.remove(store, session)

    def session_info(self, store: Reader, session: SessionIndex) -> SessionInfo | None:
        """``None`` when the session is not, or no longer, known."""
        return self.sessions.get(store, session)

    def included_candidates(self, store: Reader) -> tuple[IncludedCandidate, ...]:
        """The recorded candidates, by including block, then by core."""
        records = self.included.values(store)
        return tuple(sorted(records, key=lambda record: (record.included_in, record.core)))

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when the records, their windows and the sessions do not fit."""
        if self.included_now.exists(store):
            raise RuntimeBug("Validity: what a block includes outlives it")
        windows = {key for keys in self.windows.due.values(store) for key in keys}
        if set(self.included.keys(store)) != windows:
            raise RuntimeBug(f"Validity: candidates are recorded that have no window, {windows}")
        current, earliest = self.current_session.get(store), self.earliest_session.get(store)
        known = sorted(self.sessions.keys(store))
        if earliest is not None and known != list(range(earliest, current + 1)):
            raise RuntimeBug(f"Validity: sessions {earliest} to {current}, known {known}")
