"""The state trie against published roots, against itself built anew, and its sharing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from parahost.crypto.hashing import blake2_256, keccak_256
from parahost.primitives.scale import encode_compact
from parahost.trie import (
    HashFunction,
    StateVersion,
    Trie,
    TrieNode,
    decode_node,
    ordered_root,
    prove,
    read_proof,
)

VECTORS = Path(__file__).parent.parent / "vectors" / "trie"
CODE = b":code"

versions = st.sampled_from(StateVersion)
# Few letters and short keys, so that keys are often prefixes of others and paths often meet.
keys = st.binary(max_size=4).map(lambda key: bytes(byte & 0x13 for byte in key))
values = st.one_of(st.binary(max_size=8), st.binary(min_size=30, max_size=70))
contents = st.dictionaries(keys, values, max_size=40)
changes = st.dictionaries(keys, st.none() | values, max_size=12)


def genesis(name: str) -> dict[str, Any]:
    data = (VECTORS / f"{name}_genesis.json.zst").read_bytes()
    loaded: dict[str, Any] = json.loads(zstandard.decompress(data))
    return loaded


def with_code_leaf(trie: Trie, merkle_value: bytes) -> Trie:
    """The trie with a leaf for ``:code`` of which only the Merkle value is known."""
    grown = trie.insert_many({CODE: b"stands for the code"})
    leaf = grown.find(CODE)[0][-1]
    assert not leaf.children
    leaf._merkle_value = merkle_value
    return grown


@pytest.mark.parametrize("version", StateVersion)
@pytest.mark.parametrize("name", ["kusama", "coretime_polkadot"])
def test_genesis_state_roots(name: str, version: StateVersion) -> None:
    spec = genesis(name)
    top = {bytes.fromhex(key): bytes.fromhex(value) for key, value in spec["top"].items()}
    trie = Trie(version).insert_many(top)
    assert list(trie.items()) == sorted(top.items())

    whole = with_code_leaf(trie, bytes.fromhex(spec["code_leaf"][version]))
    assert whole.root.hex() == spec["state_roots"][version]
    if version == spec["published_version"]:
        no_extrinsics = ordered_root([], version)
        header = bytes(32) + b"\x00" + whole.root + no_extrinsics + b"\x00"
        assert blake2_256(header).hex() == spec["published_genesis_hash"]


def test_ordered_roots() -> None:
    cases = json.loads((VECTORS / "ordered_roots.json").read_text())["cases"]
    assert len(cases) == 5
    for case in cases:
        texts = [text.encode() for text in case["values"]]
        assert ordered_root(texts, StateVersion.V0).hex() == case["root"]


def test_root_of_nothing_is_the_hash_of_the_empty_node() -> None:
    assert Trie().root == blake2_256(b"\x00")
    assert Trie().get(b"") is None
    assert list(Trie().items()) == []


def plain_node(entries: dict[str, bytes], version: StateVersion, hasher: HashFunction) -> bytes:
    """The form of the node over these entries, by keys in hexadecimal digits: the specification's
    definition, word by word."""
    first, *_ = ordered = sorted(entries)
    shared = first
    while not all(key.startswith(shared) for key in ordered):
        shared = shared[:-1]
    value = entries.get(shared)
    below = {
        digit: {
            key[len(shared) + 1 :]: entries[key]
            for key in ordered
            if key[len(shared) :][:1] == digit
        }
        for digit in "0123456789abcdef"
    }
    present = [digit for digit, part in below.items() if part]
    hashed = value is not None and version is StateVersion.V1 and len(value) >= 33
    kinds = {
        (False, True, False): (0b01, 6),
        (True, False, False): (0b10, 6),
        (True, True, False): (0b11, 6),
        (False, True, True): (0b001, 5),
        (True, True, True): (0b0001, 4),
    }
    kind, bits = kinds[bool(present), value is not None, hashed]
    form = bytearray()
    left = len(shared) - (2**bits - 1)
    form.append(kind << bits | min(len(shared), 2**bits - 1))
    while left >= 0:
        form.append(min(left, 255))
        left -= 255
    form += bytes.fromhex("0" * (len(shared) % 2) + shared)
    if present:
        form += sum(1 << int(digit, 16) for digit in present).to_bytes(2, "little")
    if value is not None and hashed:
        form += hasher(value)
    elif value is not None:
        encode_compact(form, len(value))
        form += value
    for digit in present:
        child = plain_node(below[digit], version, hasher)
        child = child if len(child) < 32 else hasher(child)
        encode_compact(form, len(child))
        form += child
    return bytes(form)


@given(versions, st.sampled_from([blake2_256, keccak_256]), contents)
def test_the_root_is_the_specifications(
    version: StateVersion, hasher: HashFunction, content: dict[bytes, bytes]
) -> None:
    trie = Trie(version, hasher=hasher).insert_many(content)
    by_digits = {key.hex(): value for key, value in content.items()}
    form = plain_node(by_digits, version, hasher) if content else b"\0"
    assert trie.root == hasher(form)
    changed = trie.insert_many({b"\x01": b"v"}).insert_many({b"\x01": content.get(b"\x01")})
    assert changed.root == trie.root


def test_the_empty_trie_under_keccak_has_its_published_root() -> None:
    """Keccak-256 of one zero byte, which Ethereum's tools give too."""
    known = "bc36789e7a1e281436464229828f817d6612f7b477d66591ff96a9e064bcc98a"
    assert Trie(hasher=keccak_256).root.hex() == known
    assert ordered_root([], StateVersion.V0, keccak_256).hex() == known


def test_long_partial_keys_have_the_specifications_form() -> None:
    for length in (31, 32, 158, 159, 160, 400):
        entries = {b"\x11" * length: b"v" * 40, b"\x11" * length + b"\x22" * length: b"w" * 40}
        by_digits = {key.hex(): value for key, value in entries.items()}
        for version in StateVersion:
            trie = Trie(version).insert_many(dict(entries))
            assert trie.root == blake2_256(plain_node(by_digits, version, blake2_256))


def test_versions_differ_from_33_bytes_on() -> None:
    def root(version: StateVersion, length: int) -> bytes:
        return Trie(version).insert_many({b"key": bytes(length)}).root

    assert root(StateVersion.V0, 32) == root(StateVersion.V1, 32)
    assert root(StateVersion.V0, 33) != root(StateVersion.V1, 33)


@given(versions, contents, st.lists(changes, max_size=6))
def test_changed_trie_equals_one_built_anew(
    version: StateVersion,
    content: dict[bytes, bytes],
    blocks: list[dict[bytes, bytes | None]],
) -> None:
    model = dict(content)
    trie = Trie(version).insert_many(model)
    for block in blocks:
        before, root_before = dict(model), trie.root
        changed = trie.insert_many(block)
        for key, value in block.items():
            if value is None:
                model.pop(key, None)
            else:
                model[key] = value
        assert changed.root == Trie(version).insert_many(model).root
        assert list(changed.items()) == sorted(model.items())
        assert all(changed.get(key) == model.get(key) for key in [*block, *before])
        assert list(trie.items()) == sorted(before.items()), "the old version changed"
        assert trie.root == root_before
        assert (changed is trie) == (model == before)
        trie = changed


@given(contents, keys)
def test_items_with_a_prefix(content: dict[bytes, bytes], prefix: bytes) -> None:
    trie = Trie().insert_many(content)
    expected = sorted(item for item in content.items() if item[0].startswith(prefix))
    assert list(trie.items(prefix)) == expected


@given(contents, keys, keys)
def test_items_after_a_key(content: dict[bytes, bytes], prefix: bytes, after: bytes) -> None:
    trie = Trie().insert_many(content)
    expected = [item for item in trie.items(prefix) if item[0] > after]
    assert list(trie.items(prefix, after=after)) == expected


@given(versions, contents)
def test_every_node_has_its_one_form(version: StateVersion, content: dict[bytes, bytes]) -> None:
    trie = Trie(version).insert_many(content)
    for node in all_nodes(trie):
        branches = sum(child is not None for child in node.children)
        assert branches >= 2 or (node.value is not None and (branches or not node.children))
        encoded = node.encode(version)
        form = decode_node(encoded)
        assert form is not None
        assert form.partial == node.partial
        assert form.encode() == encoded


def test_a_change_makes_new_nodes_on_its_path_only() -> None:
    entries: dict[bytes, bytes | None] = {
        blake2_256(index.to_bytes(2, "little")): b"value" for index in range(2000)
    }
    trie = Trie().insert_many(entries)
    assert trie.root
    changed_key = next(iter(entries))
    changed = trie.insert_many({changed_key: b"other"})

    old = {id(node) for node in all_nodes(trie)}
    new = [node for node in all_nodes(changed) if id(node) not in old]
    path, value = changed.find(changed_key)
    assert value == b"other"
    assert {id(node) for node in new} == {id(node) for node in path}
    assert all(node._merkle_value is None for node in new)
    shared = [node for node in all_nodes(changed) if id(node) in old]
    assert all(node._merkle_value is not None for node in shared)


def test_keys_may_nest_deeper_than_the_interpreter_recurses() -> None:
    content = {b"\x00" * length: b"value" for length in range(sys.getrecursionlimit() + 100)}
    trie = Trie().insert_many(content)
    longest = max(content, key=len)
    proof = prove(trie, [longest])
    assert read_proof(trie.root, proof, longest) == b"value"
    assert len(list(trie.items())) == len(content)
    assert trie.insert_many(dict.fromkeys(content)).root == Trie().root


def all_nodes(trie: Trie) -> list[TrieNode]:
    found = []
    pending = [trie.top] if trie.top is not None else []
    while pending:
        node = pending.pop()
        found.append(node)
        pending.extend(child for child in node.children if child is not None)
    return found
