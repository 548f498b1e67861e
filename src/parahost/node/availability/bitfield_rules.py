"""Gossip of bitfields: their form, and what is right at one leaf (A94). One per validator."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated

from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_NO_VALIDATOR,
    MAX_BATCH,
    Acceptance,
    GossipItem,
    Verdict,
    in_batches,
)
from parahost.node.messages.network import ReputationChange
from parahost.node.session import ChildSession
from parahost.ports import Verifier
from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import Hash
from parahost.primitives.scale import MaxLen, decode, encode, read_once
from parahost.primitives.values import dataclass

COST_WRONG_LENGTH = ReputationChange(-50, "a bitfield that has not one bit for each core")


@dataclass(frozen=True, slots=True)
class BitfieldGossip:
    """Bitfields for one relay parent on the wire: with the most cores that there may be, 7 KiB."""

    relay_parent: Hash
    bitfields: Annotated[tuple[SignedAvailabilityBitfield, ...], MaxLen(MAX_BATCH)]


def item_of(signed: SignedAvailabilityBitfield) -> GossipItem[SignedAvailabilityBitfield]:
    """A bitfield without a bit tells nothing that anybody would miss."""
    return GossipItem(signed.validator_index, signed, is_relayed=bool(signed.bitfield.count()))


@read_once
def read(payload: bytes) -> tuple[Hash, tuple[GossipItem[SignedAvailabilityBitfield], ...]]:
    """:raises ScaleDecodeError: when it is no message of this protocol."""
    gossip: BitfieldGossip = decode(BitfieldGossip, payload)
    return gossip.relay_parent, tuple(map(item_of, gossip.bitfields))


def messages(
    relay_parent: Hash, bitfields: Sequence[SignedAvailabilityBitfield]
) -> Iterator[bytes]:
    """The messages that bring these bitfields, in their order."""
    for batch in in_batches(bitfields):
        yield encode(BitfieldGossip(relay_parent, batch))


@dataclass(frozen=True, slots=True)
class BitfieldRules:
    """What is right at one leaf, whose children have that session and so many cores."""

    session: ChildSession
    cores: int
    verifier: Verifier

    def judge(
        self, item: GossipItem[SignedAvailabilityBitfield]
    ) -> Verdict[SignedAvailabilityBitfield]:
        signed, session = item.content, self.session
        index = signed.validator_index
        if index >= len(session.validators):
            return Verdict(Acceptance.REJECT, COST_NO_VALIDATOR)
        if len(signed.bitfield) != self.cores:
            return Verdict(Acceptance.REJECT, COST_WRONG_LENGTH)
        if not self.verifier.sr25519(
            session.validators[index], signed.payload(session.signing), signed.signature
        ):
            return Verdict(Acceptance.REJECT, COST_BAD_SIGNATURE)
        return Verdict(Acceptance.ACCEPT, BENEFIT_NEW, signed)
