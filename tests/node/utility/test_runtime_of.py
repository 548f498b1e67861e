"""What the runtime says after a block: a leaf says it; of others the Runtime API is asked."""

from __future__ import annotations

import pytest
import trio.testing

from parahost.node.leaf import MAX_KEPT_ANSWERS, ActiveLeaf
from parahost.node.messages.base import Message, Unanswered
from parahost.node.messages.utility import RuntimeApiRequest
from parahost.node.overseer import Subsystem
from parahost.node.utility.runtime_of import runtime_of
from parahost.primitives.basic import H256, Hash
from parahost.runtime.storage import State
from tests.node.harness import make_overseer, running, scripted_leaf

OLDER, UNKNOWN = Hash(H256(b"o" * 32)), Hash(H256(b"u" * 32))


def twice(state: State, number: int) -> int:
    return 2 * number


class Runtime(Subsystem):
    """Knows one block that is no leaf."""

    name = "runtime"
    receives = (RuntimeApiRequest,)

    def __init__(self) -> None:
        self.asked: list[Hash] = []

    def on_message(self, message: Message) -> None:
        assert isinstance(message, RuntimeApiRequest)
        self.asked.append(message.relay_parent)
        if message.relay_parent == OLDER:
            message.reply.answer(message.function(State.from_raw({}), *message.args))
        else:
            message.reply.drop()


class Asker(Subsystem):
    name = "asker"
    sends = (RuntimeApiRequest,)

    def on_message(self, message: Message) -> None:
        raise AssertionError(message)


async def test_only_of_other_blocks_than_leaves_the_runtime_api_is_asked() -> None:
    runtime, asker = Runtime(), Asker()
    leaf = scripted_leaf(answers={twice: lambda number: 2 * number})
    found: list[int | None] = []

    async def job() -> None:
        for block in (leaf.hash, OLDER, UNKNOWN):
            try:
                found.append(await runtime_of(asker.ctx, block, twice, 21))
            except Unanswered:
                found.append(None)

    async with running(make_overseer([runtime, asker]), [leaf]):
        asker.ctx.spawn(None, job, "ask")
        await trio.testing.wait_all_tasks_blocked()
    assert found == [42, 42, None]
    assert runtime.asked == [OLDER, UNKNOWN]


@pytest.mark.parametrize("answer, reads", [((1, 2), 1), (None, 1), (b"code", 2)])
def test_a_leaf_keeps_what_it_was_asked_but_no_code(answer: object, reads: int) -> None:
    read: list[int] = []

    def function(state: State, number: int) -> object:
        read.append(number)
        return answer

    made = scripted_leaf()
    leaf = ActiveLeaf(made.state, made.hash, made.header)
    assert [leaf.kept(function, 7) for _ in range(2)] == [answer, answer]
    assert read == [7] * reads
    assert leaf.kept(function, 8) == answer and read[-1] == 8


def test_a_leaf_keeps_no_more_than_so_much() -> None:
    read: list[int] = []

    def function(state: State, number: int) -> int:
        read.append(number)
        return number

    made = scripted_leaf()
    leaf = ActiveLeaf(made.state, made.hash, made.header)
    for number in (*range(MAX_KEPT_ANSWERS + 1), 0, MAX_KEPT_ANSWERS):
        assert leaf.kept(function, number) == number
    assert read[MAX_KEPT_ANSWERS:] == [MAX_KEPT_ANSWERS] * 2, "the first are kept, the last is not"
