"""Blobs that may be compressed: code and proofs of validity (D32).

Whoever reads one bounds what it may expand to: a small frame can stand for gigabytes.
"""

from __future__ import annotations

COMPRESSED_PREFIX = bytes.fromhex("52bc537646db8e05")
"""Says that a zstd frame of the contents follows."""

_MAX_WINDOW_SIZE = 128 * 1024 * 1024
_FEED_SIZE = 256
"""Compressed bytes given to zstd at a time. Four of them can stand for 128 KiB, so this bounds
by how much a bomb overshoots the limit: 8 MiB."""


class BadCompression(ValueError):
    """What follows the prefix is no whole zstd frame, or expands beyond the limit."""


def maybe_decompress(blob: bytes, limit: int) -> bytes:
    """The contents of a blob that is compressed, or the blob itself; at most ``limit`` bytes if it
    was compressed.

    :raises BadCompression: with one line that says what is wrong.
    """
    if not blob.startswith(COMPRESSED_PREFIX):
        return blob
    import zstandard

    frame = blob[len(COMPRESSED_PREFIX) :]
    decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_SIZE).decompressobj()
    pieces: list[bytes] = []
    size = 0
    for start in range(0, len(frame), _FEED_SIZE):
        try:
            piece = decoder.decompress(frame[start : start + _FEED_SIZE])
        except zstandard.ZstdError as error:
            raise BadCompression(f"not a zstd frame: {error}") from None
        size += len(piece)
        if size > limit:
            raise BadCompression(
                f"a frame of {len(frame)} bytes expands beyond the limit of {limit} bytes"
            )
        pieces.append(piece)
        if decoder.eof:
            rest = len(frame) - start - _FEED_SIZE + len(decoder.unused_data)
            if rest > 0 or decoder.unused_data:
                raise BadCompression("bytes follow the zstd frame")
            return b"".join(pieces)
    raise BadCompression("cut off: the zstd frame does not end")
