"""Substrate's base-16 Patricia Merkle trie, persistent: each change gives a new trie that shares
with the old one all nodes off the changed paths."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby

from parahost.crypto.hashing import blake2_256
from parahost.primitives.basic import H256, Hash
from parahost.primitives.memoize import memoize
from parahost.primitives.scale import encode_compact
from parahost.trie.codec import EMPTY_NODE, NO_CHILDREN
from parahost.trie.node import HashFunction, StateVersion, TrieNode

Changes = Sequence[tuple[str, bytes | None]]
"""Keys in hexadecimal digits, ascending, each with its new value or ``None`` to remove it."""


class Trie:
    """An immutable trie of byte keys and values, under one state version and one hasher."""

    __slots__ = ("_node", "_root", "hasher", "version")

    def __init__(
        self,
        version: StateVersion = StateVersion.V1,
        node: TrieNode | None = None,
        hasher: HashFunction = blake2_256,
    ) -> None:
        self.version = version
        self.hasher = hasher
        self._node = node
        self._root: Hash | None = None

    @property
    def top(self) -> TrieNode | None:
        """The uppermost node; ``None`` in a trie without keys."""
        return self._node

    @property
    def root(self) -> Hash:
        """The hash of the uppermost node's form, however short. Costs the encoding of the nodes
        that no earlier root has met."""
        if self._root is None:
            node = self._node
            encoded = EMPTY_NODE if node is None else node.encode(self.version, self.hasher)
            self._root = Hash(H256(self.hasher(encoded)))
        return self._root

    def get(self, key: bytes) -> bytes | None:
        """The value under ``key``."""
        return self.find(key)[1]

    def find(self, key: bytes) -> tuple[list[TrieNode], bytes | None]:
        """The nodes that decide what is under ``key``, from the top down to the node for it or
        to the first that shows that there is none; and the value."""
        digits = key.hex()
        at = 0
        nodes: list[TrieNode] = []
        node = self._node
        while node is not None:
            nodes.append(node)
            if not digits.startswith(node.partial, at):
                break
            at += len(node.partial)
            if at == len(digits):
                return nodes, node.value
            if not node.children:
                break
            node = node.children[int(digits[at], 16)]
            at += 1
        return nodes, None

    def items(
        self, prefix: bytes = b"", *, after: bytes | None = None
    ) -> Iterator[tuple[bytes, bytes]]:
        """Keys that begin with ``prefix``, ascending, with their values; with ``after``, only
        those that come after that key, and none before it is looked at."""
        found = self.find_below(prefix.hex())
        if found is None:
            return iter(())
        node, at = found
        return _items_below(node, at, None if after is None else after.hex())

    def merkle_value_below(self, prefix: bytes) -> bytes | None:
        """The Merkle value of the uppermost node whose key begins with ``prefix``: it is another
        one when anything under the prefix is."""
        found = self.find_below(prefix.hex())
        return None if found is None else found[0].merkle_value(self.version, self.hasher)

    def find_below(self, wanted: str) -> tuple[TrieNode, str] | None:
        """The uppermost node whose key begins with these digits, and its full key."""
        at = ""
        node = self._node
        while node is not None:
            at += node.partial
            if len(at) >= len(wanted):
                break
            if not wanted.startswith(at) or not node.children:
                return None
            at = wanted[: len(at) + 1]
            node = node.children[int(at[-1], 16)]
        return None if node is None or not at.startswith(wanted) else (node, at)

    def insert_many(self, changes: Mapping[bytes, bytes | None]) -> Trie:
        """The trie with these values instead; ``None`` removes a key. Changes that change
        nothing give this very trie."""
        return _with(self, tuple(changes.items()))


@memoize(8)
def _with(trie: Trie, changes: tuple[tuple[bytes, bytes | None], ...]) -> Trie:
    """As :meth:`Trie.insert_many`. Who authors a block makes its state twice: for the header, and
    when it imports it as everybody does."""
    effective = [(key.hex(), value) for key, value in changes if trie.get(key) != value]
    if not effective:
        return trie
    effective.sort(key=lambda change: change[0])
    return Trie(trie.version, _changed(trie.top, effective), trie.hasher)


@lru_cache(16 * 1024)
def _list_key(index: int) -> str:
    out = bytearray()
    encode_compact(out, index)
    return out.hex()


def ordered_root(
    values: Sequence[bytes], version: StateVersion, hasher: HashFunction = blake2_256
) -> Hash:
    """The root over a list: value i under the SCALE compact form of i. A header's
    ``extrinsics_root`` is the one over its block's encoded extrinsics."""
    entries = sorted((_list_key(index), value) for index, value in enumerate(values))
    return Trie(version, _changed(None, entries) if entries else None, hasher).root


def _items_below(node: TrieNode, at: str, after: str | None) -> Iterator[tuple[bytes, bytes]]:
    """Keys and values of ``node``, whose full key is ``at``, and below; without recursion, as
    each level of generators would cost every item."""
    pending = [(at, node)]
    while pending:
        at, node = pending.pop()
        if after is not None and at < after[: len(at)]:
            continue
        if node.value is not None and (after is None or at > after):
            yield bytes.fromhex(at), node.value
        for index in range(len(node.children) - 1, -1, -1):
            child = node.children[index]
            if child is not None:
                pending.append((f"{at}{index:x}{child.partial}", child))


def _changed(top: TrieNode | None, changes: Changes) -> TrieNode | None:
    """The top after ``changes``, of which there are some and each changes something.

    First down: each place that changes reach is opened, its node taken apart. Then back up:
    nodes are made, those below first. No recursion, for strangers' keys may nest deeply.
    """
    place: list[TrieNode | None] = [top]
    # A place: a list and an index in it. Its changes agree in the first ``depth`` digits.
    reached: list[tuple[list[TrieNode | None], int, Changes, int]] = [(place, 0, changes, 0)]
    opened: list[tuple[list[TrieNode | None], int, _Parts]] = []
    while reached:
        into, index, here, depth = reached.pop()
        if into[index] is None and len(here) == 1:
            digits, value = here[0]
            into[index] = TrieNode(digits[depth:], value, ())
            continue
        parts = _taken_apart(into[index], here, depth)
        opened.append((into, index, parts))
        depth += len(parts.partial)
        if len(here[0][0]) == depth:
            parts.value = here[0][1]
            here = here[1:]
        for digit, group in groupby(here, key=lambda change: change[0][depth]):
            reached.append((parts.children, int(digit, 16), list(group), depth + 1))
    for into, index, parts in reversed(opened):
        into[index] = parts.together()
    return place[0]


@dataclass(slots=True)
class _Parts:
    """A node in the making."""

    partial: str
    value: bytes | None
    children: list[TrieNode | None]

    def together(self) -> TrieNode | None:
        """The node in the one form that a trie allows: a branch has two children, or one and a
        value; with less it is its only child, a leaf, or nothing."""
        present = [index for index, child in enumerate(self.children) if child is not None]
        if not present:
            return None if self.value is None else TrieNode(self.partial, self.value, ())
        if len(present) == 1 and self.value is None:
            index = present[0]
            child = self.children[index]
            assert child is not None
            partial = f"{self.partial}{index:x}{child.partial}"
            return TrieNode(partial, child.value, child.children)
        return TrieNode(self.partial, self.value, tuple(self.children))


def _taken_apart(node: TrieNode | None, changes: Changes, depth: int) -> _Parts:
    """A node opened for changes to enter it: cut where the first of them parts from it."""
    # All keys lie between the first and the last: what these two share, all share.
    shared = common_prefix(changes[0][0][depth:], changes[-1][0][depth:])
    if node is None:
        return _Parts(shared, None, list(NO_CHILDREN))
    shared = common_prefix(shared, node.partial)
    if len(shared) == len(node.partial):
        return _Parts(shared, node.value, list(node.children or NO_CHILDREN))
    rest = node.partial[len(shared) :]
    children: list[TrieNode | None] = list(NO_CHILDREN)
    children[int(rest[0], 16)] = TrieNode(rest[1:], node.value, node.children)
    return _Parts(shared, None, children)


def common_prefix(one: str, other: str) -> str:
    """The digits with which both begin."""
    for index, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return one[:index]
    return min(one, other, key=len)
