"""What may go wrong with a validation function: its own fault, or this machine's (D14)."""

from __future__ import annotations


class FunctionFailed(Exception):
    """The function itself failed, as it would on every machine: its candidate is invalid.

    ``reason`` is one line that says what was wrong, and where.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CpuLimitReached(FunctionFailed):
    """The function used up the CPU time that it is given, in seconds."""

    def __init__(self, limit_s: float) -> None:
        super().__init__(f"CPU-time limit of {limit_s:g} s reached")
        self.limit_s = limit_s


class GuestTrap(Exception):
    """A host function refuses to go on: the call traps. Raised inside host functions only."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class ArtifactError(Exception):
    """A prepared artifact is absent, damaged, or another engine's: this machine's fault, and
    mended by preparing the code again."""
