"""What is different in two tries. Nodes that they share are not looked into, so that it costs what
was changed between them and not what is there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from parahost.trie.codec import NO_CHILDREN
from parahost.trie.node import TrieNode
from parahost.trie.trie import Trie, common_prefix

_Children = tuple[TrieNode | None, ...]


class ChangedValue(NamedTuple):
    """A key whose value is another one; ``None`` where there is none."""

    key: bytes
    before: bytes | None
    after: bytes | None


def difference(before: Trie, after: Trie, prefix: bytes = b"") -> Iterator[ChangedValue]:
    """Each key that begins with ``prefix`` and has not the same value in both, ascending."""
    digits = prefix.hex()
    pending = [(digits, _under(before, digits), _under(after, digits))]
    while pending:
        at, old, new = pending.pop()
        if old is new:
            continue
        shared = _shared(old, new)
        at += shared
        (was, old_children), (now, new_children) = (_cut(each, len(shared)) for each in (old, new))
        if was != now:
            yield ChangedValue(bytes.fromhex(at), was, now)
        pending += [
            (f"{at}{index:x}", *pair)
            for index, pair in reversed([*enumerate(zip(old_children, new_children, strict=True))])
            if pair != (None, None)
        ]


def _under(trie: Trie, digits: str) -> TrieNode | None:
    """All that is under a prefix, as one node whose own key begins behind it."""
    found = trie.find_below(digits)
    if found is None:
        return None
    node, at = found
    rest = at[len(digits) :]
    return node if node.partial == rest else TrieNode(rest, node.value, node.children)


def _shared(old: TrieNode | None, new: TrieNode | None) -> str:
    if old is None or new is None:
        one = old or new
        return "" if one is None else one.partial
    return common_prefix(old.partial, new.partial)


def _cut(node: TrieNode | None, length: int) -> tuple[bytes | None, _Children]:
    """Value and children of a node as one that has only the first digits of its own."""
    if node is None:
        return None, tuple(NO_CHILDREN)
    rest = node.partial[length:]
    if not rest:
        return node.value, node.children or tuple(NO_CHILDREN)
    children: list[TrieNode | None] = list(NO_CHILDREN)
    children[int(rest[0], 16)] = TrieNode(rest[1:], node.value, node.children)
    return None, tuple(children)
