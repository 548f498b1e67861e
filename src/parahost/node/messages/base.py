"""What travels on the overseer's bus, and how a request is answered (A70)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

import trio

T = TypeVar("T")


class Unanswered(Exception):
    """The subsystem that was asked let the request go: its work ended before the answer."""


class Reply(Generic[T]):
    """The side channel on which one request is answered, once."""

    __slots__ = ("_abandoned", "_answered", "_event", "_value")

    def __init__(self) -> None:
        self._event: trio.Event | None = None
        self._answered = False
        self._abandoned = False
        self._value: T | None = None

    @property
    def settled(self) -> bool:
        """Whether it has been answered or dropped."""
        return self._answered

    @property
    def abandoned(self) -> bool:
        """Whether the job that waited for it was cancelled."""
        return self._abandoned

    @property
    def value(self) -> T:
        """The answer, once it has been given."""
        if not self._answered or self._value is _DROPPED:
            raise RuntimeError("there is no answer")
        return self._value  # type: ignore[return-value]

    def answer(self, value: T) -> None:
        if self._answered:
            raise RuntimeError("a request was answered twice")
        self._value = value
        self._settle()

    def drop(self) -> None:
        """Let the request go unanswered; whoever waits gets :exc:`Unanswered`."""
        if not self._answered:
            self._value = _DROPPED  # type: ignore[assignment]
            self._settle()

    def _settle(self) -> None:
        self._answered = True
        if self._event is not None:
            self._event.set()

    async def wait(self) -> T:
        """The answer, when it is there.

        :raises Unanswered: when the request was dropped.
        """
        if not self._answered:
            self._event = trio.Event()
            try:
                await self._event.wait()
            except trio.Cancelled:
                self._abandoned = True
                raise
        if self._value is _DROPPED:
            raise Unanswered
        return self._value  # type: ignore[return-value]


_DROPPED = object()


class Message:
    """Base of all messages. Each class is received by exactly one subsystem, which names it in
    its ``receives``."""

    __slots__ = ()


@dataclass(eq=False, slots=True)
class Request(Message, Generic[T]):
    """A message that wants an answer of type ``T``."""

    reply: Reply[T] = field(default_factory=Reply, init=False, repr=False)
