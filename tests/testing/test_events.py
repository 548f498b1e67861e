"""Events are read once for each block, and go with blocks that are left for others."""

from __future__ import annotations

from typing import cast

import pytest

from parahost.client import ChainClient, NamedEvent, RpcFailed
from parahost.testing.events import EventTail


class Chain:
    """Blocks by their hashes, which are their letters; each has an event of its own name."""

    def __init__(self, best: str, kept_from: int = 1) -> None:
        self.best = best
        self.kept_from = kept_from
        self.read: list[str] = []

    def head(self, *, finalized: bool) -> tuple[int, str]:
        assert not finalized
        return len(self.best), self.best

    def parent(self, block: str) -> str:
        return block[:-1]

    def events(self, block: str) -> tuple[NamedEvent, ...]:
        if len(block) < self.kept_from:
            raise RpcFailed("state_getStorage", 4003, "State already discarded for 0x00", None)
        self.read.append(block)
        return (NamedEvent(block[-1], None, None),)


def names(tail: EventTail) -> str:
    return "".join(event.name for event in tail.events())


def tail_of(chain: Chain) -> EventTail:
    return EventTail(cast(ChainClient, chain), finalized=False)


def test_each_block_is_read_once() -> None:
    chain = Chain("abc")
    tail = tail_of(chain)
    assert tail.read() == "block 3, the last events: a, b, c"
    chain.best = "abcde"
    tail.read()
    tail.read()
    assert names(tail) == "abcde"
    assert sorted(chain.read) == ["a", "ab", "abc", "abcd", "abcde"]


@pytest.mark.parametrize("other", ["abxy", "abx", "ab", "x", ""])
def test_the_events_of_a_fork_that_is_left_are_left(other: str) -> None:
    chain = Chain("abcd")
    tail = tail_of(chain)
    tail.read()
    chain.best = other
    tail.read()
    assert names(tail) == other
    chain.best = "abcd"
    tail.read()
    assert names(tail) == "abcd"


def test_it_begins_with_the_first_block_whose_state_is_kept() -> None:
    chain = Chain("abcdef", kept_from=4)
    tail = tail_of(chain)
    tail.read()
    assert names(tail) == "def"
    chain.best, chain.kept_from = "abcdefg", 6
    tail.read()
    assert names(tail) == "defg"


def test_another_failure_of_the_node_is_none_of_a_discarded_state() -> None:
    class Broken(Chain):
        def events(self, block: str) -> tuple[NamedEvent, ...]:
            raise RpcFailed("state_getStorage", -32603, "Internal error", None)

    with pytest.raises(RpcFailed, match="Internal error"):
        tail_of(Broken("ab")).read()


def test_a_chain_at_its_genesis_has_none() -> None:
    assert tail_of(Chain("")).read() == "block 0, the last events: none"
