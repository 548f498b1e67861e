"""The shuffle that makes groups (A27, D2): Fisher-Yates on the ChaCha20 key stream of a seed.

The numbers are drawn as rand 0.8 draws them, so that groups equal Polkadot's.
"""

from __future__ import annotations

from collections.abc import Iterator

from Crypto.Cipher import ChaCha20

from parahost.primitives.basic import H256

_BLOCK = bytes(1024)
_U32 = 1 << 32


def shuffled(count: int, seed: H256) -> list[int]:
    """The integers below ``count`` (< 2**32) in the order that the 32-byte seed gives."""
    order = list(range(count))
    words = _key_stream(seed)
    for last in range(count - 1, 0, -1):
        chosen = _below(last + 1, words)
        order[last], order[chosen] = order[chosen], order[last]
    return order


def _below(bound: int, words: Iterator[int]) -> int:
    """An integer in [0, bound), without modulo bias: the high word of word x bound, where words
    whose low word falls outside a multiple of the bound are passed over."""
    zone = (bound << (32 - bound.bit_length())) - 1
    for word in words:
        high, low = divmod(word * bound, _U32)
        if low <= zone:
            return high
    raise AssertionError("the key stream does not end")


def _key_stream(seed: H256) -> Iterator[int]:
    """ChaCha20's key stream with a zero nonce of 8 bytes, as little-endian words."""
    cipher = ChaCha20.new(key=seed, nonce=bytes(8))
    while True:
        block = cipher.encrypt(_BLOCK)
        for start in range(0, len(block), 4):
            yield int.from_bytes(block[start : start + 4], "little")
