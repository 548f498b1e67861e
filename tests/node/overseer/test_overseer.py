"""The overseer's promises (A66-A71)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message, Reply, Request, Unanswered
from parahost.node.messages.signals import BlockFinalized, OverseerSignal, StartWork, StopWork
from parahost.node.overseer import (
    GraphError,
    MessageGraph,
    Overseer,
    Scope,
    Subsystem,
    SubsystemFailed,
    UndeclaredMessage,
)
from parahost.node.overseer.leaves import ActiveLeaves
from parahost.primitives import events
from parahost.primitives.basic import U32, ZERO_HASH, BlockNumber, Hash
from parahost.primitives.header import Header
from parahost.primitives.limits import OUTGROWN_AFTER
from parahost.runtime.storage import State
from tests.node.harness import make_overseer, running


@dataclass(slots=True)
class Note(Message):
    text: str


@dataclass(slots=True)
class Relay(Message):
    text: str


@dataclass(eq=False, slots=True)
class Square(Request[int]):
    number: int


class Listener(Subsystem):
    """Keeps everything it is told, in order."""

    name = "listener"
    receives = (Note,)

    def __init__(self) -> None:
        self.heard: list[object] = []

    def on_signal(self, signal: OverseerSignal) -> None:
        self.heard.append(signal)

    def on_message(self, message: Message) -> None:
        assert isinstance(message, Note)
        self.heard.append(message.text)


class Speaker(Subsystem):
    """On each new leaf, says so to the listener; does what tests tell it."""

    name = "speaker"
    receives = (Relay, Square)
    sends = (Note,)

    def __init__(self) -> None:
        self.signals: list[OverseerSignal] = []
        self.cancelled: list[Hash] = []

    def on_signal(self, signal: OverseerSignal) -> None:
        self.signals.append(signal)
        if isinstance(signal, StartWork):
            self.ctx.send(Note(f"leaf {signal.leaf.number}"))

    def on_message(self, message: Message) -> None:
        match message:
            case Relay(text):
                self.ctx.send(Note(text))
            case Square(number):
                if number < 0:
                    message.reply.drop()
                else:
                    message.reply.answer(number * number)


def header(number: int, parent: Hash, salt: int = 0) -> Header:
    return Header(parent, BlockNumber(U32(number)), bytes([salt]) * 32, bytes(32))  # type: ignore[arg-type]


def leaf(block: Header) -> ActiveLeaf:
    return ActiveLeaf(State.from_raw({}), block.hash(), block)


def finalized(block: Header) -> events.BlockFinalizationEvent:
    return events.BlockFinalizationEvent(block.hash(), block)


GENESIS = header(0, ZERO_HASH)
FIRST = header(1, GENESIS.hash())


@pytest.mark.guide("A66")
async def test_start_up_gives_every_subsystem_the_initial_leaves() -> None:
    speaker, listener = Speaker(), Listener()
    async with running(make_overseer([speaker, listener]), [leaf(GENESIS)]):
        await trio.testing.wait_all_tasks_blocked()
        (start,) = speaker.signals
        assert isinstance(start, StartWork) and start.leaf.hash == GENESIS.hash()
        assert listener.heard == [start, "leaf 0"]


@pytest.mark.guide("A67", "A70")
@given(seed=st.none() | st.integers(0, 1000))
def test_an_import_stops_the_parent_starts_the_block_and_is_flushed_first(
    seed: int | None,
) -> None:
    async def scenario() -> list[object]:
        speaker, listener = Speaker(), Listener()
        overseer = make_overseer([speaker, listener], seed=seed)
        async with running(overseer, [leaf(GENESIS)]):
            overseer.block_imported(leaf(FIRST))
            await trio.testing.wait_all_tasks_blocked()
        return listener.heard

    heard = trio.run(scenario)
    genesis, stop, start = [h for h in heard if isinstance(h, (StartWork, StopWork))]
    assert isinstance(genesis, StartWork) and genesis.leaf.hash == GENESIS.hash()
    assert stop == StopWork(GENESIS.hash())
    assert isinstance(start, StartWork) and start.leaf.hash == FIRST.hash()
    assert heard.index(start) < heard.index("leaf 1")


@pytest.mark.guide("A68", "A110")
async def test_finality_stops_leaves_at_or_below_it_but_not_the_final_block() -> None:
    speaker, listener = Speaker(), Listener()
    rival = header(1, GENESIS.hash(), salt=1)
    higher = header(2, FIRST.hash(), salt=2)
    overseer = make_overseer([speaker, listener])
    async with running(overseer, [leaf(GENESIS)]):
        for block in (FIRST, rival, higher):
            overseer.block_imported(leaf(block))
        await trio.testing.wait_all_tasks_blocked()
        speaker.signals.clear()
        overseer.block_finalized(finalized(FIRST))
        await trio.testing.wait_all_tasks_blocked()
        assert speaker.signals == [
            StopWork(rival.hash()),
            BlockFinalized(FIRST.hash(), BlockNumber(U32(1))),
        ]
        assert tuple(overseer.leaves.all) == (higher.hash(),)


@pytest.mark.guide("A68", "A71")
async def test_a_reverted_fork_is_left_and_work_begins_where_the_chain_goes_on() -> None:
    """Neither built over nor behind finality, and yet no leaf any more."""
    speaker = Speaker()
    overseer = make_overseer([speaker, Listener()])
    on_fork = header(1, GENESIS.hash(), salt=1)
    cancelled: list[Hash] = []

    async def job() -> None:
        try:
            await trio.sleep_forever()
        finally:
            cancelled.append(on_fork.hash())

    async with running(overseer, [leaf(GENESIS)]):
        overseer.block_imported(leaf(on_fork))
        await trio.testing.wait_all_tasks_blocked()
        assert speaker.ctx.spawn(on_fork.hash(), job, "waits")
        await trio.testing.wait_all_tasks_blocked()
        speaker.signals.clear()
        overseer.fork_reverted([on_fork.hash(), FIRST.hash()], leaf(GENESIS))
        await trio.testing.wait_all_tasks_blocked()
        stop, start = speaker.signals
        assert stop == StopWork(on_fork.hash()), "and nothing of what was no leaf"
        assert isinstance(start, StartWork) and start.leaf.hash == GENESIS.hash()
        assert cancelled == [on_fork.hash()]
        assert tuple(speaker.ctx.leaves) == (GENESIS.hash(),)
        assert not speaker.ctx.spawn(on_fork.hash(), job, "late")
        overseer.fork_reverted([on_fork.hash()], None)
        await trio.testing.wait_all_tasks_blocked()
        assert speaker.signals == [stop, start]


@pytest.mark.guide("A67", "A68")
def test_forks_far_behind_the_best_block_are_left_though_nothing_becomes_final() -> None:
    """Each second block has a rival: as many forks as there are in a network of few validators."""
    leaves = ActiveLeaves()
    head, most = GENESIS, 0
    leaves.start(leaf(head))
    for number in range(1, 2001):
        blocks = [header(number, head.hash(), salt) for salt in range(1 + number % 2)]
        for block in blocks:
            leaves.imported(leaf(block))
        head = blocks[0]
        for stop in leaves.outgrown(head.number):
            assert isinstance(stop, StopWork) and stop.relay_parent not in leaves.all
        most = max(most, len(leaves.all))
        assert head.hash() in leaves.all
    assert most == 1 + OUTGROWN_AFTER // 2
    nearest = next(it for it in leaves.all.values() if it.hash != head.hash())
    late = header(nearest.number + 1, nearest.hash)
    ended, begun = leaves.imported(leaf(late))
    assert ended == StopWork(nearest.hash) and isinstance(begun, StartWork)


async def test_the_best_block_ends_work_on_forks_far_behind_it() -> None:
    speaker = Speaker()
    overseer = make_overseer([speaker, Listener()])
    far = header(OUTGROWN_AFTER, FIRST.hash())
    async with running(overseer, [leaf(GENESIS)]):
        overseer.block_imported(leaf(far))
        overseer.best_moved(BlockNumber(U32(OUTGROWN_AFTER - 1)))
        await trio.testing.wait_all_tasks_blocked()
        assert tuple(overseer.leaves.all) == (GENESIS.hash(), far.hash())
        overseer.best_moved(far.number)
        await trio.testing.wait_all_tasks_blocked()
        assert tuple(overseer.leaves.all) == (far.hash(),)
        assert speaker.signals[-1] == StopWork(GENESIS.hash())


async def test_jobs_of_a_scope_end_with_it_and_with_nothing_else() -> None:
    speaker = Speaker()
    overseer = make_overseer([speaker, Listener()])
    ended: list[str] = []

    def job(name: str) -> Callable[[], Awaitable[None]]:
        async def wait() -> None:
            try:
                await trio.sleep_forever()
            finally:
                ended.append(name)

        return wait

    one, other = Scope(), Scope()
    async with running(overseer, [leaf(GENESIS)]):
        for scope, name in ((one, "first"), (one, "second"), (other, "other")):
            assert speaker.ctx.spawn(scope, job(name), name)
        await trio.testing.wait_all_tasks_blocked()
        overseer.block_imported(leaf(FIRST))
        await trio.testing.wait_all_tasks_blocked()
        assert ended == [] and len(one) == 2
        one.end()
        await trio.testing.wait_all_tasks_blocked()
        assert sorted(ended) == ["first", "second"]
        assert one.has_ended and len(one) == 0 and not other.has_ended
        assert not speaker.ctx.spawn(one, job("late"), "late")


async def test_a_job_may_end_its_own_scope_and_one_that_has_not_begun_ends_at_once() -> None:
    speaker = Speaker()
    scope = Scope()
    did: list[str] = []

    async def ends_it() -> None:
        scope.end()
        did.append("goes on to its next wait")
        await trio.lowlevel.checkpoint()
        did.append("never")

    async def waits() -> None:
        did.append("never")

    async with running(make_overseer([speaker, Listener()])):
        speaker.ctx.spawn(scope, ends_it, "ends it")
        await trio.testing.wait_all_tasks_blocked()
        late = Scope()
        assert speaker.ctx.spawn(late, waits, "waits")
        late.end()
        await trio.testing.wait_all_tasks_blocked()
    assert did == ["goes on to its next wait"]
    assert len(scope) == len(late) == 0


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=12), st.integers(0, 5))
def test_leaves_are_the_blocks_without_children(forks: list[tuple[int, int]], final: int) -> None:
    """Against the definition: grow a random tree and compare."""
    leaves = ActiveLeaves()
    leaves.start(leaf(GENESIS))
    tree = [GENESIS]
    for salt, (pick, _) in enumerate(forks):
        parent = tree[pick % len(tree)]
        block = header(parent.number + 1, parent.hash(), salt=salt)
        tree.append(block)
        leaves.imported(leaf(block))
    parents = {block.parent_hash for block in tree}
    expected = {block.hash() for block in tree if block.hash() not in parents}
    assert set(leaves.all) == expected
    last = tree[final % len(tree)]
    leaves.finalized(last.hash(), last.number)
    heights = {block.hash(): block.number for block in tree}
    assert set(leaves.all) == {
        each for each in expected if heights[each] > last.number or each == last.hash()
    }


class Breaks(Subsystem):
    name = "breaks"
    receives = (Relay,)

    def on_message(self, message: Message) -> None:
        raise ValueError("broken")


@pytest.mark.guide("A69")
async def test_a_failed_subsystem_takes_the_node_down() -> None:
    overseer = make_overseer([Breaks()])
    with pytest.RaisesGroup(
        pytest.RaisesExc(Exception, check=lambda e: "breaks" in str(e)),
        allow_unwrapped=True,
        flatten_subgroups=True,
    ):
        async with running(overseer):
            overseer.send(Relay("go"))
            await trio.sleep_forever()


@pytest.mark.guide("A70")
async def test_what_is_not_declared_is_not_sent() -> None:
    speaker = Speaker()
    async with running(make_overseer([speaker, Listener()])):
        with pytest.raises(UndeclaredMessage):
            speaker.ctx.send(Relay("to myself"))


def test_a_graph_with_a_loose_end_or_two_receivers_is_refused() -> None:
    with pytest.raises(GraphError, match="nobody receives"):
        MessageGraph([Speaker()])
    with pytest.raises(GraphError, match="receive it"):
        MessageGraph([Speaker(), Breaks(), Listener()])
    assert MessageGraph([Speaker(), Listener()]).edges() == [("speaker", "Note", "listener")]


@pytest.mark.guide("A70")
async def test_answers_come_by_the_side_channel_and_dropped_requests_say_so() -> None:
    overseer = make_overseer([Speaker(), Listener()])
    async with running(overseer):
        assert await overseer.ask(Square(7)) == 49
        with pytest.raises(Unanswered):
            await overseer.ask(Square(-1))


async def test_a_question_is_dropped_when_its_job_ends_without_an_answer() -> None:
    """The scope ends amidst the job, or before its first step; or the job gives none."""

    async def gives_none() -> None:
        await trio.lowlevel.checkpoint()

    async def answers() -> None:
        answered.answer(49)

    speaker = Speaker()
    amidst, before, none, answered = Reply[int](), Reply[int](), Reply[int](), Reply[int]()
    scope = Scope()
    async with running(make_overseer([speaker, Listener()])):
        speaker.ctx.spawn(scope, trio.sleep_forever, "amidst", amidst)
        await trio.testing.wait_all_tasks_blocked()
        assert not amidst.settled
        speaker.ctx.spawn(scope, trio.sleep_forever, "before", before)
        scope.end()
        speaker.ctx.spawn(None, gives_none, "none", none)
        speaker.ctx.spawn(None, answers, "answers", answered)
        for reply in (amidst, before, none):
            with pytest.raises(Unanswered):
                await reply.wait()
        assert await answered.wait() == 49


@pytest.mark.guide("A71")
async def test_jobs_live_as_long_as_their_relay_parent() -> None:
    speaker = Speaker()
    overseer = make_overseer([speaker, Listener()])

    async def job() -> None:
        try:
            await trio.sleep_forever()
        finally:
            speaker.cancelled.append(GENESIS.hash())

    async with running(overseer, [leaf(GENESIS)]):
        assert speaker.ctx.spawn(GENESIS.hash(), job, "waits")
        assert not speaker.ctx.spawn(FIRST.hash(), job, "no leaf")
        await trio.testing.wait_all_tasks_blocked()
        assert speaker.cancelled == []
        overseer.block_imported(leaf(FIRST))
        await trio.testing.wait_all_tasks_blocked()
        assert speaker.cancelled == [GENESIS.hash()]


@given(st.lists(st.integers(0, 99), max_size=40), st.integers(1, 4))
def test_outside_traffic_waits_for_room_and_keeps_its_order(
    numbers: list[int], capacity: int
) -> None:
    async def scenario() -> tuple[list[object], int]:
        speaker, listener = Speaker(), Listener()
        overseer = make_overseer([speaker, listener], capacity=capacity)
        async with running(overseer):
            for number in numbers:
                await speaker.ctx.room()
                assert speaker.ctx.has_room
                overseer.send(Relay(str(number)))
            await trio.testing.wait_all_tasks_blocked()
        return listener.heard, overseer.stats()["speaker"].longest

    heard, longest = trio.run(scenario)
    assert heard == [str(number) for number in numbers]
    assert longest <= capacity


async def test_all_who_wait_for_room_get_it() -> None:
    """Whatever the order is in which the bus and those who wait have their turns."""
    speaker, listener = Speaker(), Listener()
    overseer = make_overseer([speaker, listener], capacity=2)
    through: list[int] = []

    async def wait(number: int) -> None:
        await speaker.ctx.room()
        through.append(number)

    async with running(overseer), trio.open_nursery() as nursery:
        for turn in range(30):
            for text in ("one", "two"):
                assert speaker.ctx.has_room
                overseer.send(Relay(text))
            assert not speaker.ctx.has_room
            for number in range(3):
                nursery.start_soon(wait, 3 * turn + number)
            await trio.testing.wait_all_tasks_blocked()
            assert speaker.ctx.has_room
            assert sorted(through) == list(range(3 * turn + 3))


class Doubler:
    """An interceptor that says everything twice."""

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        return (message, message)


async def test_an_interceptor_stands_between_a_subsystem_and_the_bus() -> None:
    speaker, listener = Speaker(), Listener()
    overseer = make_overseer([speaker, listener], interceptors=[Doubler()])
    async with running(overseer):
        overseer.send(Relay("hello"))
        await trio.testing.wait_all_tasks_blocked()
    assert listener.heard == ["hello", "hello"]


class Asks(Subsystem):
    """Asks the speaker in a job and notes whether it went on after its relay parent stopped."""

    name = "asks"
    sends = (Square,)
    receives = ()

    def __init__(self) -> None:
        self.stopped = False
        self.late: list[int] = []

    def on_signal(self, signal: OverseerSignal) -> None:
        if isinstance(signal, StopWork):
            self.stopped = True

    def on_message(self, message: Message) -> None:
        raise AssertionError("nothing is sent here")


class AnswersAndImports(Speaker):
    """Answers, and in the same instant a block is imported."""

    def on_message(self, message: Message) -> None:
        super().on_message(message)
        self.overseer.block_imported(leaf(FIRST))

    overseer: Overseer


class FailsWhenAsked(Speaker):
    def __init__(self, failure: BaseException) -> None:
        super().__init__()
        self.failure = failure

    def on_message(self, message: Message) -> None:
        raise self.failure


@pytest.mark.guide("A69")
async def test_who_fails_at_a_jobs_question_is_named_and_takes_the_node_down() -> None:
    asks = Asks()
    went_on: list[int] = []

    async def job() -> None:
        await trio.testing.wait_all_tasks_blocked()
        went_on.append(await asks.ctx.ask(Square(3)))

    with pytest.RaisesGroup(
        pytest.RaisesExc(
            SubsystemFailed,
            check=lambda e: e.name == "speaker" and isinstance(e.__cause__, ValueError),
        ),
        flatten_subgroups=True,
    ):
        async with running(make_overseer([asks, FailsWhenAsked(ValueError()), Listener()])):
            asks.ctx.spawn(None, job, "asks")
            await trio.sleep_forever()
    assert went_on == []


@pytest.mark.guide("A69", "A70")
async def test_a_question_that_is_not_declared_is_its_askers_failure() -> None:
    @dataclass(eq=False, slots=True)
    class Cube(Request[int]):
        number: int

    asks = Asks()
    caught: list[UndeclaredMessage] = []

    async def careful() -> None:
        await trio.testing.wait_all_tasks_blocked()
        try:
            await asks.ctx.ask(Cube(3))
        except UndeclaredMessage as error:
            caught.append(error)
        assert await asks.ctx.ask(Square(3)) == 9  # the bus goes on
        caught.append(UndeclaredMessage("the end"))

    async def careless() -> None:
        await trio.testing.wait_all_tasks_blocked()
        await asks.ctx.ask(Cube(3))

    async with running(make_overseer([asks, Speaker(), Listener()])):
        asks.ctx.spawn(None, careful, "asks")
        await trio.testing.wait_all_tasks_blocked(0.01)
    assert len(caught) == 2
    with pytest.RaisesGroup(
        pytest.RaisesExc(
            SubsystemFailed,
            check=lambda e: e.name == "asks" and isinstance(e.__cause__, UndeclaredMessage),
        ),
        flatten_subgroups=True,
    ):
        async with running(make_overseer([asks, Speaker(), Listener()])):
            asks.ctx.spawn(None, careless, "asks")
            await trio.sleep_forever()


@pytest.mark.guide("A71")
async def test_a_job_does_not_go_on_when_stop_comes_with_the_answer() -> None:
    asks, speaker = Asks(), AnswersAndImports()
    overseer = make_overseer([asks, speaker, Listener()])
    speaker.overseer = overseer

    async def job() -> None:
        answer = await asks.ctx.ask(Square(3))
        if asks.stopped:
            asks.late.append(answer)

    async with running(overseer, [leaf(GENESIS)]):
        assert asks.ctx.spawn(GENESIS.hash(), job, "asks")
        await trio.testing.wait_all_tasks_blocked()
    assert asks.stopped
    assert asks.late == []
