"""The availability code: chunks, their Merkle root and proofs, and recovery (D28)."""

from parahost.erasure.code import (
    MAX_CHUNKS,
    chunk_length,
    encode,
    reconstruct,
    recover,
    recover_value,
    strip_padding,
    threshold,
)
from parahost.erasure.errors import (
    BadChunk,
    BadPadding,
    ErasureError,
    NotEnoughChunks,
    WrongRoot,
)
from parahost.erasure.merkle import Proof, erasure_root, root_and_proofs, verify_chunk

__all__ = [
    "MAX_CHUNKS",
    "BadChunk",
    "BadPadding",
    "ErasureError",
    "NotEnoughChunks",
    "Proof",
    "WrongRoot",
    "chunk_length",
    "encode",
    "erasure_root",
    "reconstruct",
    "recover",
    "recover_value",
    "root_and_proofs",
    "strip_padding",
    "threshold",
    "verify_chunk",
]
