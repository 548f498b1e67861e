"""Verifying proofs that leave out what their verifier knows or computes, as trie-db makes them.

The proof of an entry is the nodes on the path of its key, the top first, without the value, and
without the hash that leads from each node to the next; a node that stands in its parent is there.
Who verifies fills value and hashes in again, from the bottom up, and so comes to the root. These
are not the proofs of :mod:`parahost.trie.proof`, which hold the nodes as they are.

A verdict is that of Substrate's ``verify_trie_proof``, also where it takes what no prover makes:
bytes behind a node, or a node of 32 bytes in its parent.
"""

from __future__ import annotations

from collections.abc import Sequence

from parahost.crypto.hashing import blake2_256
from parahost.primitives.values import dataclass
from parahost.trie.codec import EMPTY_NODE, HASH_LENGTH, HashedValue, NodeForm, read_node
from parahost.trie.errors import CompactProofError, NodeDecodeError
from parahost.trie.node import HashFunction, StateVersion, is_hashed

_OMITTED = b""


def verify_entry(
    root: bytes,
    proof: Sequence[bytes],
    key: bytes,
    value: bytes,
    version: StateVersion,
    hasher: HashFunction = blake2_256,
) -> None:
    """See that the proof shows ``value`` under ``key`` in the trie with this root, and holds no
    node more than that takes.

    :raises CompactProofError: when it does not.
    """
    *above, last = _path(proof, key)
    stands_for_value = HashedValue(hasher(value)) if is_hashed(value, version) else value
    form = NodeForm(last.form.partial, stands_for_value, last.form.children)
    reference = _reference(form, last.is_inline, hasher)
    for step in reversed(above):
        children = list(step.form.children)
        children[step.child] = reference
        form = NodeForm(step.form.partial, step.form.value, tuple(children))
        reference = _reference(form, step.is_inline, hasher)
    if reference != root:
        raise CompactProofError(f"it leads to the root 0x{reference.hex()}, not 0x{root.hex()}")


@dataclass(frozen=True, slots=True)
class _Step:
    """A node on the way down, and which child comes next; the last has none."""

    form: NodeForm
    is_inline: bool
    """It stands in its parent."""
    child: int = -1


def _path(proof: Sequence[bytes], key: bytes) -> list[_Step]:
    """The nodes on the key's path, as they are in the proof. The last lacks the value."""
    digits, at = key.hex(), 0
    nodes = iter(proof)
    steps: list[_Step] = []
    child = _OMITTED
    while True:
        is_inline = child != _OMITTED
        form = _decoded(child if is_inline else next(nodes, None))
        if not digits.startswith(form.partial, at):
            raise CompactProofError("it shows that nothing is under the key")
        at += len(form.partial)
        if at == len(digits):
            break
        index = int(digits[at], 16)
        found = form.children[index] if form.children else None
        if found is None:
            raise CompactProofError("it shows that nothing is under the key")
        if len(found) == HASH_LENGTH:
            raise CompactProofError("it holds a hash that it should leave out")
        steps.append(_Step(form, is_inline, index))
        child = found
        at += 1
    if form.value != (None if form.children else _OMITTED):
        raise CompactProofError("it holds the value that it should leave out")
    if next(nodes, None) is not None:
        raise CompactProofError("it holds more nodes than it takes")
    return [*steps, _Step(form, is_inline)]


def _decoded(node: bytes | None) -> NodeForm:
    if node is None:
        raise CompactProofError("a node lacks")
    if node[:1] == EMPTY_NODE:
        raise CompactProofError("it shows that nothing is under the key")
    try:
        return read_node(node)[0]
    except NodeDecodeError as error:
        raise CompactProofError(str(error)) from error


def _reference(form: NodeForm, is_inline: bool, hasher: HashFunction) -> bytes:
    """How the parent refers to the node."""
    if any(child is not None and len(child) > HASH_LENGTH for child in form.children):
        raise CompactProofError("a node in its parent is longer than a hash")
    encoded = form.encode()
    if not is_inline:
        return hasher(encoded)
    if len(encoded) > HASH_LENGTH:
        raise CompactProofError("a node in its parent is longer than a hash")
    return encoded
