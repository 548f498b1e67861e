"""Validation functions inside this process: the simulated form of the ``ValidationHost`` port.

Same code, same host functions, same three outcomes in kind as the pool's. Instead of CPU time it
counts instructions (wasmtime's fuel), so that a run ends at the same one everywhere; durations are
told from that count, so that two runs of a simulation agree in every byte. Nothing is isolated
from the process, and nothing is ever undecided: a scenario that wants that wraps the host.
"""

from __future__ import annotations

from collections import OrderedDict

import trio
import wasmtime

from parahost.ports.validation import ExecutionKind, ExecutionOutcome, Failed, Returned
from parahost.primitives.basic import ValidationCode
from parahost.validation.abi import CallReport, ValidationFunction
from parahost.validation.code import code_hash, wasm_of
from parahost.validation.engine import Engine, Metering
from parahost.validation.errors import FunctionFailed

FUEL_PER_SECOND = 1_000_000_000
"""Instructions that stand for one second of CPU time; roughly what a core does."""

_KNOWN_OUTCOMES = 4096
_KNOWN_FUNCTIONS = 64


class FuelMeter:
    """Gives each call the fuel of so many seconds."""

    def __init__(self, limit_s: float) -> None:
        self.limit_s = limit_s

    def arm(self, store: wasmtime.Store) -> None:
        store.set_fuel(int(self.limit_s * FUEL_PER_SECOND))


class InProcessHost:
    """Runs validation functions where it is called. Share one between the nodes of a simulation:
    what one of them had executed, the others get at once."""

    def __init__(self) -> None:
        self._engine = Engine(Metering.FUEL)
        self._functions: OrderedDict[bytes, ValidationFunction | FunctionFailed] = OrderedDict()
        self._outcomes: OrderedDict[tuple[bytes, bytes, ExecutionKind], ExecutionOutcome]
        self._outcomes = OrderedDict()

    async def execute(
        self, code: ValidationCode, params: bytes, kind: ExecutionKind
    ) -> ExecutionOutcome:
        """See the port."""
        await trio.lowlevel.checkpoint()
        return self.run(code, params, kind)

    def run(self, code: bytes, params: bytes, kind: ExecutionKind) -> ExecutionOutcome:
        """:meth:`execute` for callers that are not async."""
        digest = code_hash(code)
        key = (digest, code_hash(params), kind)
        outcome = self._outcomes.get(key)
        if outcome is None:
            outcome = self._outcomes[key] = self._execute(code, digest, params, kind)
            if len(self._outcomes) > _KNOWN_OUTCOMES:
                self._outcomes.popitem(last=False)
        return outcome

    def _execute(
        self, code: bytes, digest: bytes, params: bytes, kind: ExecutionKind
    ) -> ExecutionOutcome:
        report = CallReport()
        try:
            function = self._function(code, digest)
            result = function.call(params, FuelMeter(kind.cpu_limit_s), report)
        except FunctionFailed as failure:
            duration_ms = _duration_ms(report)
            return Failed(failure.reason, 0.0, duration_ms, report.peak_memory_kb)
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
    return report.fuel_used * 1000 / FUEL_PER_SECOND
