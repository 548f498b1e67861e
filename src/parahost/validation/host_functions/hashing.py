"""``sp_io::hashing``: each takes a span and gives a pointer to the hash."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from parahost.validation.host_functions.context import HostContext, HostFunction


def blake2_128(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=16).digest()


def blake2_256(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=32).digest()


def sha2_256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def keccak_256(data: bytes) -> bytes:
    """Keccak as it was before SHA-3's padding, as Ethereum uses it."""
    from Crypto.Hash import keccak

    return bytes(keccak.new(digest_bits=256, data=data).digest())


def keccak_512(data: bytes) -> bytes:
    from Crypto.Hash import keccak

    return bytes(keccak.new(digest_bits=512, data=data).digest())


def twox(data: bytes, bits: int) -> bytes:
    """xxHash-64 with the seeds 0, 1, 2 .., little-endian, as many as make up ``bits``."""
    import xxhash

    return b"".join(
        int(xxhash.xxh64_intdigest(data, seed)).to_bytes(8, "little") for seed in range(bits // 64)
    )


def _of_span(digest: Callable[[bytes], bytes]) -> Callable[[HostContext, int], int]:
    def body(context: HostContext, span: int) -> int:
        return context.give(digest(context.memory.read_span(span)))

    return body


_DIGESTS: dict[str, Callable[[bytes], bytes]] = {
    "blake2_128": blake2_128,
    "blake2_256": blake2_256,
    "keccak_256": keccak_256,
    "keccak_512": keccak_512,
    "sha2_256": sha2_256,
    "twox_64": lambda data: twox(data, 64),
    "twox_128": lambda data: twox(data, 128),
    "twox_256": lambda data: twox(data, 256),
}

FUNCTIONS = [
    HostFunction(f"ext_hashing_{name}_version_1", "l", "i", _of_span(digest))
    for name, digest in _DIGESTS.items()
]
