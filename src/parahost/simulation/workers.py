"""A node's validation workers, which may be given trouble."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from parahost.ports import ExecutionKind, ExecutionOutcome, ValidationHost
from parahost.primitives.basic import ValidationCode

Execution = Callable[[], Awaitable[ExecutionOutcome]]
WorkerTrouble = Callable[[ExecutionKind, Execution], Awaitable[ExecutionOutcome]]
"""Given a kind of execution and the way to have it done, gives the outcome that the node gets."""


class Workers:
    """``ports.ValidationHost`` of one life of a node."""

    def __init__(self, host: ValidationHost, trouble: Callable[[], WorkerTrouble | None]) -> None:
        self._host = host
        self._trouble = trouble

    async def execute(
        self, code: ValidationCode, params: bytes, kind: ExecutionKind
    ) -> ExecutionOutcome:
        trouble = self._trouble()
        if trouble is None:
            return await self._host.execute(code, params, kind)
        return await trouble(kind, lambda: self._host.execute(code, params, kind))
