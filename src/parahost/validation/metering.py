"""Counting what a call executes (D34).

The engine counts Wasm instructions as it executes them (its fuel: one an instruction, one a byte
of a bulk memory operation). A host function is charged here, by a price for the call and one for
each byte that it reads from the guest's memory or writes there. The count depends on the code and
its parameters alone, so the limit ends a function at the same instruction on every machine.
"""

from __future__ import annotations

import wasmtime

from parahost.validation.errors import InstructionLimitReached

MAX_INSTRUCTIONS = 8_000_000_000
"""What a call may execute: about what a core gets through in the 2 s of CPU time that backing
gives, where instructions are plain and wait for nothing. Blocks of published parachains execute
less than a hundredth of it."""
INSTRUCTIONS_PER_BYTE = 16
"""What a host function is charged for each byte between it and the guest."""

_SETTLED_AT = 1_000_000


class Meter:
    """The count of one call."""

    def __init__(self, store: wasmtime.Store) -> None:
        self.limit = MAX_INSTRUCTIONS
        self._store = store
        self._owed = 0
        store.set_fuel(self.limit)

    @property
    def executed(self) -> int:
        return self.limit - int(self._store.get_fuel()) + self._owed

    def charge(self, instructions: int) -> None:
        """Count a host function's work. The engine is told in large steps, as asking it costs more
        than most host functions do.

        :raises InstructionLimitReached: when the call has executed its limit.
        """
        self._owed += instructions
        if self._owed < _SETTLED_AT:
            return
        left = self._store.get_fuel()
        if self._owed >= left:
            raise InstructionLimitReached(self.limit)
        self._store.set_fuel(left - self._owed)
        self._owed = 0
