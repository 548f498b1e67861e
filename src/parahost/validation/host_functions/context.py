"""What a host function is, and what it works on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from parahost.validation.memory import GuestMemory

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
    log: deque[str] = field(default_factory=lambda: deque(maxlen=_LOG_LINES))
    """The guest's last words; they explain a trap and decide nothing."""
    batch_valid: bool | None = None
    """Whether all signatures of the open batch were valid; ``None`` outside a batch."""

    def write_log(self, text: str) -> None:
        self.log.append(" ".join(text.split())[:_LOG_LINE_LENGTH])

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
