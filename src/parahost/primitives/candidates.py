"""Candidates: what a collator puts forward and validators judge (A114, D10)."""

from __future__ import annotations

from typing import Annotated

from parahost.primitives.basic import (
    H256,
    U32,
    BlockNumber,
    CandidateHash,
    CollatorId,
    CollatorSignature,
    Hash,
    HeadData,
    ParaId,
    ValidationCode,
    ValidationCodeHash,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.limits import (
    MAX_CODE_BYTES,
    MAX_HEAD_DATA_BYTES,
    MAX_MESSAGE_BYTES,
    MAX_MESSAGES,
    MAX_POV_BYTES,
)
from parahost.primitives.scale import MaxLen, encode
from parahost.primitives.values import dataclass

BoundedHeadData = Annotated[HeadData, MaxLen(MAX_HEAD_DATA_BYTES)]
BoundedCode = Annotated[ValidationCode, MaxLen(MAX_CODE_BYTES)]


@dataclass(frozen=True, slots=True)
class PersistedValidationData:
    """What a candidate is validated against, fixed by the relay parent."""

    parent_head: BoundedHeadData
    relay_parent_number: BlockNumber
    relay_parent_storage_root: H256
    max_pov_size: U32

    def hash(self) -> H256:
        return blake2_256(encode(self))


@dataclass(frozen=True, slots=True)
class PoV:
    """A proof of validity: whatever the validation function wants as block data."""

    block_data: Annotated[bytes, MaxLen(MAX_POV_BYTES)]

    def hash(self) -> H256:
        """blake2-256 of the SCALE form."""
        return blake2_256(encode(self))


@dataclass(frozen=True, slots=True)
class AvailableData:
    """What is kept available for secondary checkers; its SCALE form is erasure coded."""

    pov: PoV
    validation_data: PersistedValidationData


@dataclass(frozen=True, slots=True)
class CandidateDescriptor:
    """What identifies a candidate and binds its parts by hashes."""

    para_id: ParaId
    relay_parent: Hash
    collator: CollatorId
    persisted_validation_data_hash: H256
    pov_hash: H256
    erasure_root: H256
    signature: CollatorSignature
    para_head: H256
    validation_code_hash: ValidationCodeHash

    def signature_payload(self) -> bytes:
        """The 132 bytes that the collator signs (D10)."""
        return collator_payload(
            self.relay_parent,
            self.para_id,
            self.persisted_validation_data_hash,
            self.pov_hash,
            self.validation_code_hash,
        )


def collator_payload(
    relay_parent: Hash,
    para_id: ParaId,
    persisted_validation_data_hash: H256,
    pov_hash: H256,
    validation_code_hash: ValidationCodeHash,
) -> bytes:
    """What a collator signs to vouch for a collation: 132 bytes (D10)."""
    return (
        relay_parent
        + para_id.to_bytes(4, "little")
        + persisted_validation_data_hash
        + pov_hash
        + validation_code_hash
    )


@dataclass(frozen=True, slots=True)
class OutboundHrmpMessage:
    recipient: ParaId
    data: Annotated[bytes, MaxLen(MAX_MESSAGE_BYTES)]


UpwardMessages = Annotated[
    tuple[Annotated[bytes, MaxLen(MAX_MESSAGE_BYTES)], ...], MaxLen(MAX_MESSAGES)
]
HorizontalMessages = Annotated[tuple[OutboundHrmpMessage, ...], MaxLen(MAX_MESSAGES)]


class _Hashed:
    """Room for a value's hash, which is asked for again and again."""

    __slots__ = ("_hash",)
    _hash: H256


@dataclass(frozen=True, slots=True)
class CandidateCommitments(_Hashed):
    """What executing the candidate must give. Messages between chains are not carried yet: a
    candidate with any is invalid (D10)."""

    upward_messages: UpwardMessages
    horizontal_messages: HorizontalMessages
    new_validation_code: BoundedCode | None
    head_data: BoundedHeadData
    processed_downward_messages: U32
    hrmp_watermark: BlockNumber

    def hash(self) -> H256:
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", blake2_256(encode(self)))
            return self._hash


class _Named:
    """Room for a candidate's name, as :class:`_Hashed` has it for others' hashes."""

    __slots__ = ("_hash",)
    _hash: CandidateHash


class _Plain:
    """Room for a receipt's plain form, and for the name that it shares with it."""

    __slots__ = ("_hash", "_plain")
    _hash: CandidateHash
    _plain: CandidateReceipt


@dataclass(frozen=True, slots=True)
class CandidateReceipt(_Named):
    """A candidate with its commitments as a hash."""

    descriptor: CandidateDescriptor
    commitments_hash: H256

    def hash(self) -> CandidateHash:
        """The candidate's name everywhere: blake2-256 of the SCALE form."""
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", CandidateHash(blake2_256(encode(self))))
            return self._hash

    def with_commitments(self, commitments: CandidateCommitments) -> CommittedCandidateReceipt:
        """The same candidate in full. The caller has held the commitments against their hash."""
        committed = CommittedCandidateReceipt(self.descriptor, commitments)
        object.__setattr__(committed, "_plain", self)
        return committed


@dataclass(frozen=True, slots=True)
class CommittedCandidateReceipt(_Plain):
    """A candidate with its commitments in full: the guide's ``AbridgedCandidateReceipt``."""

    descriptor: CandidateDescriptor
    commitments: CandidateCommitments

    def to_plain(self) -> CandidateReceipt:
        if not hasattr(self, "_plain"):
            plain = CandidateReceipt(self.descriptor, self.commitments.hash())
            object.__setattr__(self, "_plain", plain)
        return self._plain

    def hash(self) -> CandidateHash:
        """The same as the plain receipt's."""
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", self.to_plain().hash())
            return self._hash


@dataclass(frozen=True, slots=True)
class Collation:
    """What a collator hands over: the receipt and the proof that lets it be checked."""

    receipt: CommittedCandidateReceipt
    pov: PoV


@dataclass(frozen=True, slots=True)
class ValidationParams:
    """The argument of ``validate_block`` (D32)."""

    parent_head: HeadData
    block_data: bytes
    relay_parent_number: BlockNumber
    relay_parent_storage_root: H256


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What ``validate_block`` returns (D32)."""

    head_data: BoundedHeadData
    new_validation_code: BoundedCode | None
    upward_messages: UpwardMessages
    horizontal_messages: HorizontalMessages
    processed_downward_messages: U32
    hrmp_watermark: BlockNumber

    def commitments(self) -> CandidateCommitments:
        """The same outputs in the order that candidates commit to them in."""
        return CandidateCommitments(
            self.upward_messages,
            self.horizontal_messages,
            self.new_validation_code,
            self.head_data,
            self.processed_downward_messages,
            self.hrmp_watermark,
        )
