"""Calling a validation function (D32).

``validate_block(ptr: i32, len: i32) -> i64``: the argument is SCALE ``ValidationParams``, put on
the guest's heap, which begins at ``__heap_base``; the result packs the pointer (low 32 bits) and
the length (high 32 bits) of SCALE ``ValidationResult``. The memory is exported as ``memory``, or
imported as ``env.memory``. A start function runs first, under the same limits.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import wasmtime

from parahost.validation.allocator import FreeingBumpAllocator
from parahost.validation.allocator_wasm import FREE, MALLOC, WasmAllocator, compile_allocator
from parahost.validation.engine import (
    INITIAL_HEAP_PAGES,
    MAX_MEMORY_PAGES,
    MAX_TABLE_ELEMENTS,
    PAGE_SIZE,
    Engine,
    Metering,
    memory_limit_pages,
    one_line,
)
from parahost.validation.errors import CpuLimitReached, FunctionFailed, GuestTrap
from parahost.validation.host_functions import HOST_FUNCTIONS, HostContext, HostFunction
from parahost.validation.memory import GuestMemory

ENTRY_POINT = "validate_block"
MAX_RESULT_SIZE = 16 * 1024 * 1024
"""The longest result that is read out of a guest, in bytes. An honest one is a head, messages and
perhaps new code, all bounded far below."""

_LETTERS = {"i32": "i", "i64": "l"}
_LIMIT_TRAPS = (wasmtime.TrapCode.INTERRUPT, wasmtime.TrapCode.OUT_OF_FUEL)


class Meter(Protocol):
    """Bounds a call's CPU time, really or by counted instructions."""

    @property
    def limit_s(self) -> float: ...

    def arm(self, store: wasmtime.Store) -> None:
        """Give a new store its deadline or its fuel."""
        ...


@dataclass(slots=True)
class CallReport:
    """What is known of a call, also when it fails."""

    peak_memory_kb: int = 0
    """The size of the linear memory, which never shrinks, in KiB."""
    fuel_used: int = 0
    """Under ``Metering.FUEL``, about the number of instructions executed."""


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

    def call(self, params: bytes, meter: Meter, report: CallReport) -> bytes:
        """Call the entry point with ``params``; the bytes of its result.

        :raises FunctionFailed: when the function traps, reaches a limit, or returns a span that
            does not lie in its memory.
        """
        store = wasmtime.Store(self._engine.wasmtime)
        store.set_limits(
            memory_size=self._memory_limit * PAGE_SIZE, table_elements=MAX_TABLE_ELEMENTS
        )
        meter.arm(store)
        fuel = store.get_fuel() if self._engine.metering is Metering.FUEL else 0
        try:
            return self._call(store, params, report)
        except GuestTrap as trap:
            raise FunctionFailed(self._explain(trap.reason)) from None
        except wasmtime.Trap as trap:
            if trap.trap_code in _LIMIT_TRAPS:
                raise CpuLimitReached(meter.limit_s) from None
            raise FunctionFailed(self._explain(f"trap: {one_line(trap)}")) from None
        except wasmtime.WasmtimeError as error:
            raise FunctionFailed(self._explain(one_line(error))) from None
        finally:
            if fuel:
                report.fuel_used = fuel - store.get_fuel()
            self._context = None

    def _call(self, store: wasmtime.Store, params: bytes, report: CallReport) -> bytes:
        own = self._make_memory(store)
        fast = self._link_allocator(store, own)
        # What the exports are was checked when the function was made.
        exports: Any = self._linker.instantiate(store, self._module).exports(store)
        memory = GuestMemory(store, own or exports["memory"], self._memory_limit)
        try:
            heap_base = exports["__heap_base"].value(store) & 0xFFFFFFFF
            if fast is not None:
                fast.open(heap_base, self._memory_limit)
            allocator = fast or FreeingBumpAllocator(memory, heap_base)
            self._context = HostContext(memory, allocator)
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
        body = function.body

        def bound(*arguments: int) -> int | None:
            if self._context is None:
                raise GuestTrap(f"{function.name} is called before the entry point")
            return body(self._context, *arguments)

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
        """The reason, with the guest's last words if it said any."""
        last = self._context.log[-1] if self._context and self._context.log else ""
        return f"{reason} (the function logged: {last})" if last else reason


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
