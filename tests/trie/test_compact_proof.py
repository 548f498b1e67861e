"""Compact proofs: the cases of trie-db's own tests, real extrinsics roots, and properties."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from parahost.crypto.hashing import blake2_256, keccak_256
from parahost.primitives.header import Header
from parahost.primitives.scale import decode, encode_compact
from parahost.trie import (
    CompactProofError,
    HashFunction,
    NodeForm,
    StateVersion,
    Trie,
    TrieNode,
    decode_node,
    verify_entry,
)
from parahost.trie.codec import NO_CHILDREN

BLOCK = json.loads(
    (Path(__file__).parents[1] / "vectors" / "polkadot_block_19772575.json").read_text()
)
WORDS: dict[bytes, bytes] = {
    b"alfa": bytes(32),
    b"bravo": b"bravo",
    b"do": b"verb",
    b"dog": b"puppy",
    b"doge": bytes(32),
    b"horse": b"stallion",
    b"house": b"building",
}
"""The entries of trie-db's tests of proofs."""

versions = st.sampled_from(StateVersion)
hashers = st.sampled_from([blake2_256, keccak_256])
keys = st.binary(max_size=4).map(lambda key: bytes(byte & 0x13 for byte in key))
values = st.one_of(st.binary(max_size=8), st.binary(min_size=24, max_size=70))
contents = st.dictionaries(keys, values, min_size=1, max_size=40)


def compact_proof(trie: Trie, key: bytes) -> list[bytes]:
    """As trie-db's ``generate_proof`` makes it for one key that is there."""
    path, _ = trie.find(key)
    last = form_of(trie, path[-1])
    below = replace(last, value=None if last.children else b"").encode()
    at = len(key.hex()) - len(path[-1].partial)
    proof: list[bytes] = []
    for node, above in zip(reversed(path), reversed(path[:-1]), strict=False):
        if len(node.merkle_value(trie.version, trie.hasher)) == 32:
            proof.insert(0, below)
            below = b""
        below = with_child(form_of(trie, above), int(key.hex()[at - 1], 16), below).encode()
        at -= 1 + len(above.partial)
    return [below, *proof]


def form_of(trie: Trie, node: TrieNode) -> NodeForm:
    form = decode_node(node.encode(trie.version, trie.hasher))
    assert form is not None
    return form


def with_child(form: NodeForm, index: int, child: bytes) -> NodeForm:
    return replace(form, children=(*form.children[:index], child, *form.children[index + 1 :]))


def words(version: StateVersion = StateVersion.V0) -> Trie:
    return Trie(version).insert_many(dict(WORDS))


def why_not(
    trie: Trie, proof: list[bytes], key: bytes, value: bytes, root: bytes | None = None
) -> str:
    with pytest.raises(CompactProofError) as refused:
        verify_entry(root or trie.root, proof, key, value, trie.version, trie.hasher)
    return refused.value.reason


@given(versions, hashers, contents, st.data())
def test_a_proof_of_each_entry_shows_it_and_nothing_else(
    version: StateVersion, hasher: HashFunction, content: dict[bytes, bytes], data: st.DataObject
) -> None:
    trie = Trie(version, hasher=hasher).insert_many(content)
    key = data.draw(st.sampled_from(sorted(content)))
    proof = compact_proof(trie, key)
    verify_entry(trie.root, proof, key, content[key], version, hasher)

    other_value = data.draw(values)
    assume(other_value != content[key])
    assert why_not(trie, proof, key, other_value)
    other_key = data.draw(keys)
    assume(other_key != key)
    assert why_not(trie, proof, other_key, content[key])
    assert why_not(trie, proof[:-1], key, content[key])
    assert why_not(trie, [*proof, b"\0"], key, content[key]) == "it holds more nodes than it takes"
    assert "leads to the root" in why_not(trie, proof, key, content[key], bytes(32))


@given(versions, hashers, contents, st.data())
def test_no_changed_node_proves_anything(
    version: StateVersion, hasher: HashFunction, content: dict[bytes, bytes], data: st.DataObject
) -> None:
    trie = Trie(version, hasher=hasher).insert_many(content)
    key = data.draw(st.sampled_from(sorted(content)))
    proof = compact_proof(trie, key)
    which = data.draw(st.integers(0, len(proof) - 1))
    at = data.draw(st.integers(0, len(proof[which]) - 1))
    changed = bytearray(proof[which])
    changed[at] ^= data.draw(st.integers(1, 255))
    proof[which] = bytes(changed)
    assert why_not(trie, proof, key, content[key])


@pytest.mark.parametrize("version", StateVersion)
def test_a_proof_leaves_out_what_can_be_computed(version: StateVersion) -> None:
    trie = words(version)
    proof = compact_proof(trie, b"doge")
    assert len(proof) == 4  # top, "do", "dog", "doge"
    assert len(trie.find(b"bravo")[0]) == 2 and len(compact_proof(trie, b"bravo")) == 1
    for key, value in WORDS.items():
        encoded = b"".join(compact_proof(trie, key))
        assert value not in encoded
        verify_entry(trie.root, compact_proof(trie, key), key, value, version)


@pytest.mark.parametrize(
    ("proven", "key", "value", "reason"),
    [
        (b"bravo", b"bravo", b"incorrect", "it leads to the root"),
        (b"bravo", b"bravo", bytes(32), "a node in its parent is longer than a hash"),
        (b"doge", b"do", b"verb", "it holds the value that it should leave out"),
        (b"do", b"alfa", bytes(32), "it holds a hash that it should leave out"),
        (b"horse", b"halp", b"plz", "it shows that nothing is under the key"),
        (b"alfa", b"alfabet", b"", "it shows that nothing is under the key"),
        (b"do", b"d", b"", "it shows that nothing is under the key"),
        (b"do", b"do\x10", b"", "it shows that nothing is under the key"),
    ],
)
def test_what_trie_dbs_tests_refuse(proven: bytes, key: bytes, value: bytes, reason: str) -> None:
    trie = words()
    assert why_not(trie, compact_proof(trie, proven), key, value).startswith(reason)


def test_incomplete_foreign_and_empty_proofs() -> None:
    trie = words()
    assert why_not(trie, compact_proof(trie, b"alfa")[:-1], b"alfa", bytes(32)) == "a node lacks"
    assert why_not(trie, [], b"alfa", bytes(32)) == "a node lacks"
    one_more = [*compact_proof(trie, b"alfa"), b"\0"]
    assert why_not(trie, one_more, b"alfa", bytes(32)) == "it holds more nodes than it takes"
    spoilt = [b"this is not a trie node", *compact_proof(trie, b"bravo")]
    assert "26 bytes wanted" in why_not(trie, spoilt, b"bravo", b"bravo")
    nothing = "it shows that nothing is under the key"
    assert why_not(Trie(), [b"\0"], b"alfa", b"") == nothing
    assert why_not(Trie(), [b"\0"], b"", b"") == nothing


def test_what_no_prover_makes_is_taken_as_substrate_takes_it() -> None:
    """trie-db reads a node and not what follows it; and it lets a node of 32 bytes, which a prover
    would hash, stand in its parent."""
    trie = words()
    followed = [node + b"what follows" for node in compact_proof(trie, b"doge")]
    verify_entry(trie.root, followed, b"doge", bytes(32), StateVersion.V0)

    leaf = NodeForm("1", bytes(29), ())
    assert len(leaf.encode()) == 32
    top = NodeForm("", None, (leaf.encode(), *NO_CHILDREN[1:]))
    without_value = replace(top, children=(replace(leaf, value=b"").encode(), *NO_CHILDREN[1:]))
    root = blake2_256(top.encode())
    verify_entry(root, [without_value.encode()], b"\x01", bytes(29), StateVersion.V0)
    too_long = NodeForm("", None, (b"", bytes(33), *NO_CHILDREN[2:]))
    refused = why_not(trie, [too_long.encode(), NodeForm("1", b"", ()).encode()], b"\x01", b"v")
    assert refused == "a node in its parent is longer than a hash"


def test_extrinsics_of_a_real_block_are_proven_against_its_header() -> None:
    header = decode(Header, bytes.fromhex(BLOCK["header_hex"]))
    extrinsics = [bytes.fromhex(text) for text in BLOCK["extrinsics_hex"]]
    by_key: dict[bytes, bytes | None] = {}
    for index, extrinsic in enumerate(extrinsics):
        place = bytearray()
        encode_compact(place, index)
        by_key[bytes(place)] = extrinsic
    trie = Trie(StateVersion.V0).insert_many(by_key)
    for key, extrinsic in zip(by_key, extrinsics, strict=True):
        proof = compact_proof(trie, key)
        verify_entry(header.extrinsics_root, proof, key, extrinsic, StateVersion.V0)
        if len(extrinsic) > 32:
            with pytest.raises(CompactProofError, match="leads to the root"):
                verify_entry(header.extrinsics_root, proof, key, extrinsic, StateVersion.V1)
