"""What may go wrong with a validation function: its own fault, or this machine's (D14, D34)."""

from __future__ import annotations


class FunctionFailed(Exception):
    """The function itself failed, as it would on every machine: its candidate is invalid.

    ``reason`` is one line that says what was wrong, and where.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class LimitReached(FunctionFailed):
    """The function would exceed a ``limit`` that is the same on every machine."""

    def __init__(self, reason: str, limit: int) -> None:
        super().__init__(reason)
        self.limit = limit


class StackLimitReached(LimitReached):
    """Its calls are so deep that they would hold more than ``limit`` values."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the stack limit of {limit:,} values was reached", limit)


class InstructionLimitReached(LimitReached):
    """It executed ``limit`` instructions and would execute more (the engine calls them fuel)."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the fuel limit of {limit:,} instructions was reached", limit)


class MemoryLimitReached(LimitReached):
    """It allocates more than fits into a memory of ``limit`` pages."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"the memory limit of {limit:,} pages was reached", limit)


class StructureExceeded(FunctionFailed):
    """The code has more of something than its structure may have: ``count`` of ``what``, where
    ``limit`` is the most."""

    def __init__(self, what: str, count: int, limit: int) -> None:
        super().__init__(f"code has {count:,} {what}, more than the {limit:,} that it may have")
        self.what = what
        self.count = count
        self.limit = limit


class GuestTrap(Exception):
    """A host function refuses to go on: the call traps. Raised inside host functions only."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class HeapUsedUp(GuestTrap):
    """An allocation needs more memory than the function may have."""


class MachineTrouble(Exception):
    """The engine or the machine failed: nothing is known about the function. ``reason`` is one
    line that says what was wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ArtifactError(MachineTrouble):
    """A prepared artifact is absent, damaged, or another engine's; mended by preparing the code
    again."""
