"""The allocator of :mod:`parahost.validation.allocator` as a Wasm module, for guests that import
their memory, as Cumulus parachains do.

Such a guest allocates some 100,000 times a block. Through Python each would cost tens of
microseconds, more than the guest has; linked to this module it costs nanoseconds. Both forms give
the same addresses and the same traps; tests hold them together.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import wasmtime

from parahost.validation.allocator import HEADER_SIZE, MAX_ALLOCATION, MIN_ALLOCATION, ORDERS
from parahost.validation.engine import PAGE_SIZE
from parahost.validation.errors import GuestTrap, HeapUsedUp

MALLOC = "ext_allocator_malloc_version_1"
FREE = "ext_allocator_free_version_1"

_FAILURES: tuple[tuple[type[GuestTrap], str], ...] = (
    (GuestTrap, f"an allocation exceeds {MAX_ALLOCATION} bytes"),
    (HeapUsedUp, "memory limit reached"),
    (GuestTrap, "memory cannot grow"),
    (GuestTrap, "a free chunk lies outside the memory"),
    (GuestTrap, "the free list leads to a chunk that is not free"),
    (GuestTrap, "the header before a freed pointer is not an allocation's"),
    (GuestTrap, "the allocator is called before the entry point"),
)
"""By the number with which the module calls ``fail``."""


class WasmAllocator:
    """One call's allocator; the same interface as ``FreeingBumpAllocator``.

    Make it before the guest, whose imports ``malloc`` and ``free`` are; :meth:`open` it once the
    guest's heap base is known.
    """

    def __init__(
        self, store: wasmtime.Store, module: wasmtime.Module, memory: wasmtime.Memory
    ) -> None:
        self._store = store
        fail_type = wasmtime.FuncType([wasmtime.ValType.i32()], [])
        fail = wasmtime.Func(store, fail_type, _fail)
        exports: Any = wasmtime.Instance(store, module, [memory, fail]).exports(store)
        self.malloc_function: wasmtime.Func = exports["malloc"]
        self.free_function: wasmtime.Func = exports["free"]
        self._bumper = exports["bumper"]
        self._limit = exports["limit"]

    def open(self, heap_base: int, max_pages: int) -> None:
        """Begin to serve: a heap from ``heap_base`` on in at most ``max_pages``."""
        self._bumper.set_value(self._store, (heap_base + 7) & ~7)
        self._limit.set_value(self._store, max_pages)

    def malloc(self, size: int) -> int:
        pointer: int = self.malloc_function(self._store, size)
        return pointer & 0xFFFFFFFF

    def free(self, pointer: int) -> None:
        self.free_function(self._store, pointer)


def compile_allocator(engine: wasmtime.Engine) -> wasmtime.Module:
    return wasmtime.Module(engine, _wasm())


def _fail(reason: int) -> None:
    kind, text = _FAILURES[reason]
    raise kind(text)


@cache
def _wasm() -> bytes:
    return bytes(wasmtime.wat2wasm(_wat()))


def _wat() -> str:
    """The module's text. The heads of the free lists are globals, out of the guest's reach; as
    globals have no index, one is chosen by ``br_table``."""
    numbers = " ".join(str(order) for order in range(ORDERS))
    blocks = "(block " * ORDERS
    heads = "\n".join(f"(global $head{i} (mut i32) (i32.const -1))" for i in range(ORDERS))
    reads = "\n".join(f") (return (global.get $head{i}))" for i in range(ORDERS))
    writes = "\n".join(
        f") (global.set $head{i} (local.get $header)) (return)" for i in range(ORDERS)
    )
    return f"""
(module
  (import "env" "memory" (memory 0))
  (import "env" "fail" (func $fail (param i32)))
  (global $bumper (export "bumper") (mut i32) (i32.const 0))
  (global $limit (export "limit") (mut i32) (i32.const 0))
  {heads}

  (func $head (param $order i32) (result i32)
    {blocks} (br_table {numbers} (local.get $order))
    {reads}
    unreachable)

  (func $set_head (param $order i32) (param $header i32)
    {blocks} (br_table {numbers} (local.get $order))
    {writes})

  (func $require (param $holds i32) (param $reason i32)
    (if (i32.eqz (local.get $holds)) (then (call $fail (local.get $reason)))))

  (func $memory_size (result i64)
    (i64.mul (i64.extend_i32_u (memory.size)) (i64.const {PAGE_SIZE})))

  (func $grow_to_hold (param $end i64)
    (local $required i32) (local $pages i32)
    (local.set $required (i32.wrap_i64 (i64.div_u
      (i64.add (local.get $end) (i64.const {PAGE_SIZE - 1})) (i64.const {PAGE_SIZE}))))
    (call $require (i32.le_u (local.get $required) (global.get $limit)) (i32.const 1))
    (local.set $pages (i32.mul (memory.size) (i32.const 2)))
    (if (i32.gt_u (local.get $required) (local.get $pages))
      (then (local.set $pages (local.get $required))))
    (if (i32.gt_u (local.get $pages) (global.get $limit))
      (then (local.set $pages (global.get $limit))))
    (call $require
      (i32.ne (memory.grow (i32.sub (local.get $pages) (memory.size))) (i32.const -1))
      (i32.const 2)))

  (func $bump (param $size i64) (result i32)
    (local $header i32) (local $end i64)
    (local.set $header (global.get $bumper))
    (local.set $end (i64.add (i64.extend_i32_u (local.get $header)) (local.get $size)))
    (if (i64.gt_u (local.get $end) (call $memory_size))
      (then (call $grow_to_hold (local.get $end))))
    (global.set $bumper (i32.wrap_i64 (local.get $end)))
    (local.get $header))

  (func (export "malloc") (param $size i32) (result i32)
    (local $order i32) (local $header i32) (local $whole i64) (local $content i64)
    (call $require (global.get $limit) (i32.const 6))
    (call $require (i32.le_u (local.get $size) (i32.const {MAX_ALLOCATION})) (i32.const 0))
    (if (i32.lt_u (local.get $size) (i32.const {MIN_ALLOCATION}))
      (then (local.set $size (i32.const {MIN_ALLOCATION}))))
    (local.set $order
      (i32.sub (i32.const 29) (i32.clz (i32.sub (local.get $size) (i32.const 1)))))
    (local.set $whole (i64.add (i64.const {HEADER_SIZE})
      (i64.shl (i64.const {MIN_ALLOCATION}) (i64.extend_i32_u (local.get $order)))))
    (local.set $header (call $head (local.get $order)))
    (if (i32.eq (local.get $header) (i32.const -1))
      (then (local.set $header (call $bump (local.get $whole))))
      (else
        (call $require
          (i64.le_u (i64.add (i64.extend_i32_u (local.get $header)) (local.get $whole))
            (call $memory_size))
          (i32.const 3))
        (local.set $content (i64.load (local.get $header)))
        (call $require
          (i64.eqz (i64.and (local.get $content) (i64.const 0x100000000))) (i32.const 4))
        (call $set_head (local.get $order) (i32.wrap_i64 (local.get $content)))))
    (i64.store (local.get $header)
      (i64.or (i64.const 0x100000000) (i64.extend_i32_u (local.get $order))))
    (i32.add (local.get $header) (i32.const {HEADER_SIZE})))

  (func (export "free") (param $pointer i32)
    (local $order i32) (local $header i32) (local $content i64)
    (call $require (global.get $limit) (i32.const 6))
    (call $require (i32.ge_u (local.get $pointer) (i32.const {HEADER_SIZE})) (i32.const 5))
    (local.set $header (i32.sub (local.get $pointer) (i32.const {HEADER_SIZE})))
    (local.set $content (i64.load (local.get $header)))
    (local.set $order (i32.wrap_i64 (local.get $content)))
    (call $require
      (i32.and
        (i64.ne (i64.and (local.get $content) (i64.const 0x100000000)) (i64.const 0))
        (i32.lt_u (local.get $order) (i32.const {ORDERS})))
      (i32.const 5))
    (i64.store (local.get $header) (i64.extend_i32_u (call $head (local.get $order))))
    (call $set_head (local.get $order) (local.get $header))))
"""
