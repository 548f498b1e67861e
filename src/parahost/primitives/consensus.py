"""What BABE and GRANDPA write into digests and sign (Polkadot specification, chapter 5 and 6)."""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated

from parahost.primitives.basic import (
    H256,
    H512,
    U8,
    U32,
    U64,
    BabeId,
    BlockNumber,
    GrandpaId,
    GrandpaSignature,
    Hash,
    Slot,
)
from parahost.primitives.header import Header
from parahost.primitives.limits import MAX_GRANDPA_VOTES, MAX_VALIDATORS
from parahost.primitives.scale import MaxLen, variant
from parahost.primitives.values import dataclass

MAX_ANCESTRY_HEADERS = 1024
"""In a justification: how far above its target votes may lie."""


@variant(1)
@dataclass(frozen=True, slots=True)
class PrimaryPreDigest:
    """The slot was won by VRF."""

    authority_index: U32
    slot: Slot
    vrf_output: H256
    vrf_proof: H512


@variant(3)
@dataclass(frozen=True, slots=True)
class SecondaryVrfPreDigest:
    """The slot fell to the author in turn, with a VRF output all the same (D20)."""

    authority_index: U32
    slot: Slot
    vrf_output: H256
    vrf_proof: H512


@variant(2)
@dataclass(frozen=True, slots=True)
class SecondaryPlainPreDigest:
    """The slot fell to the author in turn, without a VRF. Other networks' headers may carry it;
    this relay chain does not (D20)."""

    authority_index: U32
    slot: Slot


BabePreDigest = PrimaryPreDigest | SecondaryPlainPreDigest | SecondaryVrfPreDigest

BabeAuthorities = Annotated[tuple[tuple[BabeId, U64], ...], MaxLen(MAX_VALIDATORS)]
"""Keys with weights; the position is the authority index."""


@variant(1)
@dataclass(frozen=True, slots=True)
class NextEpochData:
    """In the first block of an epoch: who authors in the next one, with which randomness."""

    authorities: BabeAuthorities
    randomness: H256


@variant(2)
@dataclass(frozen=True, slots=True)
class BabeOnDisabled:
    """An authority may not author until the authorities change. Polkadot leaves it to the runtime
    to refuse its blocks, and so do we: this message changes nothing by itself."""

    authority_index: U32


class AllowedSlots(IntEnum):
    """How a slot may be claimed."""

    PRIMARY = 0
    PRIMARY_AND_SECONDARY_PLAIN = 1
    PRIMARY_AND_SECONDARY_VRF = 2


@dataclass(frozen=True, slots=True)
class EpochConfiguration:
    """``c``: numerator and denominator of the part of slots that have a primary author."""

    c: tuple[U64, U64]
    allowed_slots: AllowedSlots


@variant(3)
@dataclass(frozen=True, slots=True)
class NextConfigData:
    """In the first block of an epoch: from the next one on, slots are claimed by this. There is
    ``version`` 1 of it alone."""

    version: U8
    configuration: EpochConfiguration


BabeConsensusLog = NextEpochData | BabeOnDisabled | NextConfigData

GrandpaAuthorities = Annotated[tuple[tuple[GrandpaId, U64], ...], MaxLen(MAX_VALIDATORS)]


@variant(1)
@dataclass(frozen=True, slots=True)
class ScheduledChange:
    """New voters, ``delay`` blocks after this one is final."""

    next_authorities: GrandpaAuthorities
    delay: BlockNumber


@variant(2)
@dataclass(frozen=True, slots=True)
class ForcedChange:
    """New voters ``delay`` blocks after this one, final or not: the way out when the old ones no
    longer finalise. ``last_final`` is the block from which the new ones go on."""

    last_final: BlockNumber
    next_authorities: GrandpaAuthorities
    delay: BlockNumber


@variant(3)
@dataclass(frozen=True, slots=True)
class GrandpaOnDisabled:
    """An authority may not vote until the authorities change."""

    authority_index: U64


@variant(4)
@dataclass(frozen=True, slots=True)
class Pause:
    """Nobody votes any more once the block ``delay`` blocks after this one is final."""

    delay: BlockNumber


@variant(5)
@dataclass(frozen=True, slots=True)
class Resume:
    """The voters vote again ``delay`` blocks after this one, final or not."""

    delay: BlockNumber


GrandpaConsensusLog = ScheduledChange | ForcedChange | GrandpaOnDisabled | Pause | Resume


@variant(0)
@dataclass(frozen=True, slots=True)
class Prevote:
    target_hash: Hash
    target_number: BlockNumber


@variant(1)
@dataclass(frozen=True, slots=True)
class Precommit:
    target_hash: Hash
    target_number: BlockNumber


@variant(2)
@dataclass(frozen=True, slots=True)
class PrimaryPropose:
    target_hash: Hash
    target_number: BlockNumber


GrandpaMessage = Prevote | Precommit | PrimaryPropose


@dataclass(frozen=True, slots=True)
class PlainPrecommit:
    """A precommit where the kind is apparent: in commits and justifications."""

    target_hash: Hash
    target_number: BlockNumber


@dataclass(frozen=True, slots=True)
class SignedPrecommit:
    precommit: PlainPrecommit
    signature: GrandpaSignature
    id: GrandpaId


@dataclass(frozen=True, slots=True)
class GrandpaCommit:
    target_hash: Hash
    target_number: BlockNumber
    precommits: Annotated[tuple[SignedPrecommit, ...], MaxLen(MAX_GRANDPA_VOTES)]


@dataclass(frozen=True, slots=True)
class GrandpaJustification:
    """Proof that a block is final. ``votes_ancestries`` are the headers from the target to the
    precommitted blocks."""

    round: U64
    commit: GrandpaCommit
    votes_ancestries: Annotated[tuple[Header, ...], MaxLen(MAX_ANCESTRY_HEADERS)]


def grandpa_payload(message: bytes, round_number: int, set_id: int) -> bytes:
    """What a GRANDPA voter signs: the SCALE form of a ``GrandpaMessage``, round and set id."""
    return message + round_number.to_bytes(8, "little") + set_id.to_bytes(8, "little")


@variant(3)
@dataclass(frozen=True, slots=True)
class BabeEquivocationProof:
    """Two headers of one author for one slot."""

    offender: BabeId
    slot: Slot
    first_header: Header
    second_header: Header


@variant(4)
@dataclass(frozen=True, slots=True)
class GrandpaEquivocationProof:
    """Two votes of one voter for one stage of one round."""

    set_id: U64
    round: U64
    offender: GrandpaId
    first: GrandpaMessage
    first_signature: GrandpaSignature
    second: GrandpaMessage
    second_signature: GrandpaSignature
