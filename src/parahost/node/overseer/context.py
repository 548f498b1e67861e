"""What a subsystem is, and what it is handed to act with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from parahost.metrics.meter import NodeMeter
from parahost.metrics.metric import Metric, Reading
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message, Reply, Request
from parahost.node.messages.signals import OverseerSignal
from parahost.node.overseer.scope import Scope
from parahost.ports import Clock, Executor, Journal, Random
from parahost.primitives.basic import Hash

T = TypeVar("T")


class Context(Protocol):
    """A subsystem's hands. Sending never waits; only jobs may ask and wait."""

    clock: Clock
    random: Random
    journal: Journal
    executor: Executor
    meter: NodeMeter

    def send(self, message: Message) -> None:
        """Put a message on the bus. It arrives after every signal that was given before, and
        after everything that this subsystem sent to the same receiver before.

        :raises UndeclaredMessage: when it is not among the subsystem's ``sends``: a bug.
        """
        ...

    async def ask(self, request: Request[T]) -> T:
        """Send a request and wait for the answer. For jobs only.

        :raises Unanswered: when the receiver let it go.
        """
        ...

    @property
    def has_room(self) -> bool:
        """Whether something may be taken in from outside the node: no queue is full."""
        ...

    async def room(self) -> None:
        """Wait until it may. Who brings things from outside waits here, and so passes the
        pressure on."""
        ...

    def spawn(
        self,
        within: Hash | Scope | None,
        job: Callable[[], Awaitable[None]],
        name: str,
        reply: Reply[Any] | None = None,
    ) -> bool:
        """Start a job ``within`` a relay parent, whose ``StopWork`` cancels it; or within a scope
        of the subsystem's own, until that is ended; or, with ``None``, for as long as the node
        lives. ``False``, and nothing is started, when the relay parent is no active leaf or the
        scope has ended. When that ends before the job's first step, the job takes none. A
        ``reply`` that the job leaves unanswered, however it ends, is dropped. An exception that
        leaves a job takes the node down (A69), but for ``Unanswered``, which ends the job."""
        ...

    @property
    def leaves(self) -> Mapping[Hash, ActiveLeaf]:
        """The relay parents that are worked on now, oldest first."""
        ...


class Subsystem(ABC):
    """A state machine on the bus: one input in, effects out, run to completion without waiting.

    ``receives`` and ``sends`` declare its place in the message graph (design, idea 3), ``metrics``
    what it counts with ``ctx.meter`` or tells in :meth:`readings`.
    """

    name: ClassVar[str]
    receives: ClassVar[tuple[type[Message], ...]] = ()
    sends: ClassVar[tuple[type[Message], ...]] = ()
    metrics: ClassVar[tuple[Metric, ...]] = ()

    ctx: Context

    def start(self, ctx: Context) -> None:
        """Called once, before any signal. Overriders call this first."""
        self.ctx = ctx

    def on_signal(self, signal: OverseerSignal) -> None:  # noqa: B027
        """The overseer's heartbeat; ignored by default."""

    @abstractmethod
    def on_message(self, message: Message) -> None:
        """One of ``receives`` has arrived."""

    def readings(self) -> Iterable[Reading]:
        """What it holds now, for who looks on."""
        return ()
