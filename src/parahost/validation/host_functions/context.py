"""What a host function is, and what it works on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from parahost.validation.memory import GuestMemory
from parahost.validation.wire import printable

_LOG_LINES = 32
_LOG_LINE_LENGTH = 512


class Allocator(Protocol):
    """Either form of the allocator."""

    def malloc(self, size: int) -> int: ...

    def free(self, pointer: int) -> None: ...


@dataclass(slots=True)
class HostContext:
    """One call's memory, allocator and log."""

    memory: GuestMemory
    allocator: Allocator
    charge: Callable[[int], None]
    """Count so many instructions for work that neither the call nor its bytes stand for; ends the
    function that has none left."""
    log: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))
    """The guest's last words; they explain a trap and decide nothing."""
    batch_valid: bool | None = None
    """Whether all signatures of the open batch were valid; ``None`` outside a batch."""

    def write_log(self, text: str) -> None:
        self.log.append(printable(" ".join(text.split())[:_LOG_LINE_LENGTH]))

    def read_for_log(self, span: int) -> bytes:
        """As much of a span as a line of the log can show."""
        return self.memory.read_start(span, _LOG_LINE_LENGTH)

    def give(self, data: bytes) -> int:
        """Put ``data`` on the guest's heap, as a result that the guest will free; its address."""
        pointer = self.allocator.malloc(len(data))
        self.memory.write(pointer, data)
        return pointer

    def give_span(self, data: bytes) -> int:
        """As :meth:`give`, packed with the length in the high 32 bits."""
        return self.give(data) | len(data) << 32


@dataclass(frozen=True, slots=True)
class HostFunction:
    """A function as a guest imports it.

    ``parameters`` and ``results`` are written with one letter a value, ``i`` for i32 and ``l`` for
    i64. A *span* is an i64 that packs a pointer (low 32 bits) and a length (high 32 bits).
    """

    name: str
    parameters: str
    results: str
    body: Callable[..., int | None]
    instructions: int = 40_000
    """What a call counts for, besides the bytes that it reads and writes: about the instructions
    that a core executes in that time (see :mod:`parahost.validation.metering`)."""
