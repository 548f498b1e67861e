"""The hash functions of Substrate, by Substrate's names. All take and return bytes.

The ``twox`` family is xxHash64 with the seeds 0, 1, 2, 3, each result little-endian: fast, and not
cryptographic. A ``concat`` hash is followed by the hashed key itself, so that a storage map can be
enumerated.
"""

from __future__ import annotations

from hashlib import blake2b, sha256

from Crypto.Hash import keccak
from xxhash import xxh64_intdigest

from parahost.primitives.hashing import blake2_256

__all__ = [
    "blake2_64",
    "blake2_128",
    "blake2_128_concat",
    "blake2_256",
    "blake2_512",
    "keccak_256",
    "sha2_256",
    "twox_64",
    "twox_64_concat",
    "twox_128",
    "twox_256",
]


def blake2_64(data: bytes) -> bytes:
    return blake2b(data, digest_size=8).digest()


def blake2_128(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest()


def blake2_512(data: bytes) -> bytes:
    return blake2b(data).digest()


def blake2_128_concat(data: bytes) -> bytes:
    return blake2b(data, digest_size=16).digest() + data


def twox_64(data: bytes) -> bytes:
    return _xx(data, 0)


def twox_128(data: bytes) -> bytes:
    return _xx(data, 0) + _xx(data, 1)


def twox_256(data: bytes) -> bytes:
    return _xx(data, 0) + _xx(data, 1) + _xx(data, 2) + _xx(data, 3)


def twox_64_concat(data: bytes) -> bytes:
    return _xx(data, 0) + data


def keccak_256(data: bytes) -> bytes:
    """Keccak-256 as Ethereum uses it, with the padding that SHA-3 later changed."""
    return keccak.new(data=data, digest_bits=256).digest()


def sha2_256(data: bytes) -> bytes:
    return sha256(data).digest()


def _xx(data: bytes, seed: int) -> bytes:
    return int(xxh64_intdigest(data, seed)).to_bytes(8, "little")
