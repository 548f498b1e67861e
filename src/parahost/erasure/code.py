"""The availability code: data for n validators, any third of whom can bring them back.

As D28 and Polkadot's RFC-139 have it, Reed-Solomon over GF(2^16) in the Leopard basis. The first
k chunks hold the data themselves, filled up with zeros; the others are computed. All chunks are of
one length, a multiple of 64 bytes.

The code itself is a wheel's; where there is none for this Python, it is :mod:`.plain`, which gives
the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from parahost.erasure.errors import BadChunk, BadPadding, NotEnoughChunks, WrongRoot
from parahost.erasure.merkle import SMALL_BYTES, erasure_root
from parahost.primitives.memoize import memoize
from parahost.primitives.scale import decode_prefix

try:
    import reed_solomon_leopard as leopard
except ModuleNotFoundError:
    from parahost.erasure import plain as leopard

MAX_CHUNKS = 49_153
"""The most that the Leopard code in use can serve with a third of originals: its recovery chunks
are at most 2**15."""
_ALIGNMENT = 64
_PIECE_BYTES = 4 << 20
"""Bytes of all chunks that the wheel is given at a time. It keeps the interpreter's lock, so other
threads wait so long: 4 ms when it encodes for 1,000 validators, 9 when it decodes."""

T = TypeVar("T")
Chunks = Mapping[int, bytes] | Sequence[bytes | None]
"""Chunks by index; or all places in order, ``None`` where the chunk is missing."""


def threshold(n: int) -> int:
    """How many of ``n`` chunks are enough: f + 1 with f = (n - 1) // 3 (D7).

    :raises ValueError: when ``n`` is not 1 to ``MAX_CHUNKS``.
    """
    if not 1 <= n <= MAX_CHUNKS:
        raise ValueError(f"the code is for 1 to {MAX_CHUNKS} validators, not {n}")
    return (n - 1) // 3 + 1


def chunk_length(data_length: int, n: int) -> int:
    """The length in bytes of each chunk."""
    return -(-data_length // (threshold(n) * _ALIGNMENT)) * _ALIGNMENT


def encode(data: bytes, n: int) -> list[bytes]:
    """Encode data, at least one byte, into ``n`` chunks of equal length; chunk i is for
    validator i.

    :raises ValueError: when there are no data, or for a bad ``n``.
    """
    if not data:
        raise ValueError("there is nothing to encode")
    return list(_encoded_once(data, n) if len(data) <= SMALL_BYTES else _encoded(data, n))


def _encoded(data: bytes, n: int) -> Sequence[bytes]:
    k = threshold(n)
    length = chunk_length(len(data), n)
    originals = [data[start : start + length] for start in range(0, k * length, length)]
    for index in range(len(data) // length, k):
        originals[index] = originals[index].ljust(length, b"\x00")
    if n == 1:
        return originals
    return originals + _in_pieces(n, originals, lambda pieces: leopard.encode(pieces, n - k))


_encoded_once = memoize(32)(_encoded)


def reconstruct(chunks: Chunks, n: int) -> bytes:
    """The encoded data with their zero padding, from any ``threshold(n)`` chunks or more.

    Takes the chunks as they are: each must have been checked against its proof, or the result
    against the root, as :func:`recover` does.

    :raises NotEnoughChunks: when there are too few.
    :raises BadChunk: when one has an impossible index or length.
    """
    present = _checked(chunks, n)
    k = threshold(n)
    if len(present) < k:
        raise NotEnoughChunks(len(present), k)
    originals = {index: chunk for index, chunk in present.items() if index < k}
    if len(originals) < k:
        spare = sorted(index for index in present if index >= k)[: k - len(originals)]
        originals.update(_decoded(originals, [index - k for index in spare], present, n))
    return b"".join(originals[index] for index in range(k))


def _decoded(
    originals: Mapping[int, bytes], spare: Sequence[int], present: Mapping[int, bytes], n: int
) -> dict[int, bytes]:
    """The originals that lack, from those that are there and the recovery chunks ``spare``."""
    k, held = threshold(n), list(originals)
    lacking = [index for index in range(k) if index not in originals]

    def decode_piece(pieces: Sequence[bytes]) -> list[bytes]:
        of_originals = dict(zip(held, pieces, strict=False))
        of_recovery = dict(zip(spare, pieces[len(held) :], strict=True))
        found = leopard.decode(k, n - k, of_originals, of_recovery)
        return [found[index] for index in lacking]

    given = [*originals.values(), *(present[index + k] for index in spare)]
    return dict(zip(lacking, _in_pieces(n, given, decode_piece), strict=True))


def _in_pieces(
    n: int, chunks: Sequence[bytes], work: Callable[[Sequence[bytes]], list[bytes]]
) -> list[bytes]:
    """What ``work`` makes of chunks, done for a piece of each of them at a time. The code treats
    every 64 bytes of the chunks by themselves, so the result is the same."""
    length = len(chunks[0])
    width = max(_PIECE_BYTES // n // _ALIGNMENT, 1) * _ALIGNMENT
    if length <= width:
        return work(chunks)
    made = [
        work([chunk[start : start + width] for chunk in chunks])
        for start in range(0, length, width)
    ]
    return [b"".join(pieces) for pieces in zip(*made, strict=True)]


def recover(chunks: Chunks, n: int, root: bytes) -> bytes:
    """:func:`reconstruct`, and check the erasure root by encoding the result anew.

    :raises NotEnoughChunks: when there are too few.
    :raises BadChunk: when one has an impossible index or length.
    :raises WrongRoot: when these are not the data that the root stands for.
    """
    padded = reconstruct(chunks, n)
    actual = erasure_root(encode(padded, n))
    if actual != root:
        raise WrongRoot(root, actual)
    return padded


def recover_value(type_: type[T], chunks: Chunks, n: int, root: bytes) -> T:
    """:func:`recover`, and decode the SCALE value that was encoded.

    :raises ErasureError: as :func:`recover`, and :class:`BadPadding`.
    :raises ScaleDecodeError: when the data are no value of that type.
    """
    padded = recover(chunks, n, root)
    value: T
    value, length = decode_prefix(type_, padded)
    strip_padding(padded, length, n)
    return value


def strip_padding(padded: bytes, length: int, n: int) -> bytes:
    """The first ``length`` bytes: the data without their padding.

    :raises BadPadding: when the rest is not zero, or the chunks are longer than need be, so that
        an honest encoder of these data would not have made these chunks.
    """
    if len(padded) != threshold(n) * chunk_length(length, n):
        raise BadPadding(length, len(padded), "the chunks have another length than they need")
    if padded.count(0, length) != len(padded) - length:
        raise BadPadding(length, len(padded), "the padding is not zero")
    return padded[:length]


def _checked(chunks: Chunks, n: int) -> dict[int, bytes]:
    """The chunks that are there, by index, all of one possible length."""
    items = chunks.items() if isinstance(chunks, Mapping) else enumerate(chunks)
    present = {index: chunk for index, chunk in items if chunk is not None}
    expected: int | None = None
    for index, chunk in present.items():
        if not 0 <= index < n:
            raise BadChunk(index, f"there are {n} validators")
        if not chunk or len(chunk) % _ALIGNMENT:
            raise BadChunk(index, f"{len(chunk)} bytes are no multiple of {_ALIGNMENT}")
        if len(chunk) != (expected := expected or len(chunk)):
            raise BadChunk(index, f"{len(chunk)} bytes where another has {expected}")
    return present
