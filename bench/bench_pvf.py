"""What the validation host costs over a bare wasmtime call.

Both sides run the example adder on the same parameters, prepared, in one run of this program. Bare
is wasmtime alone in this process: a new store and instance, the parameters written, one call, the
result read; no limits, no allocator, no other process. The pool's side is all of
``ValidationPool.execute``, from the code's bytes to the outcome. Medians.

Run: ``python -m bench.bench_pvf``.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio
import wasmtime

from bench.figures import figure
from parahost.crypto.hashing import keccak_256
from parahost.parachains.code import example_code
from parahost.ports.validation import ExecutionKind, Returned
from parahost.primitives import scale
from parahost.primitives.basic import ValidationCode
from parahost.validation import ValidationPool
from parahost.validation.wire import MAX_WIRE_BYTES

RUNS = 500
MALLOCS = 20_000

MALLOC_LOOP = f"""
(module
  (import "env" "memory" (memory 1))
  (import "env" "ext_allocator_malloc_version_1" (func $malloc (param i32) (result i32)))
  (import "env" "ext_allocator_free_version_1" (func $free (param i32)))
  (global (export "__heap_base") i32 (i32.const 1024))
  (func (export "validate_block") (param i32 i32) (result i64)
    (local $left i32)
    (local.set $left (i32.const {MALLOCS}))
    (loop $again
      (call $free (call $malloc (i32.const 100)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (i64.const 0)))
"""


def adder_params() -> bytes:
    state, add = bytes(8), (2).to_bytes(8, "little")
    head = bytes(40) + keccak_256(state)
    return scale.encode(head) + scale.encode(state + add) + bytes(4) + bytes(32)


def bare_call(wasm: bytes, params: bytes) -> Callable[[], bytes]:
    engine = wasmtime.Engine()
    module = wasmtime.Module(engine, wasm)

    def call() -> bytes:
        store = wasmtime.Store(engine)
        exports: Any = wasmtime.Instance(store, module, []).exports(store)
        memory = exports["memory"]
        pointer = (exports["__heap_base"].value(store) + 7) & ~7
        memory.write(store, params, pointer)
        span = exports["validate_block"](store, pointer, len(params))
        start, length = span & 0xFFFFFFFF, span >> 32
        return bytes(memory.read(store, start, start + length))

    return call


async def main() -> None:
    code, params = example_code("adder"), adder_params()
    bare = bare_call(code, params)
    bare_s, pool_s, inside_ms = [], [], []
    with tempfile.TemporaryDirectory() as cache_dir:
        started = time.perf_counter()
        async with ValidationPool(Path(cache_dir), workers=1) as pool:
            first = await pool.execute(code, params, ExecutionKind.BACKING)
            first_s = time.perf_counter() - started
            assert isinstance(first, Returned)
            for _ in range(RUNS):
                started = time.perf_counter()
                expected = bare()
                bare_s.append(time.perf_counter() - started)
                started = time.perf_counter()
                outcome = await pool.execute(code, params, ExecutionKind.BACKING)
                pool_s.append(time.perf_counter() - started)
                assert isinstance(outcome, Returned) and outcome.result == expected
                inside_ms.append(outcome.execute_ms)
            loop = ValidationCode(bytes(wasmtime.wat2wasm(MALLOC_LOOP)))
            mallocs = await pool.execute(loop, params, ExecutionKind.CHECKING)
            assert isinstance(mallocs, Returned)
            load = example_code("load")
            block = bytes(8) + bytes(32) + scale.encode(bytes(10_000_000))
            big = scale.encode(bytes(72)) + scale.encode(block) + bytes(36)
            assert len(big) < MAX_WIRE_BYTES
            await pool.execute(load, params, ExecutionKind.BACKING)
            started = time.perf_counter()
            await pool.execute(load, big, ExecutionKind.BACKING)
            big_s = time.perf_counter() - started
    bare_ms, pool_ms = statistics.median(bare_s) * 1e3, statistics.median(pool_s) * 1e3
    figure("adder, bare wasmtime", bare_ms, "ms")
    figure("adder, prepared, in the pool", pool_ms, "ms")
    figure("  over bare", pool_ms - bare_ms, "ms", "5 ms")
    figure("  99 of 100 within", statistics.quantiles(pool_s, n=100)[98] * 1e3, "ms")
    figure("  inside the worker", statistics.median(inside_ms), "ms")
    figure("the first call: worker's start, preparation, execution", first_s * 1e3, "ms")
    figure("load with 10 MB of parameters", big_s * 1e3, "ms")
    figure("ext_allocator malloc and free, together", mallocs.execute_ms * 1e3 / MALLOCS, "us")


if __name__ == "__main__":
    trio.run(main)
