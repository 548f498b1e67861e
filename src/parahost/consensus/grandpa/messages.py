"""What GRANDPA nodes tell each other, in the forms of the Polkadot specification (chapter 4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from parahost.consensus.grandpa.blocks import BlockRef
from parahost.primitives.basic import U8, U64, BlockNumber, GrandpaId, GrandpaSignature, Hash
from parahost.primitives.consensus import (
    GrandpaCommit,
    GrandpaMessage,
    PlainPrecommit,
    SignedPrecommit,
    grandpa_payload,
)
from parahost.primitives.limits import MAX_GRANDPA_VOTES
from parahost.primitives.memoize import memoize
from parahost.primitives.scale import MaxLen, encode, variant
from parahost.primitives.values import dataclass

PROTOCOL = "grandpa"
MAX_VOTES = MAX_GRANDPA_VOTES
NEIGHBOUR_VERSION = 1


class _Targeted:
    """Room for a vote's target, which is asked for again and again."""

    __slots__ = ("_target",)
    _target: BlockRef


@dataclass(frozen=True, slots=True)
class SignedMessage(_Targeted):
    """A vote or proposal with its signature over :func:`grandpa_payload`."""

    message: GrandpaMessage
    signature: GrandpaSignature
    id: GrandpaId

    @property
    def target(self) -> BlockRef:
        try:
            return self._target
        except AttributeError:
            target = BlockRef(self.message.target_hash, self.message.target_number)
            object.__setattr__(self, "_target", target)
            return target


@variant(0)
@dataclass(frozen=True, slots=True)
class VoteMessage:
    round: U64
    set_id: U64
    vote: SignedMessage


@dataclass(frozen=True, slots=True)
class CompactCommit:
    """A commit with its signatures in a list of their own."""

    target_hash: Hash
    target_number: BlockNumber
    precommits: Annotated[tuple[PlainPrecommit, ...], MaxLen(MAX_VOTES)]
    signatures: Annotated[tuple[tuple[GrandpaSignature, GrandpaId], ...], MaxLen(MAX_VOTES)]


@variant(1)
@dataclass(frozen=True, slots=True)
class CommitMessage:
    round: U64
    set_id: U64
    commit: CompactCommit


@variant(2)
@dataclass(frozen=True, slots=True)
class NeighbourMessage:
    """Where the sender is: sent to neighbours when it changes, and again from time to time.
    Sent again unchanged it also says: what I have is not enough to go on."""

    version: U8
    round: U64
    set_id: U64
    finalized_number: BlockNumber


@variant(3)
@dataclass(frozen=True, slots=True)
class CatchUpRequest:
    """Asks for the votes that completed this round or a later one of the set."""

    round: U64
    set_id: U64


@dataclass(frozen=True, slots=True)
class PlainPrevote:
    target_hash: Hash
    target_number: BlockNumber


@dataclass(frozen=True, slots=True)
class SignedPrevote:
    prevote: PlainPrevote
    signature: GrandpaSignature
    id: GrandpaId


@variant(4)
@dataclass(frozen=True, slots=True)
class CatchUp:
    """The votes that completed a round. All honest ones descend from the base."""

    set_id: U64
    round: U64
    prevotes: Annotated[tuple[SignedPrevote, ...], MaxLen(MAX_VOTES)]
    precommits: Annotated[tuple[SignedPrecommit, ...], MaxLen(MAX_VOTES)]
    base_hash: Hash
    base_number: BlockNumber


GossipMessage = VoteMessage | CommitMessage | NeighbourMessage | CatchUpRequest | CatchUp


@memoize(64)
def payload_of(message: GrandpaMessage, round_number: int, set_id: int) -> bytes:
    """What is signed for a message."""
    return grandpa_payload(encode(message, GrandpaMessage), round_number, set_id)


def compact(commit: GrandpaCommit) -> CompactCommit:
    return CompactCommit(
        commit.target_hash,
        commit.target_number,
        tuple(signed.precommit for signed in commit.precommits),
        tuple((signed.signature, signed.id) for signed in commit.precommits),
    )


def expand(commit: CompactCommit) -> GrandpaCommit | None:
    """The commit in full; ``None`` when its two lists differ in length."""
    if len(commit.precommits) != len(commit.signatures):
        return None
    pairs: Sequence[tuple[PlainPrecommit, tuple[GrandpaSignature, GrandpaId]]] = list(
        zip(commit.precommits, commit.signatures, strict=True)
    )
    return GrandpaCommit(
        commit.target_hash,
        commit.target_number,
        tuple(SignedPrecommit(plain, signature, voter) for plain, (signature, voter) in pairs),
    )
