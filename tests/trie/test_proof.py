"""Storage proofs: what they settle, and what they refuse to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.crypto.hashing import blake2_256
from parahost.primitives import scale
from parahost.trie import (
    IncompleteProofError,
    InvalidProofNodeError,
    ProofError,
    ProofReader,
    StateVersion,
    Trie,
    prove,
    read_proof,
)
from tests.trie.test_trie import contents, keys, versions

VECTORS = json.loads((Path(__file__).parents[1] / "vectors/trie_proofs.json").read_text())


@given(versions, contents, st.lists(keys, max_size=5))
def test_a_proof_settles_its_keys(
    version: StateVersion, content: dict[bytes, bytes], wanted: list[bytes]
) -> None:
    trie = Trie(version).insert_many(content)
    proof = prove(trie, wanted)
    assert len(set(proof)) == len(proof)
    reader = ProofReader(trie.root, proof)
    assert [reader.get(key) for key in wanted] == [content.get(key) for key in wanted]


@given(versions, contents, keys, st.data())
def test_each_node_of_a_proof_is_needed(
    version: StateVersion, content: dict[bytes, bytes], key: bytes, data: st.DataObject
) -> None:
    trie = Trie(version).insert_many(content)
    proof = prove(trie, [key])
    missing = data.draw(st.sampled_from(proof))
    proof.remove(missing)
    with pytest.raises(IncompleteProofError) as raised:
        read_proof(trie.root, proof, key)
    assert raised.value.key == key
    assert raised.value.missing == blake2_256(missing)


@given(versions, contents, keys, st.data())
def test_a_changed_proof_never_tells_another_value(
    version: StateVersion, content: dict[bytes, bytes], key: bytes, data: st.DataObject
) -> None:
    trie = Trie(version).insert_many(content)
    proof = prove(trie, [key])
    index = data.draw(st.integers(0, len(proof) - 1))
    node = bytearray(proof[index])
    node[data.draw(st.integers(0, len(node) - 1))] ^= data.draw(st.integers(1, 255))
    proof[index] = bytes(node)
    with pytest.raises(ProofError):
        read_proof(trie.root, proof, key)


@given(st.lists(st.binary(max_size=60), min_size=1, max_size=4), keys, st.data())
def test_hostile_nodes_under_a_hostile_root_raise_nothing_else(
    nodes: list[bytes], key: bytes, data: st.DataObject
) -> None:
    root = blake2_256(data.draw(st.sampled_from(nodes)))
    try:
        value = read_proof(root, nodes, key)
    except ProofError:
        return
    assert value is None or isinstance(value, bytes)


def test_a_root_of_something_else_is_told_apart() -> None:
    with pytest.raises(InvalidProofNodeError, match="no kind of node"):
        read_proof(blake2_256(b"\x01"), [b"\x01"], b"key")


def test_proof_holds_paths_not_the_trie() -> None:
    content: dict[bytes, bytes | None] = {
        blake2_256(bytes([i, j])): bytes([i]) * 100 for i in range(30) for j in range(30)
    }
    trie = Trie().insert_many(content)
    key = next(iter(content))
    proof = prove(trie, [key, key])
    assert content[key] in proof, "under state version 1 a long value stands by itself"
    assert len(proof) <= 6
    assert sum(map(len, proof)) < 2500


@pytest.mark.parametrize("case", VECTORS["proofs"], ids=lambda case: case["name"])
def test_proofs_of_real_chains(case: dict[str, Any]) -> None:
    nodes = scale.decode(tuple[bytes, ...], bytes.fromhex(case["proof_scale_hex"]))
    reader = ProofReader(bytes.fromhex(case["root"]), nodes)
    for lookup in case["lookups"]:
        key = bytes.fromhex(lookup["key"])
        if lookup.get("incomplete"):
            with pytest.raises(IncompleteProofError):
                reader.get(key)
        else:
            value = reader.get(key)
            assert (None if value is None else value.hex()) == lookup["value"]
