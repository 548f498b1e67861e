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

from parahost.crypto.sodium import library

_WORTH_THREADS = 1 << 20
"""Bytes below which calling other threads costs more than it saves."""
_RUN = 32
"""Chunks that a thread takes at a time; small, because some threads may get little of the CPU."""
_HELPERS = min(4, os.cpu_count() or 1) - 1
_pool = ThreadPoolExecutor(max(1, _HELPERS), "erasure-hash")


def node_hash(data: bytes) -> bytes:
    """The plain form."""
    return blake2b(data).digest()[:32]


def hash_all(chunks: Sequence[bytes]) -> list[bytes]:
    """:func:`node_hash` of each, in order."""
    if _HELPERS == 0 or sum(map(len, chunks)) < _WORTH_THREADS:
        return _hash_run(chunks)
    digests = [b""] * len(chunks)
    starts = iter(range(0, len(chunks), _RUN))

    def work() -> None:
        for start in starts:
            digests[start : start + _RUN] = _hash_run(chunks[start : start + _RUN])

    helpers = [_pool.submit(work) for _ in range(_HELPERS)]
    work()
    for helper in helpers:
        helper.result()
    return digests


def _hash_run(chunks: Sequence[bytes]) -> list[bytes]:
    generichash = library.crypto_generichash
    digest = create_string_buffer(64)
    digests = []
    for chunk in chunks:
        generichash(digest, 64, chunk, c_ulonglong(len(chunk)), None, 0)
        digests.append(digest.raw[:32])
    return digests
