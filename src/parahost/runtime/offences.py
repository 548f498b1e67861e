"""Offences: proven misbehaviour of validators, kept once and punished once."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from parahost.primitives.basic import H256, U64, BlockNumber, SessionIndex
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import FixedLen, encode
from parahost.runtime.errors import ModuleError
from parahost.runtime.module import Module, RuntimeEvent, event
from parahost.runtime.origin import AccountId
from parahost.runtime.pallets import Pallet
from parahost.runtime.session import SESSIONS_KEPT
from parahost.runtime.slashing import Misconduct, Slashing
from parahost.runtime.storage import Hasher, Overlay, Reader, StorageMap
from parahost.runtime.system import System

# Types


class OffenceKind(IntEnum):
    BABE_EQUIVOCATION = 0
    """Two blocks in one slot."""
    GRANDPA_EQUIVOCATION = 1
    """Two votes in one stage of one round."""
    STATEMENT_CONTRADICTION = 2
    """Two candidates seconded on one relay parent, or two things said of one."""


_NAMES = {
    OffenceKind.BABE_EQUIVOCATION: b"babe:equivocatio",
    OffenceKind.GRANDPA_EQUIVOCATION: b"grandpa:equivoca",
    OffenceKind.STATEMENT_CONTRADICTION: b"paras:contradict",
}


@dataclass(frozen=True, slots=True)
class Offence:
    """``session_index``: the session for whose office it was done; of a set of voters the last. So
    a deed is known for as long as it can be reported. ``time_slot``: the slot; or the set id and
    the round, 8 bytes each, little-endian; or the relay parent, and the candidate of which two
    things were said."""

    kind: OffenceKind
    session_index: SessionIndex
    offender: AccountId
    key: H256
    time_slot: bytes

    def id(self) -> H256:
        """The same for every proof of the same deed."""
        return blake2_256(bytes((self.kind,)) + self.key + self.time_slot)


@dataclass(frozen=True, slots=True)
class Report:
    offence: Offence
    reported_in: BlockNumber


class TooLongAgo(ModuleError, index=1):
    """What happened more than :data:`SESSIONS_KEPT` sessions ago is not judged any more."""


class NotYet(ModuleError, index=3):
    """What is said to have happened belongs to a session that has not begun."""


class AlreadyReported(ModuleError, index=0):
    """The deed is known."""

    def __init__(self, offence: Offence) -> None:
        super().__init__(f"this deed of {offence.offender.hex()} is known already")
        self.offence = offence


class NothingToTake(ModuleError, index=2):
    """The offender has nothing left to lose, and has been punished in this session."""

    def __init__(self, offence: Offence) -> None:
        super().__init__(f"{offence.offender.hex()} has nothing left to lose in this session")
        self.offence = offence


@event(0)
@dataclass(frozen=True, slots=True)
class OffenceReported(RuntimeEvent):
    """Somebody is proven to have broken a rule of consensus. ``kind`` is a name of 16 bytes,
    ``time_slot`` says when, in the kind's own measure."""

    kind: Annotated[bytes, FixedLen(16)]
    time_slot: bytes


class Offences(Module, pallet=Pallet(8, "Offences")):
    """Proven misbehaviour of validators in consensus."""

    events = (OffenceReported,)
    errors = (TooLongAgo, AlreadyReported, NothingToTake, NotYet)

    # Storage

    reports = StorageMap("Reports", H256, Report, hasher=Hasher.IDENTITY)
    """By :meth:`Offence.id`."""

    def __init__(self, system: System, slashing: Slashing) -> None:
        self._system = system
        self._slashing = slashing

    # Session change

    def on_session_change(self, store: Overlay, index: SessionIndex) -> None:
        """Forget what is so long ago that it cannot be reported again. Votes on finality say no
        time but the set of voters, and go with that."""
        for id_, report in self.reports.iterate(store):
            offence = report.offence
            is_vote = offence.kind is OffenceKind.GRANDPA_EQUIVOCATION
            if not is_vote and offence.session_index + SESSIONS_KEPT < index:
                self.reports.remove(store, id_)

    def forget_votes(self, store: Overlay, sets: Collection[U64]) -> None:
        """What was done in those sets of voters cannot be reported again."""
        over = tuple(encode(set_id, U64) for set_id in sets)
        for id_, report in self.reports.iterate(store) if over else ():
            offence = report.offence
            is_vote = offence.kind is OffenceKind.GRANDPA_EQUIVOCATION
            if is_vote and offence.time_slot.startswith(over):
                self.reports.remove(store, id_)

    # Routines

    def refuse_vain(self, store: Reader, offence: Offence) -> None:
        """What would change nothing needs no proof: to be asked before signatures are looked at.
        So nobody, with signatures of its own, makes the chain keep reports without end.

        :raises AlreadyReported: when the deed is kept already.
        :raises NothingToTake: when the offender cannot be punished more than it has been.
        """
        if self.reports.contains(store, offence.id()):
            raise AlreadyReported(offence)
        if self._slashing.is_in_vain(store, Misconduct.DOUBLE_VOTE, offence.offender):
            raise NothingToTake(offence)

    def report(self, store: Overlay, offence: Offence) -> None:
        """Keep an offence whose proof has been checked, and punish the offender.

        :raises AlreadyReported: when it is kept already.
        :raises NothingToTake: when it would change nothing.
        """
        self.refuse_vain(store, offence)
        report = Report(offence, self._system.block_number(store))
        self.reports.put(store, offence.id(), report)
        self._system.deposit_event(store, OffenceReported(_NAMES[offence.kind], offence.time_slot))
        self._slashing.punish_accounts(
            store, Misconduct.DOUBLE_VOTE, offence.session_index, (offence.offender,)
        )
