"""The state trie: Substrate's base-16 Patricia Merkle trie, persistent, with storage proofs."""

from parahost.trie.codec import HashedValue, NodeForm, decode_node
from parahost.trie.compact_proof import verify_entry
from parahost.trie.comparison import ChangedValue, difference
from parahost.trie.errors import (
    CompactProofError,
    IncompleteProofError,
    InvalidProofNodeError,
    NodeDecodeError,
    ProofError,
    TrieError,
)
from parahost.trie.node import HashFunction, StateVersion, TrieNode
from parahost.trie.proof import ProofReader, prove, read_proof
from parahost.trie.trie import Trie, ordered_root

__all__ = [
    "ChangedValue",
    "CompactProofError",
    "HashFunction",
    "HashedValue",
    "IncompleteProofError",
    "InvalidProofNodeError",
    "NodeDecodeError",
    "NodeForm",
    "ProofError",
    "ProofReader",
    "StateVersion",
    "Trie",
    "TrieError",
    "TrieNode",
    "decode_node",
    "difference",
    "ordered_root",
    "prove",
    "read_proof",
    "verify_entry",
]
