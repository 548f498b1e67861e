"""The indices, hashes and keys that everything else is made of.

Indices of different kinds are different types, so that a core is never taken for a group.
A type named ``U8`` .. ``U128`` says how wide an integer is in SCALE; every index is built on one.
"""

from __future__ import annotations

from typing import NewType

U8 = NewType("U8", int)
U16 = NewType("U16", int)
U32 = NewType("U32", int)
U64 = NewType("U64", int)
U128 = NewType("U128", int)

H256 = NewType("H256", bytes)
"""32 bytes, encoded as they are."""
H512 = NewType("H512", bytes)
"""64 bytes, encoded as they are."""

Hash = NewType("Hash", H256)
"""A blake2-256 hash; by itself, the hash of a relay chain block's header."""
CandidateHash = NewType("CandidateHash", H256)
"""blake2-256 of a candidate receipt (D10)."""
ValidationCodeHash = NewType("ValidationCodeHash", H256)
"""blake2-256 of a validation function's bytes as they were registered."""

ValidatorId = NewType("ValidatorId", H256)
"""An sr25519 public key with which a validator signs statements and bitfields."""
ValidatorSignature = NewType("ValidatorSignature", H512)
CollatorId = NewType("CollatorId", H256)
"""An sr25519 public key with which a collator signs collations."""
CollatorSignature = NewType("CollatorSignature", H512)
BabeId = NewType("BabeId", H256)
"""An sr25519 public key that authors blocks."""
GrandpaId = NewType("GrandpaId", H256)
"""An ed25519 public key that votes on finality."""
GrandpaSignature = NewType("GrandpaSignature", H512)
PeerSignature = NewType("PeerSignature", H512)
"""An ed25519 signature by the key that a peer id holds."""

BlockNumber = NewType("BlockNumber", U32)
ParaId = NewType("ParaId", U32)
CoreIndex = NewType("CoreIndex", U32)
GroupIndex = NewType("GroupIndex", U32)
ValidatorIndex = NewType("ValidatorIndex", U32)
"""A position in the session's list of validators."""
ChunkIndex = NewType("ChunkIndex", U32)
"""A position among the chunks of an erasure coding; chunk i belongs to validator i."""
SessionIndex = NewType("SessionIndex", U32)
Slot = NewType("Slot", U64)

HeadData = NewType("HeadData", bytes)
"""A parachain's own description of its head; opaque to the relay chain."""
ValidationCode = NewType("ValidationCode", bytes)
"""A validation function: Wasm, possibly compressed (D32)."""

PeerId = NewType("PeerId", str)
"""A libp2p peer id in base58."""

FIRST_BLOCK = BlockNumber(U32(0))
LAST_BLOCK = BlockNumber(U32(2**32 - 1))


def block_at(number: int) -> BlockNumber:
    """The block of that number, or the first or last that can be when there is none such: what is
    planned for later than the last block never comes."""
    return BlockNumber(U32(min(max(number, 0), LAST_BLOCK)))


ZERO_HASH = Hash(H256(bytes(32)))
