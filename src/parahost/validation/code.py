"""The bytes of a validation function as they were registered: Wasm, or compressed Wasm (D32)."""

from __future__ import annotations

import hashlib

from parahost.primitives.compression import BadCompression, maybe_decompress
from parahost.validation.errors import FunctionFailed

WASM_PREFIX = b"\0asm"
MAX_WASM_SIZE = 50 * 1024 * 1024
"""The largest module, in bytes, that compressed code may expand to."""


def code_hash(code: bytes) -> bytes:
    """The blake2-256 hash of the code as registered, compressed or not."""
    return hashlib.blake2b(code, digest_size=32).digest()


def wasm_of(code: bytes) -> bytes:
    """The Wasm module in ``code``, decompressed if need be.

    :raises FunctionFailed: when it is not Wasm, not whole zstd frames, or too large.
    """
    try:
        wasm = maybe_decompress(code, MAX_WASM_SIZE)
    except BadCompression as error:
        raise FunctionFailed(f"compressed code: {error}") from None
    if len(wasm) > MAX_WASM_SIZE:
        raise FunctionFailed(f"code of {len(wasm)} bytes exceeds the limit of {MAX_WASM_SIZE}")
    if not wasm.startswith(WASM_PREFIX):
        raise FunctionFailed(f"code is not Wasm: it begins with {wasm[:8].hex() or 'nothing'}")
    return wasm
