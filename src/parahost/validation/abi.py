"""Calling a validation function (D32).

``validate_block(ptr: i32, len: i32) -> i64``: the argument is SCALE ``ValidationParams``, put on
the guest's heap, which begins at ``__heap_base``; the result packs the pointer (low 32 bits) and
the length (high 32 bits) of SCALE ``ValidationResult``. The memory is exported as ``memory``, or
imported as ``env.memory``. A start function runs first, under the same limits.

What ends a call is the function's fault only where every machine would see it alike: a trap that
Wasm defines, a refusal of a host function, the count of instructions. All else that the engine
reports is this machine's (D34).
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import wasmtime

from parahost.validation.allocator import FreeingBumpAllocator
from parahost.validation.allocator_wasm import FREE, MALLOC, WasmAllocator, compile_allocator
from parahost.validation.engine import (
    INITIAL_HEAP_PAGES,
    MAX_MEMORY_PAGES,
    PAGE_SIZE,
    Engine,
    memory_limit_pages,
    one_line,
)
from parahost.validation.errors import (
    FunctionFailed,
    GuestTrap,
    HeapUsedUp,
    InstructionLimitReached,
    MachineTrouble,
    MemoryLimitReached,
    StackLimitReached,
)
from parahost.validation.host_functions import HOST_FUNCTIONS, HostContext, HostFunction
from parahost.validation.memory import GuestMemory
from parahost.validation.metering import INSTRUCTIONS_PER_BYTE, Meter
from parahost.validation.wasm.stack_limit import (
    COUNTER_AND_START_NAME,
    COUNTER_NAME,
    MAX_STACK_VALUES,
)
from parahost.validation.wasm.structure import MAX_TABLE_ELEMENTS
from parahost.validation.wire import MAX_RESULT_SIZE

ENTRY_POINT = "validate_block"
_LETTERS = {"i32": "i", "i64": "l"}
_WASM_TRAPS = {
    wasmtime.TrapCode.BAD_CONVERSION_TO_INTEGER,
    wasmtime.TrapCode.BAD_SIGNATURE,
    wasmtime.TrapCode.INDIRECT_CALL_TO_NULL,
    wasmtime.TrapCode.INTEGER_DIVISION_BY_ZERO,
    wasmtime.TrapCode.INTEGER_OVERFLOW,
    wasmtime.TrapCode.MEMORY_OUT_OF_BOUNDS,
    wasmtime.TrapCode.TABLE_OUT_OF_BOUNDS,
    wasmtime.TrapCode.UNREACHABLE,
}
"""What Wasm itself defines, of what the engine is set to understand. How deep the machine's stack
is, is not among it."""


@dataclass(slots=True)
class CallReport:
    """What is known of a call, also when it fails."""

    peak_memory_kb: int = 0
    """The size of the linear memory, which never shrinks, in KiB."""
    instructions: int = 0
    """How many were executed, host functions' by their price."""
    log: list[str] = field(default_factory=list)
    """The last lines that the function logged."""
    frames: list[str] | None = None
    """The functions that were running when Wasm trapped, the innermost first; told to who asks by
    an empty list, as calls may be 30,000 deep."""


class ValidationFunction:
    """A compiled module, linked to the host functions, that can be called any number of times,
    one call at a time. Each call starts from a fresh instance.

    :raises FunctionFailed: when the module lacks the entry point, the memory or ``__heap_base``,
        or imports what is neither a function nor the memory.
    """

    def __init__(self, engine: Engine, module: wasmtime.Module) -> None:
        self._engine = engine
        self._module = module
        self._context: HostContext | None = None
        self._meter: Meter
        self._stack_counter, self._start = _own_exports(module)
        self._stack_values: Callable[[], int] | None = None
        self._imported_memory: wasmtime.Limits | None = None
        self._allocator_imports: set[str] = set()
        self._linker = wasmtime.Linker(engine.wasmtime)
        self._linker.allow_shadowing = True  # each call has its own imported memory
        for entry in module.imports:
            self._link(entry)
        limits = self._check_exports()
        self._memory_limit = memory_limit_pages(limits.min)
        if limits.max is not None:
            self._memory_limit = min(self._memory_limit, limits.max)
        self._allocator_module: wasmtime.Module | None = None
        if self._imported_memory is not None and self._allocator_imports:
            self._allocator_module = compile_allocator(engine.wasmtime)

    def call(self, params: bytes, report: CallReport) -> bytes:
        """Call the entry point with ``params``; the bytes of its result.

        :raises FunctionFailed: when the function traps, executes too much, or returns a span that
            does not lie in its memory.
        :raises MachineTrouble: when the engine or the machine fails.
        """
        _have_memory(self._memory_limit * PAGE_SIZE)
        store = wasmtime.Store(self._engine.wasmtime)
        try:
            store.set_limits(
                memory_size=self._memory_limit * PAGE_SIZE, table_elements=MAX_TABLE_ELEMENTS
            )
            return self._call_in(store, params, report)
        finally:
            self._context = self._stack_values = None
            store.close()  # now: its memory has 4 GiB of addresses

    def _call_in(self, store: wasmtime.Store, params: bytes, report: CallReport) -> bytes:
        self._meter = meter = Meter(store)
        try:
            return self._run(store, params, report)
        except (GuestTrap, FunctionFailed, wasmtime.Trap, wasmtime.WasmtimeError) as error:
            failure = self._judge(error)
            if report.frames is not None and isinstance(error, wasmtime.Trap):
                report.frames = [f.func_name or f"function {f.func_index}" for f in error.frames]
            _forget_frames(error)
        finally:
            report.instructions = meter.executed
            report.log = [*self._context.log] if self._context else []
        try:
            raise failure
        finally:
            del failure  # nor may this frame refer to what refers to it

    def _judge(self, error: Exception) -> FunctionFailed | MachineTrouble:
        """Whose fault it is that a call ended with ``error``."""
        match error:
            case FunctionFailed():
                return error
            case HeapUsedUp():
                return MemoryLimitReached(self._memory_limit)
            case GuestTrap():
                return FunctionFailed(self._explain(error.reason))
            case wasmtime.Trap() if error.trap_code is wasmtime.TrapCode.OUT_OF_FUEL:
                return InstructionLimitReached(self._meter.limit)
            case wasmtime.Trap() if self._stack_values and self._stack_values() > MAX_STACK_VALUES:
                return StackLimitReached(MAX_STACK_VALUES)
            case wasmtime.Trap() if error.trap_code in _WASM_TRAPS:
                return FunctionFailed(self._explain(f"trap: {one_line(error)}"))
        return MachineTrouble(f"the engine failed: {one_line(error)}")

    def _run(self, store: wasmtime.Store, params: bytes, report: CallReport) -> bytes:
        own = self._make_memory(store)
        fast = self._link_allocator(store, own)
        # What the exports are was checked when the function was made.
        exports: Any = self._linker.instantiate(store, self._module).exports(store)
        memory = GuestMemory(store, own or exports["memory"], self._memory_limit)
        if self._stack_counter is not None:
            counter = exports[self._stack_counter]
            self._stack_values = lambda: int(counter.value(store))
        try:
            if self._start is not None:
                exports[self._start](store)
            heap_base = exports["__heap_base"].value(store) & 0xFFFFFFFF
            if fast is not None:
                fast.open(heap_base, self._memory_limit)
            allocator = fast or FreeingBumpAllocator(memory, heap_base)
            self._context = HostContext(memory, allocator, self._meter.charge)
            pointer = self._context.give(params)
            span = exports[ENTRY_POINT](store, pointer, len(params))
            length = (span >> 32) & 0xFFFFFFFF
            if length > MAX_RESULT_SIZE:
                raise GuestTrap(f"a result of {length} bytes exceeds {MAX_RESULT_SIZE}")
            return memory.read_span(span)
        finally:
            report.peak_memory_kb = memory.size // 1024

    def _make_memory(self, store: wasmtime.Store) -> wasmtime.Memory | None:
        """The memory for a module that imports it."""
        if self._imported_memory is None:
            return None
        memory = wasmtime.Memory(store, wasmtime.MemoryType(self._imported_memory))
        self._linker.define(store, "env", "memory", memory)
        return memory

    def _link_allocator(
        self, store: wasmtime.Store, memory: wasmtime.Memory | None
    ) -> WasmAllocator | None:
        """The fast allocator, which needs the memory before there is an instance."""
        if memory is None or self._allocator_module is None:
            return None
        allocator = WasmAllocator(store, self._allocator_module, memory)
        functions = {MALLOC: allocator.malloc_function, FREE: allocator.free_function}
        for name in self._allocator_imports:
            self._linker.define(store, "env", name, functions[name])
        return allocator

    def _link(self, entry: wasmtime.ImportType) -> None:
        name = entry.name or ""
        if isinstance(entry.type, wasmtime.FuncType):
            known = HOST_FUNCTIONS.get(name) if entry.module == "env" else None
            provided = known is not None and _signature(entry.type) == (
                known.parameters,
                known.results,
            )
            body = self._bind(known) if known and provided else _trap(entry.module, name)
            self._linker.define_func(entry.module, name, entry.type, body)
            if provided and name in (MALLOC, FREE):
                self._allocator_imports.add(name)
        elif isinstance(entry.type, wasmtime.MemoryType) and (entry.module, name) == (
            "env",
            "memory",
        ):
            self._imported_memory = _with_heap(entry.type.limits)
        else:
            raise FunctionFailed(
                f"import {entry.module}.{name} is neither a function nor env.memory"
            )

    def _bind(self, function: HostFunction) -> Callable[..., int | None]:
        body, price = function.body, function.instructions

        def bound(*arguments: int) -> int | None:
            context = self._context
            if context is None:
                raise GuestTrap(f"{function.name} is called before the entry point")
            moved = context.memory.bytes_moved
            result = body(context, *arguments)
            moved = context.memory.bytes_moved - moved
            self._meter.charge(price + moved * INSTRUCTIONS_PER_BYTE)
            return result

        return bound

    def _check_exports(self) -> wasmtime.Limits:
        """Check what must be exported; the memory's limits, in pages."""
        exports = {entry.name: entry.type for entry in self._module.exports}
        entry_point = exports.get(ENTRY_POINT)
        if not isinstance(entry_point, wasmtime.FuncType):
            raise FunctionFailed(f"code does not export the function {ENTRY_POINT}")
        if _signature(entry_point) != ("ii", "l"):
            raise FunctionFailed(f"{ENTRY_POINT} must have the type (i32, i32) -> i64")
        heap_base = exports.get("__heap_base")
        if not isinstance(heap_base, wasmtime.GlobalType) or str(heap_base.content) != "i32":
            raise FunctionFailed("code does not export the i32 global __heap_base")
        limits = self._imported_memory
        if limits is None:
            exported = exports.get("memory")
            if not isinstance(exported, wasmtime.MemoryType):
                raise FunctionFailed("code neither exports memory nor imports env.memory")
            limits = exported.limits
        if limits.min > MAX_MEMORY_PAGES:
            raise FunctionFailed(
                f"a memory of {limits.min} pages exceeds the limit of {MAX_MEMORY_PAGES}"
            )
        return limits

    def _explain(self, reason: str) -> str:
        """The reason, with the guest's last words if it said any, and a word on its memory if it
        took all that it may have: a guest that gets no more ends in ways of its own."""
        if self._context is None:
            return reason
        if self._context.memory.size >= self._memory_limit * PAGE_SIZE:
            reason = f"{reason}, with the memory limit of {self._memory_limit:,} pages reached"
        last = self._context.log[-1] if self._context.log else ""
        return f"{reason} (the function logged: {last})" if last else reason


def _forget_frames(error: BaseException | None) -> None:
    """Tracebacks lead in a circle through the engine's frames: this error's, and those of the
    errors behind it."""
    while error is not None:
        error.__traceback__ = None
        error = error.__cause__ or error.__context__


def _have_memory(size: int) -> None:
    """See that so many bytes can be had. A memory that cannot grow for want of them looks to the
    guest like one at its limit, and might fail for it.

    :raises MachineTrouble: when they cannot.
    """
    try:
        mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as error:
        raise MachineTrouble(f"{size} bytes of memory cannot be had: {error.strerror}") from None


def _own_exports(module: wasmtime.Module) -> tuple[str | None, str | None]:
    """The export that tells how deep calls are, and that of the start function, if there is one:
    see :mod:`stack_limit`. None in a module whose calls are not counted."""
    names = [export.name for export in module.exports]
    if not names or not names[-1].startswith(COUNTER_NAME):
        return None, None
    return names[-1], names[-2] if names[-1].startswith(COUNTER_AND_START_NAME) else None


def _signature(kind: wasmtime.FuncType) -> tuple[str, str]:
    parameters, results = (
        "".join(_LETTERS.get(str(value), "?") for value in values)
        for values in (kind.params, kind.results)
    )
    return parameters, results


def _trap(module: str, name: str) -> Callable[..., None]:
    def body(*_: Any) -> None:
        raise GuestTrap(f"the host function {module}.{name} is not provided")

    return body


def _with_heap(declared: wasmtime.Limits) -> wasmtime.Limits:
    """A memory that satisfies an import, with some heap from the start."""
    wanted = declared.min + INITIAL_HEAP_PAGES
    if declared.max is not None:
        wanted = min(wanted, declared.max)
    return wasmtime.Limits(wanted, declared.max)
