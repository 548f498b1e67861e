"""What may go wrong with a validation function: its own fault, or this machine's (D14, D34)."""

from __future__ import annotations


class FunctionFailed(Exception):
    """The function itself failed, as it would on every machine: its candidate is invalid.

    ``reason`` is one line that says what was wrong, and where.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class InstructionsUsedUp(FunctionFailed):
    """The function executed more than the ``limit`` of instructions."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"limit of {limit:,} instructions reached")
        self.limit = limit


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


class MachineTrouble(Exception):
    """The engine or the machine failed: nothing is known about the function. ``reason`` is one
    line that says what was wrong."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ArtifactError(MachineTrouble):
    """A prepared artifact is absent, damaged, or another engine's; mended by preparing the code
    again."""
