"""The hash of the erasure tree, one at a time and many at once.

A node is the first 32 bytes of BLAKE2b-512 (which is not BLAKE2b-256). Hashing all chunks costs
about as much as encoding them, so for that libsodium is used, whose BLAKE2b knows AVX2, and a few
threads: it needs no interpreter lock. The result depends on neither.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from ctypes import c_ulonglong, create_string_buffer
from hashlib import blake2b

from rbcl._sodium import _sodium

_WORTH_THREADS = 1 << 20
"""Bytes below which starting threads costs more than it saves."""
_THREADS = min(4, os.cpu_count() or 1)


def node_hash(data: bytes) -> bytes:
    """The plain form."""
    return blake2b(data).digest()[:32]


def hash_all(chunks: Sequence[bytes]) -> list[bytes]:
    """:func:`node_hash` of each, in order."""
    if _THREADS == 1 or sum(map(len, chunks)) < _WORTH_THREADS:
        return _hash_run(chunks)
    size = -(-len(chunks) // _THREADS)
    runs = [chunks[start : start + size] for start in range(0, len(chunks), size)]
    with ThreadPoolExecutor(_THREADS) as threads:
        return [digest for run in threads.map(_hash_run, runs) for digest in run]


def _hash_run(chunks: Sequence[bytes]) -> list[bytes]:
    generichash = _sodium.crypto_generichash
    digest = create_string_buffer(64)
    digests = []
    for chunk in chunks:
        generichash(digest, 64, chunk, c_ulonglong(len(chunk)), None, 0)
        digests.append(digest.raw[:32])
    return digests
