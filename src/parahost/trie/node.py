"""The state trie's nodes in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum

from parahost.crypto.hashing import blake2_256
from parahost.trie.codec import HASH_LENGTH, HashedValue, NodeForm

HashFunction = Callable[[bytes], bytes]
"""The hash function of a trie, 32 bytes each: blake2-256 for a state, Keccak-256 where a parachain
proves something to Ethereum."""
MAX_INLINE_VALUE = 32
"""In state version 1, the longest value, in bytes, that stands in a node itself."""


class StateVersion(IntEnum):
    """How long values enter the trie: as they are, or hashed."""

    V0 = 0
    V1 = 1


def is_hashed(value: bytes, version: StateVersion) -> bool:
    """Whether a value's hash stands in its node instead of the value."""
    return version is StateVersion.V1 and len(value) > MAX_INLINE_VALUE


class TrieNode:
    """A node with everything below it; never changed once made.

    ``partial`` is the key's part between the parent's branching and the node's own, nibbles as
    hexadecimal digits: slices of it are keys, and its order is the keys' order. ``children`` has
    16 places, or none for a leaf.

    What the parent says of the node is worked out when first asked for and kept, so a node that
    many tries share is encoded and hashed once. A node belongs to tries of one state version and
    one hasher.
    """

    __slots__ = ("_merkle_value", "children", "partial", "value")

    def __init__(
        self, partial: str, value: bytes | None, children: tuple[TrieNode | None, ...]
    ) -> None:
        self.partial = partial
        self.value = value
        self.children = children
        self._merkle_value: bytes | None = None

    def merkle_value(self, version: StateVersion, hasher: HashFunction = blake2_256) -> bytes:
        """How the parent refers to the node: its form if shorter than 32 bytes, else the hash
        of its form."""
        if self._merkle_value is None:
            encoded = self.encode(version, hasher)
            short = len(encoded) < HASH_LENGTH
            self._merkle_value = encoded if short else hasher(encoded)
        return self._merkle_value

    def encode(self, version: StateVersion, hasher: HashFunction = blake2_256) -> bytes:
        """The node's form."""
        if self.children:
            for node in self._unknown_below():
                node.merkle_value(version, hasher)
        value: bytes | HashedValue | None = self.value
        if isinstance(value, bytes) and is_hashed(value, version):
            value = HashedValue(hasher(value))
        children = tuple(
            None if child is None else child.merkle_value(version, hasher)
            for child in self.children
        )
        return NodeForm(self.partial, value, children).encode()

    def _unknown_below(self) -> Iterator[TrieNode]:
        """The nodes below whose Merkle values are not known yet, each after those below it: so
        that asking for them in turn does not recurse, however deep the trie is."""
        found: list[TrieNode] = []
        pending = [self]
        while pending:
            below = [
                child
                for child in pending.pop().children
                if child is not None and child._merkle_value is None
            ]
            found += below
            pending += below
        return reversed(found)
