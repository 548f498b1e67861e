"""What is different in two tries, against their contents; and that shared nodes are passed over."""

from __future__ import annotations

import pytest
from hypothesis import given

import parahost.trie.comparison as looking
from parahost.trie import ChangedValue, Trie, TrieNode, difference
from tests.trie.test_trie import changes, contents, keys

Contents = dict[bytes, bytes]


def expected(one: Contents, other: Contents, prefix: bytes) -> list[ChangedValue]:
    return [
        ChangedValue(key, one.get(key), other.get(key))
        for key in sorted(one.keys() | other.keys())
        if key.startswith(prefix) and one.get(key) != other.get(key)
    ]


@given(contents, contents, keys)
def test_tries_that_share_nothing(one: Contents, other: Contents, prefix: bytes) -> None:
    tries = Trie().insert_many(one), Trie().insert_many(other)
    assert list(difference(*tries, prefix)) == expected(one, other, prefix)


@given(contents, changes, keys)
def test_a_trie_and_what_became_of_it(
    one: Contents, change: dict[bytes, bytes | None], prefix: bytes
) -> None:
    before = Trie().insert_many(one)
    after = before.insert_many(change)
    assert list(difference(before, after, prefix)) == expected(one, dict(after.items()), prefix)


def test_what_both_share_is_not_looked_into(monkeypatch: pytest.MonkeyPatch) -> None:
    before = Trie().insert_many({number.to_bytes(2, "big"): b"value" for number in range(5000)})
    after = before.insert_many({b"\x03\x07": b"other"})
    looked: list[TrieNode | None] = []
    cut = looking._cut

    def count(node: TrieNode | None, length: int) -> object:
        looked.append(node)
        return cut(node, length)

    monkeypatch.setattr(looking, "_cut", count)
    assert list(difference(before, after)) == [ChangedValue(b"\x03\x07", b"value", b"other")]
    assert len(looked) <= 2 * 5, "the nodes on the way to one key of four digits"


def test_order_is_the_keys() -> None:
    one = Trie().insert_many({b"\x10": b"a", b"\x10\x00": b"b", b"\x11": b"c", b"\x02": b"d"})
    assert [change.key for change in difference(Trie(), one)] == [
        b"\x02",
        b"\x10",
        b"\x10\x00",
        b"\x11",
    ]
