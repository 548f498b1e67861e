"""Validity: what is included, as those who check and dispute it need it (D20).

Candidates stay recorded for the acceptance period, with the sessions whose keys may judge them.
"""

from __future__ import annotations

from collections.abc import Callable

from parahost.primitives.basic import (
    U32,
    BlockNumber,
    CandidateHash,
    CoreIndex,
    GroupIndex,
    SessionIndex,
    ValidatorIndex,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.runtime.errors import RuntimeBug
from parahost.runtime.module import Module
from parahost.runtime.pallets import Pallet
from parahost.runtime.parachains.configuration import Configuration
from parahost.runtime.parachains.notification import SessionChangeNotification
from parahost.runtime.parachains.scheduler import Scheduler
from parahost.runtime.storage import Overlay, Reader, StorageDoubleMap, StorageMap, StorageValue
from parahost.runtime.system import System

# Types

AuthorVrfOutput = Callable[[Reader], bytes]
"""The 32 bytes of BABE VRF output of the author of the block that executes; Babe tells it."""


class Validity(Module, pallet=Pallet.ParasDisputes):
    """What may still be disputed: sessions and the candidates included in them."""

    # Storage

    current_session = StorageValue("CurrentSession", SessionIndex, default=SessionIndex(U32(0)))
    """The number of the session."""
    earliest_session = StorageValue("EarliestSession", SessionIndex)
    """The earliest of which candidates are recorded."""
    sessions = StorageMap("Sessions", SessionIndex, SessionInfo)
    """From the earliest of which candidates are recorded to this one, without a gap."""
    included = StorageDoubleMap("Included", BlockNumber, CandidateHash, IncludedCandidate)
    """By including block and candidate; dropped when the acceptance period is over."""
    included_blocks = StorageValue(
        "IncludedBlocks", tuple[tuple[BlockNumber, SessionIndex], ...], default=()
    )
    """The blocks of which candidates are recorded, with their sessions; both ascending."""

    def __init__(
        self,
        system: System,
        configuration: Configuration,
        scheduler: Scheduler,
        author_vrf_output: AuthorVrfOutput,
    ) -> None:
        self.system = system
        self.configuration = configuration
        self.scheduler = scheduler
        self.author_vrf_output = author_vrf_output

    # Session change

    def on_session_change(self, store: Overlay, notification: SessionChangeNotification) -> None:
        """Remember who may judge the new session's candidates (A56)."""
        index = notification.session_index
        self.current_session.put(store, index)
        groups = self.scheduler.validator_groups.get(store)
        cores = U32(len(self.scheduler.availability_cores.get(store)))
        self.sessions.put(store, index, SessionInfo(index, notification.validators, groups, cores))
        self._forget_sessions(store)

    # Initialisation

    def initialize(self, store: Overlay) -> None:
        """Forget candidates whose acceptance period is over."""
        now = self.system.block_number(store)
        period = self.configuration.configuration(store).acceptance_period
        blocks = self.included_blocks.get(store)
        over = [block for block, _ in blocks if block + period < now]
        if not over:
            return
        for block in over:
            self.included.remove_first(store, block)
        self.included_blocks.put(store, blocks[len(over) :])
        self._forget_sessions(store)

    # Routines

    def note_included(
        self,
        store: Overlay,
        receipt: CandidateReceipt,
        *,
        core: CoreIndex,
        backing_group: GroupIndex,
        backers: tuple[ValidatorIndex, ...],
        relay_parent_number: BlockNumber,
    ) -> None:
        """Record a candidate that the block that executes has included."""
        now, session = self.system.block_number(store), self.current_session.get(store)
        record = IncludedCandidate(
            session=session,
            receipt=receipt,
            core=core,
            backing_group=backing_group,
            backers=backers,
            relay_parent_number=relay_parent_number,
            included_in=now,
            author_vrf_output=self.author_vrf_output(store),
        )
        self.included.put(store, (now, receipt.hash()), record)
        blocks = self.included_blocks.get(store)
        if (now, session) not in blocks:
            self.included_blocks.put(store, (*blocks, (now, session)))

    def included_candidates(self, store: Reader) -> tuple[IncludedCandidate, ...]:
        """The recorded candidates, by including block, then by core."""
        records = self.included.values(store)
        return tuple(sorted(records, key=lambda record: (record.included_in, record.core)))

    def session_info(self, store: Reader, session: SessionIndex) -> SessionInfo | None:
        """``None`` when the session is not, or no longer, known."""
        return self.sessions.get(store, session)

    def earliest_needed_session(self, store: Reader) -> SessionIndex:
        """The first session of which a candidate may still be checked and disputed; this one when
        there is none."""
        recorded = self.included_blocks.get(store)
        return recorded[0][1] if recorded else self.current_session.get(store)

    def _forget_sessions(self, store: Overlay) -> None:
        """Forget the sessions before the first one that is still needed."""
        current, needed = self.current_session.get(store), self.earliest_needed_session(store)
        earliest = self.earliest_session.get(store)
        for session in range(current if earliest is None else earliest, needed):
            self.sessions.remove(store, SessionIndex(U32(session)))
        self.earliest_session.put(store, needed)

    # Finalisation

    def finalize(self, store: Overlay) -> None:
        """Nothing."""

    # Consistency

    def check(self, store: Reader) -> None:
        """:raises RuntimeBug: when the records, their index and the sessions do not fit."""
        listed = list(self.included_blocks.get(store))
        records = sorted((r.included_in, r.session) for r in self.included.values(store))
        if listed != sorted(set(records)):
            raise RuntimeBug(f"Validity: candidates of blocks {records}, listed {listed}")
        current, earliest = self.current_session.get(store), self.earliest_session.get(store)
        known = sorted(self.sessions.keys(store))
        if earliest is not None and known != list(range(earliest, current + 1)):
            raise RuntimeBug(f"Validity: sessions {earliest} to {current}, known {known}")
