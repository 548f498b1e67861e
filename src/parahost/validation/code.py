"""The bytes of a validation function as they were registered: Wasm, or compressed Wasm (D32)."""

from __future__ import annotations

import hashlib

from parahost.validation.errors import FunctionFailed

COMPRESSED_PREFIX = bytes.fromhex("52bc537646db8e05")
"""Says that a zstd frame of the Wasm follows."""
WASM_MAGIC = b"\0asm"
MAX_WASM_SIZE = 50 * 1024 * 1024
"""The largest module, in bytes, that compressed code may expand to."""

_MAX_WINDOW_SIZE = 128 * 1024 * 1024
_FEED_SIZE = 256
"""Compressed bytes given to zstd at a time. Four of them can stand for 128 KiB, so this bounds
by how much a bomb overshoots the limit: 8 MiB."""


def code_hash(code: bytes) -> bytes:
    """The blake2-256 hash of the code as registered, compressed or not."""
    return hashlib.blake2b(code, digest_size=32).digest()


def wasm_of(code: bytes) -> bytes:
    """The Wasm module in ``code``, decompressed if need be.

    :raises FunctionFailed: when it is not Wasm, not a whole zstd frame, or too large.
    """
    wasm = _decompress(code[len(COMPRESSED_PREFIX) :]) if _is_compressed(code) else code
    if len(wasm) > MAX_WASM_SIZE:
        raise FunctionFailed(f"code of {len(wasm)} bytes exceeds the limit of {MAX_WASM_SIZE}")
    if not wasm.startswith(WASM_MAGIC):
        raise FunctionFailed(f"code is not Wasm: it begins with {wasm[:8].hex() or 'nothing'}")
    return wasm


def _is_compressed(code: bytes) -> bool:
    return code.startswith(COMPRESSED_PREFIX)


def _decompress(frame: bytes) -> bytes:
    import zstandard

    decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_SIZE).decompressobj()
    pieces: list[bytes] = []
    size = 0
    for start in range(0, len(frame), _FEED_SIZE):
        try:
            piece = decoder.decompress(frame[start : start + _FEED_SIZE])
        except zstandard.ZstdError as error:
            raise FunctionFailed(f"compressed code is not a zstd frame: {error}") from None
        size += len(piece)
        if size > MAX_WASM_SIZE:
            raise FunctionFailed(
                f"compressed code of {len(frame)} bytes expands beyond the limit of "
                f"{MAX_WASM_SIZE} bytes"
            )
        pieces.append(piece)
        if decoder.eof:
            rest = len(frame) - start - _FEED_SIZE + len(decoder.unused_data)
            if rest > 0 or decoder.unused_data:
                raise FunctionFailed("bytes follow the zstd frame of the compressed code")
            return b"".join(pieces)
    raise FunctionFailed("compressed code is cut off: its zstd frame does not end")
