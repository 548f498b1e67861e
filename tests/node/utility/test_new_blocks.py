"""What of a fork has not been looked at yet, block by block."""

from __future__ import annotations

import trio.testing

from parahost.node.messages.base import Message
from parahost.node.messages.utility import BlockHeader
from parahost.node.overseer import Subsystem
from parahost.node.utility.new_blocks import new_blocks
from parahost.primitives.basic import U32, ZERO_HASH, BlockNumber, Hash
from parahost.primitives.header import Header
from tests.node.harness import make_overseer, running, scripted_leaf


def header(number: int, parent: Hash) -> Header:
    return Header(parent, BlockNumber(U32(number)), ZERO_HASH, ZERO_HASH)


def chain(length: int) -> list[Header]:
    headers = [header(0, ZERO_HASH)]
    for number in range(1, length):
        headers.append(header(number, headers[-1].hash()))
    return headers


class Chain(Subsystem):
    name = "chain"
    receives = (BlockHeader,)

    def __init__(self, headers: list[Header]) -> None:
        self.headers = {each.hash(): each for each in headers}
        self.asked: list[Hash] = []

    def on_message(self, message: Message) -> None:
        assert isinstance(message, BlockHeader)
        self.asked.append(message.block)
        message.reply.answer(self.headers.get(message.block))


class Walker(Subsystem):
    name = "walker"
    sends = (BlockHeader,)

    def on_message(self, message: Message) -> None:
        raise AssertionError(message)


async def walk(
    headers: list[Header],
    head: Header,
    *,
    known_up_to: int | None = None,
    limit: int = 100,
    is_leaf: bool = False,
) -> tuple[list[int], int]:
    """The numbers of the blocks that are found, and how many questions it took."""
    chain, walker = Chain(headers), Walker()
    found: list[tuple[Hash, Header]] = []

    async def job() -> None:
        found.extend(
            await new_blocks(
                walker.ctx,
                head.hash(),
                head.number,
                lambda block, number: known_up_to is not None and number <= known_up_to,
                limit,
            )
        )

    leaf = scripted_leaf(number=head.number, parent=head.parent_hash)
    async with running(make_overseer([chain, walker]), [leaf] if is_leaf else []):
        walker.ctx.spawn(None, job, "walk")
        await trio.testing.wait_all_tasks_blocked()
    assert all(block == each.hash() for block, each in found)
    return [each.number for _, each in found], len(chain.asked)


async def test_a_leaf_whose_parent_is_known_takes_no_question() -> None:
    headers = chain(6)
    assert await walk(headers, headers[5], known_up_to=4, is_leaf=True) == ([5], 0)
    assert await walk(headers, headers[5], known_up_to=5, is_leaf=True) == ([], 0)


async def test_what_was_missed_is_walked_from_the_oldest_on() -> None:
    headers = chain(6)
    assert await walk(headers, headers[5], known_up_to=1) == ([2, 3, 4, 5], 4)
    assert await walk(headers, headers[5]) == ([0, 1, 2, 3, 4, 5], 6), "and genesis is the end"


async def test_no_more_than_so_many_are_walked() -> None:
    headers = chain(6)
    assert await walk(headers, headers[5], limit=2) == ([4, 5], 2)


async def test_it_ends_where_the_chain_knows_no_further() -> None:
    headers = chain(6)
    assert (await walk(headers[3:], headers[5]))[0] == [3, 4, 5]
    assert (await walk(headers[:3], headers[5]))[0] == []
