"""Validation functions inside this process: the simulated form of the ``ValidationHost`` port.

Engine, host functions and limit of instructions are a worker's, and so are the verdicts. CPU time
is not looked at; durations are told from the count of instructions, so that two runs of a
simulation agree in every byte. Nothing is isolated from the process. A scenario that wants a
machine in trouble wraps the host.
"""

from __future__ import annotations

from collections import OrderedDict

import trio

from parahost.ports.validation import (
    ExecutionKind,
    ExecutionOutcome,
    Failed,
    Returned,
    Undecided,
)
from parahost.primitives.basic import ValidationCode
from parahost.validation.abi import CallReport, ValidationFunction
from parahost.validation.code import code_hash, wasm_of
from parahost.validation.engine import Engine
from parahost.validation.errors import FunctionFailed, MachineTrouble

INSTRUCTIONS_PER_MS = 4_000_000
"""Instructions that stand for a millisecond of a core."""

_KNOWN_OUTCOMES = 4096
_KNOWN_FUNCTIONS = 64


class InProcessHost:
    """Runs validation functions where it is called. Share one between the nodes of a simulation:
    what one of them had executed, the others get at once."""

    def __init__(self) -> None:
        self._engine = Engine()
        self._functions: OrderedDict[bytes, ValidationFunction | FunctionFailed] = OrderedDict()
        self._outcomes: OrderedDict[tuple[bytes, bytes], ExecutionOutcome] = OrderedDict()

    async def execute(
        self, code: ValidationCode, params: bytes, kind: ExecutionKind
    ) -> ExecutionOutcome:
        """See the port."""
        await trio.lowlevel.checkpoint()
        return self.run(code, params, kind)

    def run(self, code: bytes, params: bytes, _kind: ExecutionKind) -> ExecutionOutcome:
        """:meth:`execute` for callers that are not async. What it is for makes no difference."""
        digest = code_hash(code)
        key = (digest, code_hash(params))
        outcome = self._outcomes.get(key)
        if outcome is None:
            outcome = self._execute(code, digest, params)
            if isinstance(outcome, Undecided):
                return outcome
            self._outcomes[key] = outcome
            if len(self._outcomes) > _KNOWN_OUTCOMES:
                self._outcomes.popitem(last=False)
        return outcome

    def _execute(self, code: bytes, digest: bytes, params: bytes) -> ExecutionOutcome:
        report = CallReport()
        try:
            function = self._function(code, digest)
            result = function.call(params, report)
        except FunctionFailed as failure:
            duration_ms = _duration_ms(report)
            return Failed(failure.reason, 0.0, duration_ms, report.peak_memory_kb)
        except MachineTrouble as trouble:
            return Undecided(trouble.reason)
        return Returned(result, 0.0, _duration_ms(report), report.peak_memory_kb)

    def _function(self, code: bytes, digest: bytes) -> ValidationFunction:
        known = self._functions.get(digest)
        if known is None:
            try:
                known = ValidationFunction(self._engine, self._engine.compile(wasm_of(code)))
            except FunctionFailed as failure:
                known = failure
            self._functions[digest] = known
            if len(self._functions) > _KNOWN_FUNCTIONS:
                self._functions.popitem(last=False)
        if isinstance(known, FunctionFailed):
            raise FunctionFailed(known.reason)
        return known


def _duration_ms(report: CallReport) -> float:
    return report.instructions / INSTRUCTIONS_PER_MS
