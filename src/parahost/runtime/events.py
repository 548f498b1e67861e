"""What a block tells those who watch: every event of the runtime, by module.

A module deposits the plain event, ``system.deposit_event(store, CandidateIncluded(...))``; it is
stored in Substrate's form, tagged with the module's number and the phase of the block.
Positions are parts of the stored form: add events at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Annotated

from parahost.primitives.basic import (
    H256,
    U8,
    U128,
    CoreIndex,
    GroupIndex,
    HeadData,
    ParaId,
    SessionIndex,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.consensus import GrandpaAuthorities
from parahost.primitives.scale import FixedLen, variant
from parahost.runtime.errors import BadOrigin, DispatchError, ModuleError
from parahost.runtime.origin import AccountId
from parahost.runtime.pallets import Pallet
from parahost.runtime.weights import Weight

# How a dispatch ended


class DispatchClass(IntEnum):
    NORMAL = 0
    OPERATIONAL = 1
    MANDATORY = 2


class Pays(IntEnum):
    YES = 0
    NO = 1


@dataclass(frozen=True, slots=True)
class DispatchInfo:
    """Substrate's account of what an extrinsic took of the block, and whether it paid."""

    weight: Weight
    dispatch_class: DispatchClass
    pays_fee: Pays


@variant(0)
@dataclass(frozen=True, slots=True)
class OtherRefusal:
    pass


@variant(2)
@dataclass(frozen=True, slots=True)
class BadOriginRefusal:
    pass


@variant(3)
@dataclass(frozen=True, slots=True)
class ModuleRefusal:
    """A module's own error: the module's number and the error's."""

    pallet: U8
    error: Annotated[bytes, FixedLen(4)]


Refusal = OtherRefusal | BadOriginRefusal | ModuleRefusal
"""A :class:`DispatchError` in Substrate's form."""


def refusal_of(error: DispatchError) -> Refusal:
    """The stored form of an entry point's refusal."""
    if isinstance(error, BadOrigin):
        return BadOriginRefusal()
    if isinstance(error, ModuleError):
        return ModuleRefusal(U8(Pallet[error.pallet]), error.index.to_bytes(4, "little"))
    return OtherRefusal()


# System


@variant(Pallet.System, 0)
@dataclass(frozen=True, slots=True)
class ExtrinsicSuccess:
    info: DispatchInfo


@variant(Pallet.System, 1)
@dataclass(frozen=True, slots=True)
class ExtrinsicFailed:
    error: Refusal
    info: DispatchInfo


# Offences


@variant(Pallet.Offences, 0)
@dataclass(frozen=True, slots=True)
class OffenceReported:
    """Somebody is proven to have broken a rule of consensus. ``kind`` is a name of 16 bytes,
    ``time_slot`` says when, in the kind's own measure."""

    kind: Annotated[bytes, FixedLen(16)]
    time_slot: bytes


# Session


@variant(Pallet.Session, 0)
@dataclass(frozen=True, slots=True)
class NewSession:
    session_index: SessionIndex


# Grandpa


@variant(Pallet.Grandpa, 0)
@dataclass(frozen=True, slots=True)
class NewAuthorities:
    authority_set: GrandpaAuthorities


# Inclusion


@variant(Pallet.ParaInclusion, 0)
@dataclass(frozen=True, slots=True)
class CandidateBacked:
    """A candidate has been put on a core and awaits availability."""

    receipt: CandidateReceipt
    head: HeadData
    core: CoreIndex
    group: GroupIndex


@variant(Pallet.ParaInclusion, 1)
@dataclass(frozen=True, slots=True)
class CandidateIncluded:
    """A candidate is available and its para's head has moved on (A43)."""

    receipt: CandidateReceipt
    head: HeadData
    core: CoreIndex
    group: GroupIndex


@variant(Pallet.ParaInclusion, 2)
@dataclass(frozen=True, slots=True)
class CandidateTimedOut:
    """A candidate has not become available in time (A36)."""

    receipt: CandidateReceipt
    head: HeadData
    core: CoreIndex


# Paras


@variant(Pallet.Paras, 0)
@dataclass(frozen=True, slots=True)
class CurrentCodeUpdated:
    para: ParaId


@variant(Pallet.Paras, 2)
@dataclass(frozen=True, slots=True)
class CodeUpgradeScheduled:
    para: ParaId


@variant(Pallet.Paras, 3)
@dataclass(frozen=True, slots=True)
class NewHeadNoted:
    para: ParaId


@variant(Pallet.Paras, 4)
@dataclass(frozen=True, slots=True)
class ActionQueued:
    """A para comes or goes with this session (A21)."""

    para: ParaId
    session_index: SessionIndex


# Registrar


@variant(Pallet.Registrar, 0)
@dataclass(frozen=True, slots=True)
class Registered:
    para: ParaId


@variant(Pallet.Registrar, 1)
@dataclass(frozen=True, slots=True)
class Deregistered:
    para: ParaId


# Parathreads


@variant(Pallet.Parathreads, 0)
@dataclass(frozen=True, slots=True)
class Claimed:
    """A collator has the right to the next block of a parathread (A31)."""

    para: ParaId
    collator: H256


# Transaction payment


@variant(Pallet.TransactionPayment, 0)
@dataclass(frozen=True, slots=True)
class TransactionFeePaid:
    """``actual_fee`` is all that was taken, the tip included."""

    who: AccountId
    actual_fee: U128
    tip: U128


# Sudo


@variant(Pallet.Sudo, 0)
@dataclass(frozen=True, slots=True)
class Sudid:
    """Governance has made a call; ``error`` is ``None`` if it succeeded."""

    error: Refusal | None


@variant(Pallet.Sudo, 1)
@dataclass(frozen=True, slots=True)
class KeyChanged:
    old: AccountId | None
    new: AccountId | None


RuntimeEvent = (
    ExtrinsicSuccess
    | ExtrinsicFailed
    | OffenceReported
    | NewSession
    | NewAuthorities
    | CandidateBacked
    | CandidateIncluded
    | CandidateTimedOut
    | CurrentCodeUpdated
    | CodeUpgradeScheduled
    | NewHeadNoted
    | ActionQueued
    | Registered
    | Deregistered
    | Claimed
    | Sudid
    | KeyChanged
    | TransactionFeePaid
)
