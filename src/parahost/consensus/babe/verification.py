"""Judging a header by the rules of BABE."""

from __future__ import annotations

from dataclasses import dataclass

from parahost.consensus.babe.epochs import Epoch, EpochView
from parahost.consensus.babe.errors import (
    AboveThreshold,
    BadSeal,
    BadVrf,
    MalformedDigest,
    NotSlotAuthor,
    SlotKindNotAllowed,
    SlotNotIncreasing,
    UnknownAuthority,
)
from parahost.consensus.babe.lottery import (
    primary_threshold,
    secondary_author,
    slot_transcript,
    vrf_score,
)
from parahost.ports import Verifier
from parahost.primitives.basic import BabeId, BlockNumber, Hash, Slot
from parahost.primitives.consensus import (
    AllowedSlots,
    BabePreDigest,
    PrimaryPreDigest,
    SecondaryPlainPreDigest,
    SecondaryVrfPreDigest,
)
from parahost.primitives.header import BABE_ENGINE, Header, Seal

_ALLOWED: dict[AllowedSlots, tuple[type, ...]] = {
    AllowedSlots.PRIMARY: (PrimaryPreDigest,),
    AllowedSlots.PRIMARY_AND_SECONDARY_PLAIN: (PrimaryPreDigest, SecondaryPlainPreDigest),
    AllowedSlots.PRIMARY_AND_SECONDARY_VRF: (PrimaryPreDigest, SecondaryVrfPreDigest),
}


@dataclass(frozen=True, slots=True)
class VerifiedHeader:
    """A header that BABE allows on its fork, the claim to a slot that it carries, and what the
    chain up to it says of epochs. Nobody has claimed the genesis block, which everybody knows."""

    header: Header
    claim: BabePreDigest | None
    epochs: EpochView

    @property
    def hash(self) -> Hash:
        return self.header.hash()

    @property
    def number(self) -> BlockNumber:
        return self.header.number

    @property
    def slot(self) -> Slot | None:
        return None if self.claim is None else self.claim.slot

    @property
    def primary(self) -> bool:
        """Whether the VRF has won the slot."""
        return isinstance(self.claim, PrimaryPreDigest)

    @property
    def author(self) -> BabeId | None:
        if self.claim is None or self.epochs.current is None:
            return None
        return self.epochs.current.authorities[self.claim.authority_index][0]


def verify_header(
    header: Header,
    claim: BabePreDigest,
    epoch: Epoch,
    verifier: Verifier,
    *,
    parent_slot: Slot | None,
) -> BabeId:
    """Check seal and claim; gives the author. ``claim`` is ``pre_digest_of(header)``, ``epoch``
    that of the claimed slot on the header's fork; ``parent_slot`` is ``None`` when the parent is
    the genesis block. The future is not judged here: it is no property of the header.

    :raises InvalidHeader: a subclass says which rule is broken.
    """
    if parent_slot is not None and claim.slot <= parent_slot:
        raise SlotNotIncreasing(claim.slot, parent_slot)
    if not isinstance(claim, _ALLOWED[epoch.parameters.allowed_slots]):
        raise SlotKindNotAllowed(f"a {type(claim).__name__} is not allowed on this chain")
    if claim.authority_index >= len(epoch.authorities):
        raise UnknownAuthority(claim.authority_index, len(epoch.authorities))
    author, _ = epoch.authorities[claim.authority_index]
    _check_seal(header, author, verifier)
    _check_claim(claim, author, epoch, verifier)
    return author


def _check_seal(header: Header, author: BabeId, verifier: Verifier) -> None:
    unsealed, seal = header.without_seal()
    if seal is None or seal.engine != BABE_ENGINE:
        raise BadSeal("the last item of the digest is no BABE seal")
    if any(isinstance(item, Seal) for item in unsealed.digest):
        raise MalformedDigest("more than one seal")
    if not verifier.sr25519(author, unsealed.hash(), seal.data):
        raise BadSeal(f"the seal is not the signature of {author.hex()}")


def _check_claim(claim: BabePreDigest, author: BabeId, epoch: Epoch, verifier: Verifier) -> None:
    if not isinstance(claim, PrimaryPreDigest):
        expected = secondary_author(claim.slot, epoch)
        if claim.authority_index != expected:
            raise NotSlotAuthor(claim.slot, claim.authority_index, expected)
    if isinstance(claim, SecondaryPlainPreDigest):
        return
    transcript = slot_transcript(claim.slot, epoch)
    if not verifier.vrf(author, transcript, claim.vrf_output, claim.vrf_proof):
        raise BadVrf(f"the VRF proof for slot {claim.slot} in epoch {epoch.index} does not hold")
    if isinstance(claim, PrimaryPreDigest):
        score = vrf_score(author, transcript, claim.vrf_output)
        limit = primary_threshold(epoch, claim.authority_index)
        if score >= limit:
            raise AboveThreshold(claim.slot, score, limit)
