"""The guide's vocabulary: types with their SCALE forms, hashes and signed payloads.

Pure data, one subject a module:

* :mod:`~parahost.primitives.basic`: indices, keys, hashes
* :mod:`~parahost.primitives.candidates`: receipts, commitments, validation data, PoVs
* :mod:`~parahost.primitives.statements`: statements, attestations, backed candidates
* :mod:`~parahost.primitives.availability`: bitfields, chunks, thresholds
* :mod:`~parahost.primitives.approval`: assignments and checks of included candidates
* :mod:`~parahost.primitives.disputes`, :mod:`~parahost.primitives.remote_disputes`: votes
* :mod:`~parahost.primitives.inherent`: what a block author brings
* :mod:`~parahost.primitives.configuration`, :mod:`~parahost.primitives.validity_configuration`:
  the host's parameters
* :mod:`~parahost.primitives.header`, :mod:`~parahost.primitives.consensus`: blocks, BABE, GRANDPA
* :mod:`~parahost.primitives.scale`: the codec
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from parahost.facade import on_first_use

if TYPE_CHECKING:
    from parahost.primitives.availability import ErasureChunk, SignedAvailabilityBitfield
    from parahost.primitives.basic import (
        H256,
        H512,
        U8,
        U16,
        U32,
        U64,
        U128,
        ZERO_HASH,
        BlockNumber,
        CandidateHash,
        ChunkIndex,
        CollatorId,
        CollatorSignature,
        CoreIndex,
        GroupIndex,
        Hash,
        HeadData,
        ParaId,
        PeerId,
        SessionIndex,
        Slot,
        ValidationCode,
        ValidationCodeHash,
        ValidatorId,
        ValidatorIndex,
        ValidatorSignature,
    )
    from parahost.primitives.candidates import (
        AvailableData,
        CandidateCommitments,
        CandidateDescriptor,
        CandidateReceipt,
        CommittedCandidateReceipt,
        PersistedValidationData,
        PoV,
        ValidationParams,
        ValidationResult,
    )
    from parahost.primitives.configuration import HostConfiguration
    from parahost.primitives.hashing import blake2_256
    from parahost.primitives.header import Block, Header
    from parahost.primitives.inherent import ParachainsInherentData
    from parahost.primitives.scale import ScaleDecodeError, decode, encode
    from parahost.primitives.statements import (
        BackedCandidate,
        Invalid,
        Seconded,
        SignedStatement,
        SigningContext,
        Valid,
    )

__all__ = [
    "H256",
    "H512",
    "U8",
    "U16",
    "U32",
    "U64",
    "U128",
    "ZERO_HASH",
    "AvailableData",
    "BackedCandidate",
    "Block",
    "BlockNumber",
    "CandidateCommitments",
    "CandidateDescriptor",
    "CandidateHash",
    "CandidateReceipt",
    "ChunkIndex",
    "CollatorId",
    "CollatorSignature",
    "CommittedCandidateReceipt",
    "CoreIndex",
    "ErasureChunk",
    "GroupIndex",
    "Hash",
    "HeadData",
    "Header",
    "HostConfiguration",
    "Invalid",
    "ParaId",
    "ParachainsInherentData",
    "PeerId",
    "PersistedValidationData",
    "PoV",
    "ScaleDecodeError",
    "Seconded",
    "SessionIndex",
    "SignedAvailabilityBitfield",
    "SignedStatement",
    "SigningContext",
    "Slot",
    "Valid",
    "ValidationCode",
    "ValidationCodeHash",
    "ValidationParams",
    "ValidationResult",
    "ValidatorId",
    "ValidatorIndex",
    "ValidatorSignature",
    "blake2_256",
    "decode",
    "encode",
]

__getattr__ = on_first_use(
    __name__,
    __all__,
    (
        "basic",
        "candidates",
        "statements",
        "availability",
        "configuration",
        "header",
        "hashing",
        "inherent",
        "scale",
    ),
)
