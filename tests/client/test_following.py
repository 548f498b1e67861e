"""Each block of a chain is told once; what a fork leaves is retracted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from parahost.client import BlockNews, ChainClient, JsonRpc, RpcClient
from parahost.client import following as limits
from parahost.client.errors import BlockNotKnown
from parahost.client.following import FollowedChain
from parahost.client.rpc import Head
from parahost.node.role import Role
from parahost.primitives.header import Extrinsic
from parahost.rpc.server import RpcOptions
from tests.client.node import Node
from tests.client.node import serving as serving_http
from tests.rpc.world import serving
from tests.runtime.world import Chain

Tree = list[tuple[int, int]]
"""Blocks: number and parent; the first one is its own."""


@st.composite
def moves(draw: st.DrawFn) -> tuple[Tree, list[int]]:
    """A tree of blocks, and which of them is the newest at a time."""
    tree = [(0, 0)]
    for _ in range(draw(st.integers(1, 25))):
        parent = draw(st.integers(max(0, len(tree) - 4), len(tree) - 1))
        tree.append((tree[parent][0] + 1, parent))
    return tree, draw(st.lists(st.integers(0, len(tree) - 1), min_size=1, max_size=15))


def line(tree: Tree, block: int) -> list[int]:
    """The block and its ancestors, the oldest first."""
    found = [block]
    while tree[found[-1]][0]:
        found.append(tree[found[-1]][1])
    return found[::-1]


@given(moves(), st.none() | st.integers(0, 5))
def test_what_is_told_and_not_retracted_is_the_chain(
    given_: tuple[Tree, list[int]], first: int | None
) -> None:
    tree, heads = given_
    chain = FollowedChain(lambda block: str(tree[int(block)][1]), first)
    told: list[int] = []
    lowest = first
    for head in heads:
        number = tree[head][0]
        if lowest is None or (told and number < lowest):
            lowest = number
        for news in chain.goes_to(number, str(head)):
            block = int(news.hash)
            assert news.number == tree[block][0]
            if news.retracted:
                assert told.pop() == block
                assert block not in line(tree, head)
            else:
                assert not told or tree[block][1] == told[-1]
                told.append(block)
        assert told == [one for one in line(tree, head) if tree[one][0] >= lowest]


def test_only_so_many_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "RETRACTABLE_BLOCKS", 3)
    chain = FollowedChain(lambda block: f"{block[0]}{int(block[1:]) - 1}", 1)
    assert len(list(chain.goes_to(9, "a9"))) == 9
    assert list(chain.goes_to(9, "b9")) == [
        *(BlockNews(number, f"a{number}", retracted=True) for number in (9, 8, 7)),
        *(BlockNews(number, f"b{number}") for number in (7, 8, 9)),
    ]


class ForkingNode(JsonRpc):
    """A chain whose best block, when a transaction has come, is on another fork."""

    def __init__(self, parents: dict[str, str], bodies: dict[str, list[str]]) -> None:
        super().__init__("forking")
        self.parents, self.bodies = parents, bodies
        self.newest = {"chain_getBlockHash": "a4", "chain_getFinalizedHead": "a1"}

    def heads(self, *, finalized: bool) -> Iterator[Head]:
        yield 4, "b4"

    def pause(self, seconds: float) -> None:
        raise AssertionError("all is told")

    def _exchange(self, body: bytes) -> bytes:
        question = json.loads(body)
        return json.dumps({"id": question["id"], "result": self._answer(**question)}).encode()

    def _answer(self, method: str, params: list[str], **_: object) -> Any:
        match method:
            case "author_submitExtrinsic":
                return "0x"
            case "chain_getHeader" if params[0] in self.parents:
                return {"number": params[0][1:], "parentHash": self.parents[params[0]]}
            case "chain_getBlock" if params[0] in self.parents:
                return {"block": {"extrinsics": self.bodies.get(params[0], [])}}
        return self.newest.get(method)


def test_a_transaction_is_found_on_a_fork_below_the_block_that_was_best(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It came when a4 was best, and b2 has it."""
    parents = {"a1": "g0", "a2": "a1", "a3": "a2", "a4": "a3", "b2": "a1", "b3": "b2", "b4": "b3"}
    chain = ChainClient(ForkingNode(parents, {"b2": ["0x00", "0x0861c3"]}))
    monkeypatch.setattr(chain, "events", lambda block: ())
    outcome = chain.submit_and_wait(Extrinsic(b"a\xc3"), finalized=False)
    assert (outcome.block_hash, outcome.block_number, outcome.index) == ("b2", 2, 1)


def test_a_block_that_a_node_has_forgotten_is_named() -> None:
    """With an error for which who waits asks again."""
    node = ForkingNode({}, {})
    for ask in (node.header, node.extrinsics, ChainClient(node).parent, ChainClient(node).number):
        with pytest.raises(BlockNotKnown, match="forking knows no block b2") as error:
            ask("b2")
        assert error.value.block == "b2"


async def test_a_node_tells_its_heads() -> None:
    """With the hashes that it has given them itself."""
    async with serving() as maker, serving(role=Role.FULL) as world:
        port = await world.listen(RpcOptions(port=0))
        news = ChainClient(f"ws://127.0.0.1:{port}").follow(finalized=False, since=0)
        final = RpcClient(f"http://127.0.0.1:{port}").heads(finalized=True)
        chain = world.node.chain
        genesis = f"0x{chain.genesis_hash.hex()}"
        assert await trio.to_thread.run_sync(next, final) == (0, genesis)
        await maker.blocks(3)
        await world.take_chain(maker)
        told = await trio.to_thread.run_sync(lambda: list(islice(news, 3)))
        best, count = chain.best_hash, chain.best.number
        line = [*chain.ancestors(best, count - 1)[::-1], best]
        assert told == [
            BlockNews(number, f"0x{block.hex()}") for number, block in enumerate(line[:3], 1)
        ]
        number, _ = await trio.to_thread.run_sync(next, final)
        assert number > 0
        news.close()  # type: ignore[attr-defined]
        final.close()  # type: ignore[attr-defined]


def test_a_node_without_websockets_is_asked() -> None:
    node = Node(Chain())
    node.step()
    with serving_http(node) as url:
        news: Iterator[BlockNews] = ChainClient(url).follow(finalized=False)
        first = next(news)
        node.step()
        second = next(news)
    assert [(one.number, one.retracted) for one in (first, second)] == [(1, False), (2, False)]
    assert second.hash == node.chain_getBlockHash(2)
