"""Candidate Backing, Candidate Selection, Statement and PoV Distribution (A72-A88)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from parahost.node.messages.base import Message, Reply, Request
from parahost.node.messages.network import NetworkBridgeEvent
from parahost.primitives.basic import (
    CandidateHash,
    CollatorId,
    Hash,
    ParaId,
    PeerId,
    ValidatorIndex,
)
from parahost.primitives.candidates import (
    CandidateDescriptor,
    CandidateReceipt,
    CommittedCandidateReceipt,
    PoV,
)
from parahost.primitives.statements import BackedCandidate, SignedStatement

# To Candidate Backing


@dataclass(slots=True)
class Second(Message):
    """Second this candidate on that relay parent, once it has been validated (A77)."""

    relay_parent: Hash
    candidate: CommittedCandidateReceipt
    pov: PoV


@dataclass(slots=True)
class StatementReceived(Message):
    """A peer validator's statement; its signature has been checked."""

    relay_parent: Hash
    statement: SignedStatement


@dataclass(slots=True)
class RegisterBackingWatcher(Message):
    """Call ``watcher`` with each candidate that becomes backable in a child of that relay parent,
    and at once with those that are (A78). A watcher must not block or raise."""

    relay_parent: Hash
    watcher: Callable[[BackedCandidate], None]


# To Candidate Selection


@dataclass(slots=True)
class CollationAdvertised(Message):
    """A declared collator has a collation for us on that relay parent (D17)."""

    relay_parent: Hash
    para_id: ParaId
    collator: CollatorId
    peer: PeerId


@dataclass(slots=True)
class CollationInvalid(Message):
    """The guide's ``Invalid``: a candidate that we recommended is invalid; penalise (A79)."""

    relay_parent: Hash
    candidate: CandidateReceipt
    reason: str


@dataclass(slots=True)
class CollationSeconded(Message):
    """A candidate that we recommended was seconded."""

    relay_parent: Hash
    candidate: CandidateReceipt


@dataclass(slots=True)
class CollationUndecided(Message):
    """A candidate that we recommended is not put forward, and nobody is to blame: this machine
    could not judge it, or another was faster."""

    relay_parent: Hash
    candidate: CandidateReceipt
    reason: str


# To Statement Distribution


@dataclass(slots=True)
class Share(Message):
    """Distribute a statement that this node signed."""

    relay_parent: Hash
    statement: SignedStatement


@dataclass(slots=True)
class StatementNetwork(Message):
    """An event of the protocol ``stmd``."""

    event: NetworkBridgeEvent


# To PoV Distribution


@dataclass(eq=False, slots=True)
class FetchPoV(Request[PoV]):
    """Get the PoV of a seconded candidate, of at most ``max_pov_size`` bytes, from those who stated
    something on it (D12). Answered when it is there; dropped with the relay parent."""

    relay_parent: Hash
    candidate: CandidateHash
    descriptor: CandidateDescriptor
    max_pov_size: int


@dataclass(slots=True)
class DistributePoV(Message):
    """We hold this PoV of a candidate of that para: answer who asks for it."""

    relay_parent: Hash
    candidate: CandidateHash
    para_id: ParaId
    pov: PoV


@dataclass(slots=True)
class NoteStatement(Message):
    """Who can be asked for a PoV: a validator made a statement, and this peer brought it."""

    relay_parent: Hash
    candidate: CandidateHash
    validator: ValidatorIndex
    peer: PeerId
    seconded: bool


@dataclass(slots=True)
class PoVRequested(Message):
    """A peer asks us for a PoV."""

    peer: PeerId
    payload: bytes
    reply: Reply[bytes | None]


@dataclass(slots=True)
class PoVPeerGone(Message):
    """A peer that may have been noted has disconnected."""

    peer: PeerId
