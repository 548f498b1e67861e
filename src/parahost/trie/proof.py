"""Storage proofs: the nodes of a state trie that settle what is stored under some keys.

A relay chain's collators hand such proofs to their parachains, which trust nothing but the
relay chain's state root (D29).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from parahost.crypto.hashing import blake2_256
from parahost.trie.codec import EMPTY_NODE, HASH_LENGTH, HashedValue, NodeForm, decode_node
from parahost.trie.errors import (
    IncompleteProofError,
    InvalidProofNodeError,
    NodeDecodeError,
)
from parahost.trie.node import is_hashed
from parahost.trie.trie import Trie


def prove(trie: Trie, keys: Iterable[bytes]) -> list[bytes]:
    """The forms of the nodes on the keys' paths, each once, the top first; under state version 1
    also the long values themselves. Proves absence as well as presence."""
    version, hasher = trie.version, trie.hasher
    proof = {EMPTY_NODE if trie.top is None else trie.top.encode(version, hasher): None}
    for key in keys:
        nodes, value = trie.find(key)
        for node in nodes:
            if len(node.merkle_value(version, hasher)) == HASH_LENGTH:
                proof[node.encode(version, hasher)] = None
        if value is not None and is_hashed(value, version):
            proof[value] = None
    return list(proof)


def read_proof(root: bytes, nodes: Sequence[bytes], key: bytes) -> bytes | None:
    """What a proof says is stored under ``key`` in the state with this root; ``None`` if nothing
    is. ``nodes`` may be in any order and may hold more than this key needs.

    :raises IncompleteProofError: when the proof does not settle it.
    :raises InvalidProofNodeError: when the root is not one of a state trie.
    """
    return ProofReader(root, nodes).get(key)


class ProofReader:
    """A proof to be read for many keys."""

    def __init__(self, root: bytes, nodes: Sequence[bytes]) -> None:
        self._root = root
        self._by_hash: dict[bytes, bytes] = {blake2_256(node): node for node in nodes}

    def get(self, key: bytes) -> bytes | None:
        """As :func:`read_proof`."""
        digits = key.hex()
        at = 0
        node = self._node(key, self._hashed(key, self._root))
        while node is not None and digits.startswith(node.partial, at):
            at += len(node.partial)
            if at == len(digits):
                return self._value(key, node.value)
            child = node.children[int(digits[at], 16)] if node.children else None
            if child is None:
                return None
            at += 1
            is_hash = len(child) == HASH_LENGTH
            node = self._node(key, self._hashed(key, child) if is_hash else child)
        return None

    def _hashed(self, key: bytes, hash_: bytes) -> bytes:
        found = self._by_hash.get(hash_)
        if found is None:
            raise IncompleteProofError(key, hash_)
        return found

    def _node(self, key: bytes, encoded: bytes) -> NodeForm | None:
        try:
            return decode_node(encoded)
        except NodeDecodeError as error:
            raise InvalidProofNodeError(key, error) from error

    def _value(self, key: bytes, value: bytes | HashedValue | None) -> bytes | None:
        return self._hashed(key, value.hash) if isinstance(value, HashedValue) else value
