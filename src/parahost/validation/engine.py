"""The one place that says how Wasm is compiled and bounded.

Every validator must come to the same result, so whatever Wasm leaves to the machine is switched
off: NaNs are canonical, there are no threads and no SIMD. What Substrate's toolchain emits, now
or lately, stays on. The stack and the memory are bounded.

Workers and simulations use the same engine, so a function comes to the same end in both. Nothing
interrupts it from outside: instructions are counted (:mod:`parahost.validation.metering`).
"""

from __future__ import annotations

import re

import wasmtime
from wasmtime import _bindings

from parahost.validation.errors import ArtifactError, FunctionFailed, MachineTrouble
from parahost.validation.machine_stack import STACK_SIZE, have_stack
from parahost.validation.wasm.reader import MalformedModule, read_module
from parahost.validation.wasm.stack_limit import limit_stack

PAGE_SIZE = 65536
HEAP_PAGES = 2048
"""How far a memory may grow beyond its declared minimum: 128 MiB."""
INITIAL_HEAP_PAGES = 32
"""What an imported memory gets beyond its declared minimum from the start: 2 MiB."""
MAX_MEMORY_PAGES = 4096
"""The largest memory of all, declared minimum and heap: 256 MiB."""

_PREFIXES = re.compile(r"^(\d+: )?(wasm trap: )?")


class Engine:
    """Compiles code to artifacts and loads them, to be called in the thread that makes it.

    :raises MachineTrouble: when this thread's stack is too small.
    """

    def __init__(self) -> None:
        have_stack()
        self.wasmtime = wasmtime.Engine(_config())

    def compile(self, wasm: bytes) -> wasmtime.Module:
        """The machine code of a module, with its calls counted.

        :raises FunctionFailed: when the module is not valid, or has too much of something.
        :raises MachineTrouble: when it is, and cannot be compiled here.
        """
        try:
            module = read_module(wasm)
        except MalformedModule as error:
            self._validate(wasm)
            raise MachineTrouble(f"valid code cannot be read: {error}") from None
        self._validate(wasm)
        try:
            limited = limit_stack(module)
        except MalformedModule as error:
            raise MachineTrouble(f"valid code cannot be read: {error}") from None
        try:
            return wasmtime.Module(self.wasmtime, limited)
        except wasmtime.WasmtimeError as error:
            raise MachineTrouble(f"valid code does not compile: {one_line(error)}") from None

    def _validate(self, wasm: bytes) -> None:
        try:
            wasmtime.Module.validate(self.wasmtime, wasm)
        except wasmtime.WasmtimeError as error:
            raise FunctionFailed(f"code does not compile: {one_line(error)}") from None

    def load(self, artifact: bytes) -> wasmtime.Module:
        """A module from what ``Module.serialize`` gave. The artifact must be one that this
        machine wrote: it is machine code, and is not checked as Wasm is.

        :raises ArtifactError: when it is another engine's.
        """
        try:
            return wasmtime.Module.deserialize(self.wasmtime, artifact)
        except wasmtime.WasmtimeError as error:
            raise ArtifactError(f"artifact does not load: {one_line(error)}") from None


def memory_limit_pages(declared_minimum: int) -> int:
    """How many pages a memory with that declared minimum may have."""
    return min(declared_minimum + HEAP_PAGES, MAX_MEMORY_PAGES)


def one_line(error: Exception) -> str:
    """A wasmtime error without its backtrace: the innermost cause, on one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    text = lines[-1] if "Caused by:" in lines else "; ".join(lines)[:500]
    return _PREFIXES.sub("", text)


def _config() -> wasmtime.Config:
    config = wasmtime.Config()
    config.cranelift_nan_canonicalization = True
    config.wasm_threads = False
    config.wasm_simd = False
    config.wasm_relaxed_simd = False
    config.wasm_multi_memory = False
    config.wasm_memory64 = False
    config.wasm_tail_call = False
    config.wasm_function_references = False
    config.wasm_gc = False
    config.wasm_exceptions = False
    config.wasm_component_model = False
    config.wasm_wide_arithmetic = False
    config.wasm_custom_page_sizes = False
    config.wasm_stack_switching = False
    # An optimizer keeps values that are on no operand stack: frames would grow to any size.
    config.cranelift_opt_level = "none"
    _bindings.wasmtime_config_async_stack_size_set(config.ptr(), STACK_SIZE)  # must not be less
    config.max_wasm_stack = STACK_SIZE
    config.parallel_compilation = False  # a worker starts no threads
    config.memory_init_cow = False  # it makes descriptors, which a worker may not
    config.consume_fuel = True
    return config
