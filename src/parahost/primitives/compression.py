"""Blobs that may be compressed: code and proofs of validity (D32).

Whoever reads one bounds what it may expand to: a small frame can stand for gigabytes.
"""

from __future__ import annotations

COMPRESSED_PREFIX = bytes.fromhex("52bc537646db8e05")
"""Says that the contents follow in zstd frames."""

_MAX_WINDOW_SIZE = 128 * 1024 * 1024
_FEED_SIZE = 256
"""Compressed bytes given to zstd at a time. Four of them can stand for 128 KiB, so this bounds
by how much a bomb overshoots the limit: 8 MiB."""


class BadCompression(ValueError):
    """What follows the prefix is not whole zstd frames, or expands beyond the limit."""


def maybe_decompress(blob: bytes, limit: int) -> bytes:
    """The contents of a blob that is compressed, or the blob itself; at most ``limit`` bytes if it
    was compressed.

    As Substrate's ``sp_maybe_compressed_blob`` does, this takes one or more frames, whose contents
    together are the blob's, and passes over skippable ones. The limit is for their sum.

    :raises BadCompression: with one line that says what is wrong.
    """
    if not blob.startswith(COMPRESSED_PREFIX):
        return blob
    return _contents(blob[len(COMPRESSED_PREFIX) :], limit)


def _contents(frames: bytes, limit: int) -> bytes:
    import zstandard

    decompressor = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW_SIZE)
    decoder = decompressor.decompressobj()
    contents = bytearray()
    for start in range(0, len(frames), _FEED_SIZE):
        rest = frames[start : start + _FEED_SIZE]
        while rest:
            if decoder.eof:
                decoder = decompressor.decompressobj()
            try:
                contents += decoder.decompress(rest)
            except zstandard.ZstdError as error:
                raise BadCompression(f"not a zstd frame: {error}") from None
            if len(contents) > limit:
                raise BadCompression(
                    f"{len(frames)} bytes expand beyond the limit of {limit} bytes"
                )
            rest = decoder.unused_data
    if not decoder.eof:
        raise BadCompression("cut off: the zstd frame does not end")
    return bytes(contents)
