"""Executing validation functions, as the node sees it (D14, D32)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from parahost.primitives.basic import ValidationCode


class ExecutionKind(Enum):
    """Why a function is executed; each kind has its own CPU time, in seconds (D14). What exceeds it
    is undecided: it protects the machine, and judges nobody (D34)."""

    BACKING = 2
    CHECKING = 12

    @property
    def cpu_limit_s(self) -> float:
        return float(self.value)


@dataclass(frozen=True, slots=True)
class Returned:
    """The function returned these bytes: SCALE ``ValidationResult`` if it is an honest one."""

    result: bytes
    prepare_ms: float
    execute_ms: float
    peak_memory_kb: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The function itself failed, as it does on every machine: a trap, too many instructions, no
    export, not Wasm. Its candidate is invalid."""

    reason: str
    prepare_ms: float = 0.0
    execute_ms: float = 0.0
    peak_memory_kb: int = 0


@dataclass(frozen=True, slots=True)
class Undecided:
    """This machine failed: nothing is known about the candidate, and nothing may be signed."""

    reason: str


ExecutionOutcome = Returned | Failed | Undecided


class ValidationHost(Protocol):
    """Runs validation functions away from the node, in sandboxed worker processes."""

    async def execute(
        self, code: ValidationCode, params: bytes, kind: ExecutionKind
    ) -> ExecutionOutcome:
        """Call ``validate_block`` of ``code`` with SCALE ``ValidationParams``. Prepares the code
        first when it has not been prepared on this machine. Never raises for what the code or a
        worker does."""
        ...
