"""The binary Merkle tree over chunks: its root is the erasure root of a candidate (D28).

The leaves are the chunks' hashes, filled up with zero hashes to a power of two; an inner node is
the hash of its two children. A proof is the siblings on the way from the leaf up, its SCALE form
``Vec<[u8; 32]>``.
"""

from __future__ import annotations

from collections.abc import Sequence

from parahost.erasure.hashing import hash_all, node_hash
from parahost.primitives.basic import H256
from parahost.primitives.memoize import memoize

Proof = tuple[H256, ...]
"""The siblings of a leaf and of its ancestors, the lowest first."""

SMALL_BYTES = 64 * 1024
"""What a node computes of so little data is remembered for a while: a backer needs chunks and tree
when it stores a candidate and when it hands the chunks out."""
_EMPTY_LEAF = bytes(32)


def root_and_proofs(chunks: Sequence[bytes]) -> tuple[H256, list[Proof]]:
    """The erasure root, and for each chunk its proof.

    :raises ValueError: when there are no chunks.
    """
    levels = _tree(chunks)
    above: list[Proof] = [()]
    for level in reversed(levels[:-1]):
        above = [(H256(level[node ^ 1]), *above[node >> 1]) for node in range(len(level))]
    return H256(levels[-1][0]), above[: len(chunks)]


def erasure_root(chunks: Sequence[bytes]) -> H256:
    """The root alone.

    :raises ValueError: when there are no chunks.
    """
    return H256(_tree(chunks)[-1][0])


def verify_chunk(root: bytes, index: int, chunk: bytes, proof: Sequence[bytes], n: int) -> bool:
    """Whether the chunk is number ``index`` of the ``n`` under that root. Never raises for what
    was received."""
    if not 0 <= index < n or len(proof) != (n - 1).bit_length():
        return False
    node = node_hash(chunk)
    for height, sibling in enumerate(proof):
        right = index >> height & 1
        node = node_hash(sibling + node if right else node + sibling)
    return node == root


def _tree(chunks: Sequence[bytes]) -> Sequence[Sequence[bytes]]:
    """All nodes, from the leaves to the root."""
    if not chunks:
        raise ValueError("no chunks, no root")
    if sum(map(len, chunks)) > 3 * SMALL_BYTES:
        return _levels(chunks)
    return _levels_once(tuple(chunks))


def _levels(chunks: Sequence[bytes]) -> Sequence[Sequence[bytes]]:
    width = 1 << (len(chunks) - 1).bit_length()
    level = hash_all(chunks) + [_EMPTY_LEAF] * (width - len(chunks))
    levels = [level]
    while len(level) > 1:
        level = [
            node_hash(left + right) for left, right in zip(level[::2], level[1::2], strict=True)
        ]
        levels.append(level)
    return levels


_levels_once = memoize(32)(_levels)
