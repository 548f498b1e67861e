"""What goes into the GRANDPA machine, and what comes out of it: plain values.

Inputs are what happens to a node. Effects are what the node is to do, in their order and before
the next input. Three of them have an answer, which is an input again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from parahost.consensus.grandpa.authorities import AuthorityState
from parahost.consensus.grandpa.blocks import BlockRef
from parahost.consensus.grandpa.messages import CatchUp, CommitMessage, SignedMessage
from parahost.consensus.grandpa.store import CompletedRound
from parahost.ports import NetworkEvent
from parahost.primitives.basic import GrandpaId, PeerId
from parahost.primitives.consensus import (
    GrandpaEquivocationProof,
    GrandpaJustification,
    GrandpaMessage,
)
from parahost.primitives.events import BestBlockEvent, BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.values import dataclass


@dataclass(frozen=True, slots=True)
class PeerProof:
    """A message of many signatures, from a peer."""

    peer: PeerId
    message: CommitMessage | CatchUp
    asked: bool
    """Whether the peer owed us a catch-up."""


# Inputs


@dataclass(frozen=True, slots=True)
class AuthorityPeers:
    """Which peers are authorities, by verified records."""

    peers: frozenset[PeerId]


@dataclass(frozen=True, slots=True)
class ChainMoved:
    """Look at the chain again: the answer to :class:`FinalizeBlock`."""


@dataclass(frozen=True, slots=True)
class RuleMoved:
    """The voting rule may allow other blocks now."""


@dataclass(frozen=True, slots=True)
class OwnVote:
    """The answer to :class:`SignVote`, if the node may say anything in that stage."""

    set_id: int
    round: int
    vote: SignedMessage


@dataclass(frozen=True, slots=True)
class ProofVerified:
    """The answer to :class:`VerifyProof`."""

    proof: PeerProof
    good: bool


@dataclass(frozen=True, slots=True)
class Justified:
    """A justification that was verified against that set, with its bytes."""

    set_id: int
    justification: GrandpaJustification
    data: bytes


Input = (
    NetworkEvent
    | BlockImportEvent
    | BestBlockEvent
    | BlockFinalizationEvent
    | AuthorityPeers
    | ChainMoved
    | RuleMoved
    | OwnVote
    | ProofVerified
    | Justified
)


# Effects


@dataclass(frozen=True, slots=True)
class Send:
    """Queue the message for each peer."""

    peers: Sequence[PeerId]
    payload: bytes


@dataclass(frozen=True, slots=True)
class ChangeReputation:
    """Change a peer's reputation."""

    peer: PeerId
    change: int
    reason: str


@dataclass(frozen=True, slots=True)
class SeekBlock:
    """Ask the peer for a block that it has named."""

    peer: PeerId
    block: BlockRef


@dataclass(frozen=True, slots=True)
class Wake:
    """Something may be due: advance soon."""


@dataclass(frozen=True, slots=True)
class VerifyProof:
    """When it is this message's turn, verify what ``unverified`` gives of it, and answer
    :class:`ProofVerified`. Until then nothing more is read from its peer."""

    proof: PeerProof


@dataclass(frozen=True, slots=True)
class SignVote:
    """Sign this, or what was decided on at that stage before, and answer :class:`OwnVote`."""

    key: GrandpaId
    set_id: int
    round: int
    message: GrandpaMessage


@dataclass(frozen=True, slots=True)
class FinalizeBlock:
    """Make the block final, with its proof if there is one, and answer :class:`ChainMoved`."""

    block: BlockRef
    justification: bytes | None


@dataclass(frozen=True, slots=True)
class SaveAuthorities:
    state: AuthorityState


@dataclass(frozen=True, slots=True)
class SaveRound:
    completed: CompletedRound


@dataclass(frozen=True, slots=True)
class SaveCommit:
    commit: CommitMessage


@dataclass(frozen=True, slots=True)
class ReportEquivocation:
    proof: GrandpaEquivocationProof


@dataclass(frozen=True, slots=True)
class TellUnplacedVote:
    """A vote that is said to be of a key of ours, for a round or a set that is yet to come. Nobody
    has verified it."""

    set_id: int
    round: int
    vote: SignedMessage


@dataclass(frozen=True, slots=True)
class TellContradiction:
    """More than a third of the voters are faulty: a round has finalised what contradicts what is
    final, or goes beyond a change of authorities. It is not followed."""

    set_id: int
    round: int
    block: BlockRef
    contradicts: str


Effect = (
    Send
    | ChangeReputation
    | SeekBlock
    | Wake
    | VerifyProof
    | SignVote
    | FinalizeBlock
    | SaveAuthorities
    | SaveRound
    | SaveCommit
    | ReportEquivocation
    | TellUnplacedVote
    | TellContradiction
)

Emit = Callable[[Effect], None]
"""Takes the effects of a machine's parts, in their order."""
