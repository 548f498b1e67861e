"""The overseer: the heartbeat of which relay parents to work on, and the only bus (A66-A71)."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import trio

from parahost.metrics.meter import NodeMeter
from parahost.metrics.metric import Reading
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message, Reply, Request, Unanswered
from parahost.node.messages.signals import OverseerSignal, StartWork, StopWork
from parahost.node.overseer import bus_metrics as metrics
from parahost.node.overseer.context import Subsystem
from parahost.node.overseer.graph import MessageGraph
from parahost.node.overseer.leaves import ActiveLeaves
from parahost.node.overseer.scope import Scope
from parahost.ports import Clock, Executor, Journal, Random
from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.events import BlockFinalizationEvent

if TYPE_CHECKING:
    from trio_typing import TaskStatus

T = TypeVar("T")

DEFAULT_CAPACITY = 1024
SLACK = 65_536
"""How far internal traffic may go over a queue's capacity before it counts as a bug. Only what
comes from outside waits for room; what it sets off inside is bounded by what it is."""
STEPS_BETWEEN_CHECKPOINTS = 64


class UndeclaredMessage(Exception):
    """A subsystem sent what it does not declare: a bug."""


class QueueOverflow(Exception):
    """A queue outgrew every bound: a bug, two subsystems feeding each other."""


class SubsystemFailed(Exception):
    """A subsystem or one of its jobs raised: the node goes down (A69)."""

    def __init__(self, name: str) -> None:
        super().__init__(f"subsystem {name} failed")
        self.name = name


class Interceptor(Protocol):
    """Stands between a subsystem and the bus: an adversary, or a probe."""

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        """What is sent instead; the message itself to let it pass."""
        ...


class Pick(Protocol):
    """Chooses whose message is handled next."""

    def __call__(self, waiting: int) -> int:
        """An index below ``waiting``, the number of subsystems with messages; at least 2."""
        ...


@dataclass(slots=True)
class QueueStats:
    """What went through one subsystem's queue."""

    received: int = 0
    longest: int = 0


@dataclass(slots=True)
class _Seat:
    """One subsystem's place at the bus."""

    subsystem: Subsystem
    sends: frozenset[type[Message]]
    queue: deque[Message] = field(default_factory=deque)
    stats: QueueStats = field(default_factory=QueueStats)
    jobs: dict[Hash, Scope] = field(default_factory=dict)
    """By relay parent, where there were any."""
    under_way: int = 0
    """How many jobs it has, within whatever."""


class Overseer:
    """Runs the subsystems of one node.

    ``pick`` chooses the next subsystem among those with messages: in turn by default, by a seeded
    stream in a simulation. Per subsystem the order is always first in, first out.
    """

    def __init__(
        self,
        subsystems: Sequence[Subsystem],
        *,
        clock: Clock,
        random: Random,
        journal: Journal,
        executor: Executor,
        capacity: int = DEFAULT_CAPACITY,
        pick: Pick | None = None,
        interceptors: Sequence[Interceptor] = (),
        meter: NodeMeter | None = None,
    ) -> None:
        self.graph = MessageGraph(subsystems)
        self.leaves = ActiveLeaves()
        self._clock, self._random, self._journal = clock, random, journal
        self._executor = executor
        self._meter = meter or NodeMeter()
        self._meter.declare(*metrics.BUS_METRICS, *(each for s in subsystems for each in s.metrics))
        self._meter.read_from(self._readings)
        self._capacity = capacity
        self._pick = pick
        self._interceptors = interceptors
        self._seats = [_Seat(s, frozenset(s.sends)) for s in subsystems]
        self._waiting: deque[int] = deque()
        self._full = 0
        """How many queues are at or over their capacity."""
        self._events: deque[Callable[[], Sequence[OverseerSignal]]] = deque()
        """What happened to the chain: steps of ``leaves``, which give signals."""
        self._wake = trio.Event()
        self._room = trio.Event()
        self._nursery: trio.Nursery | None = None

    # The outside

    def block_imported(self, block: ActiveLeaf) -> None:
        """Tell of a block that is in the chain, with what its state says."""
        self._happened(partial(self.leaves.imported, block))

    def block_finalized(self, event: BlockFinalizationEvent) -> None:
        """Tell of a block that is final."""
        self._happened(partial(self.leaves.finalized, event.hash, event.header.number))

    def best_moved(self, number: BlockNumber) -> None:
        """Tell how far the best block is: forks far behind it are worked on no more."""
        self._happened(partial(self.leaves.outgrown, number))

    def fork_reverted(self, leaves: Sequence[Hash], instead: ActiveLeaf | None) -> None:
        """Tell of leaves on which nobody builds any more, though they are neither built over nor
        behind finality; and of the block that is built on ``instead``, if that is none yet."""
        self._happened(partial(self.leaves.reverted, leaves, instead))

    def _happened(self, step: Callable[[], Sequence[OverseerSignal]]) -> None:
        self._events.append(step)
        self._wake.set()

    def stats(self) -> dict[str, QueueStats]:
        """Counters per subsystem."""
        return {seat.subsystem.name: seat.stats for seat in self._seats}

    def contents(
        self,
    ) -> list[tuple[Subsystem, Collection[Message], Mapping[Hash, int]]]:
        """Each subsystem with the messages that wait for it, and how many jobs it has within each
        relay parent: for those who look on."""
        return [
            (seat.subsystem, seat.queue, {leaf: len(jobs) for leaf, jobs in seat.jobs.items()})
            for seat in self._seats
        ]

    def _readings(self) -> Iterator[Reading]:
        yield metrics.RELAYED.of(sum(seat.stats.received for seat in self._seats))
        yield metrics.ACTIVE_LEAVES.of(len(self.leaves.all))
        for seat in self._seats:
            name = seat.subsystem.name
            yield metrics.MESSAGES.of(seat.stats.received, name)
            yield metrics.QUEUE.of(len(seat.queue), name)
            yield metrics.LONGEST_QUEUE.of(seat.stats.longest, name)
            yield metrics.JOBS.of(seat.under_way, name)
            yield from seat.subsystem.readings()

    def send(self, message: Message) -> None:
        """Put a message on the bus from beside it: block authorship, consensus."""
        self._enqueue(message)

    async def ask(self, request: Request[T]) -> T:
        """Ask a subsystem from beside the bus.

        :raises Unanswered: when it let the request go.
        """
        self._enqueue(request)
        return await request.reply.wait()

    async def run(
        self,
        initial: Sequence[ActiveLeaf],
        *,
        task_status: TaskStatus[None] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Start all subsystems on the initial leaves (A66) and serve until cancelled.

        :raises SubsystemFailed: when one fails.
        """
        async with trio.open_nursery() as nursery:
            self._nursery = nursery
            for seat in self._seats:
                seat.subsystem.start(_Hands(self, seat))
            for leaf in initial:
                self._give(self.leaves.start(leaf))
            task_status.started()
            while True:
                self._route()
                if self._waiting:
                    await trio.lowlevel.checkpoint()
                else:
                    self._wake = trio.Event()
                    await self._wake.wait()

    # The heartbeat

    def _serve_events(self) -> None:
        while self._events:
            step = self._events.popleft()
            self._give(step())

    def _give(self, signals: Sequence[OverseerSignal]) -> None:
        """Each signal reaches every subsystem before anything else is routed (A67)."""
        for signal in signals:
            if isinstance(signal, StartWork):
                self._meter.count(metrics.ACTIVATED)
            for seat in self._seats:
                try:
                    seat.subsystem.on_signal(signal)
                except Exception as error:
                    raise SubsystemFailed(seat.subsystem.name) from error
            if isinstance(signal, StopWork):
                self._meter.count(metrics.DEACTIVATED)
                for seat in self._seats:
                    if (jobs := seat.jobs.pop(signal.relay_parent, None)) is not None:
                        jobs.end()

    # The bus

    def _route(self) -> None:
        """Serve what waits, but no more than so many messages at a time."""
        self._serve_events()
        steps = 0
        while self._waiting and steps < STEPS_BETWEEN_CHECKPOINTS:
            self._step()
            if self._events:
                self._serve_events()
            steps += 1

    def _send(self, seat: _Seat, message: Message) -> None:
        if type(message) not in seat.sends:
            raise UndeclaredMessage(f"{seat.subsystem.name} sends {type(message).__name__}")
        if not self._interceptors:
            self._enqueue(message)
            return
        messages: Iterable[Message] = (message,)
        for interceptor in self._interceptors:
            messages = [
                out
                for incoming in messages
                for out in interceptor.intercept(seat.subsystem.name, incoming)
            ]
        for out in messages:
            self._enqueue(out)

    def _enqueue(self, message: Message) -> None:
        index = self.graph.receiver[type(message)]
        seat = self._seats[index]
        queue = seat.queue
        if not queue:
            if not self._waiting:  # else it is awake already
                self._wake.set()
            self._waiting.append(index)
        queue.append(message)
        length = len(queue)
        stats = seat.stats
        stats.received += 1
        if length > stats.longest:
            stats.longest = length
            if length > self._capacity + SLACK:
                raise QueueOverflow(f"{seat.subsystem.name}: {length} messages wait")
        if length == self._capacity:
            self._full += 1

    def _step(self) -> None:
        """Hand one message to its subsystem."""
        waiting = self._waiting
        if self._pick is not None and len(waiting) > 1:
            waiting.rotate(-self._pick(len(waiting)))
        index = waiting.popleft()
        seat = self._seats[index]
        queue = seat.queue
        message = queue.popleft()
        if queue:
            waiting.append(index)
        if len(queue) == self._capacity - 1:
            self._full -= 1
            self._room.set()
        try:
            seat.subsystem.on_message(message)
        except Exception as error:
            raise SubsystemFailed(seat.subsystem.name) from error

    async def _wait_for_room(self) -> None:
        while self._full:
            if self._room.is_set():  # else others wait on it already
                self._room = trio.Event()
            await self._room.wait()

    # Jobs

    def _spawn(
        self,
        seat: _Seat,
        within: Hash | Scope | None,
        job: Callable[[], Awaitable[None]],
        name: str,
        reply: Reply[Any] | None,
    ) -> bool:
        assert self._nursery is not None
        if isinstance(within, bytes):
            if within not in self.leaves.all:
                return False
            within = seat.jobs.setdefault(within, Scope())
        elif within is not None and within.has_ended:
            return False
        self._nursery.start_soon(self._run_job, seat, within, job, reply, name=name)
        return True

    async def _run_job(
        self,
        seat: _Seat,
        scope: Scope | None,
        job: Callable[[], Awaitable[None]],
        reply: Reply[Any] | None,
    ) -> None:
        seat.under_way += 1
        try:
            await (job() if scope is None else scope.run(job))
        except Unanswered:
            pass
        except Exception as error:
            raise SubsystemFailed(seat.subsystem.name) from error
        finally:
            seat.under_way -= 1
            if reply is not None:
                reply.drop()


class _Hands:
    """The ``Context`` of one subsystem."""

    def __init__(self, overseer: Overseer, seat: _Seat) -> None:
        self._overseer, self._seat = overseer, seat
        self.send = partial(overseer._send, seat)
        self.clock: Clock = overseer._clock
        self.random: Random = overseer._random
        self.journal: Journal = overseer._journal
        self.executor: Executor = overseer._executor
        self.meter: NodeMeter = overseer._meter

    async def ask(self, request: Request[T]) -> T:
        self.send(request)
        answer = await request.reply.wait()
        # The job may have been cancelled between the answer and now.
        await trio.lowlevel.checkpoint_if_cancelled()
        return answer

    @property
    def has_room(self) -> bool:
        return not self._overseer._full

    async def room(self) -> None:
        await self._overseer._wait_for_room()

    def spawn(
        self,
        within: Hash | Scope | None,
        job: Callable[[], Awaitable[None]],
        name: str,
        reply: Reply[Any] | None = None,
    ) -> bool:
        return self._overseer._spawn(self._seat, within, job, name, reply)

    @property
    def leaves(self) -> Mapping[Hash, ActiveLeaf]:
        return self._overseer.leaves.all
