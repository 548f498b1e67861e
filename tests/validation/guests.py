"""Small validation functions in WAT, and their parameters."""

from __future__ import annotations

import wasmtime

PARAMS = bytes(2) + bytes(4) + bytes(32)
"""SCALE ``ValidationParams`` with nothing in them."""


def guest(body: str, *, before: str = "", memory: str = '(memory (export "memory") 1)') -> bytes:
    """Wasm of a module whose ``validate_block(ptr, len)`` has that body.

    ``before`` is what precedes its functions; ``memory`` its memory, or the import of one. Its heap
    begins at 1024.
    """
    module = f"""
    (module
      {before}
      {memory}
      (global (export "__heap_base") i32 (i32.const 1024))
      (func (export "validate_block") (param $ptr i32) (param $len i32) (result i64)
        {body}))
    """
    return bytes(wasmtime.wat2wasm(module))


ECHO = """
(i64.or
  (i64.extend_i32_u (local.get $ptr))
  (i64.shl (i64.extend_i32_u (local.get $len)) (i64.const 32)))
"""
"""Returns its parameters."""

FOREVER = "(loop $again (br $again)) (i64.const 0)"

OVERDOES = """
(drop (memory.grow (i32.const 1024)))
(loop $again
  (memory.fill (i32.const 0) (i32.const 1) (i32.const 67108864))
  (br $again))
(i64.const 0)
"""
"""Reaches the limit of instructions in about a second: each byte that it fills is one."""

MEMORY_HOG = """
(drop (memory.grow (i32.const 2047)))
(memory.fill (i32.const 0) (i32.const 1) (i32.const 134217728))
(drop (memory.grow (i32.const 2047)))
"""
"""Fills the 128 MiB that it may have, and is refused more."""

IMPORTED_MEMORY = '(import "env" "memory" (memory 1))'


def span(pointer: int, length: int) -> str:
    """An i64 constant that packs a pointer and a length."""
    return f"(i64.const {pointer | length << 32})"


def imported(name: str, parameters: str = "", results: str = "", *, module: str = "env") -> str:
    """An import of a host function as ``$name``; types by letters, i for i32 and l for i64."""
    words = {"i": "i32", "l": "i64"}
    param = " ".join(words[letter] for letter in parameters)
    result = " ".join(words[letter] for letter in results)
    return f'(import "{module}" "{name}" (func ${name} (param {param}) (result {result})))'


def logging_guest(mebibytes: int, eight_bytes: bytes) -> bytes:
    """Logs one message of that size, the same eight bytes again and again; then as :data:`ECHO`."""
    size = mebibytes << 20
    start = 1 << 20
    return guest(
        f"""
        (local $at i32)
        (drop (memory.grow (i32.const {mebibytes * 16 + 32})))
        (i64.store (i32.const {start})
          (i64.const {int.from_bytes(eight_bytes, "little", signed=True)}))
        (local.set $at (i32.const 8))
        (loop $again
          (memory.copy (i32.add (i32.const {start}) (local.get $at)) (i32.const {start})
            (local.get $at))
          (local.set $at (i32.mul (local.get $at) (i32.const 2)))
          (br_if $again (i32.lt_u (local.get $at) (i32.const {size // 2}))))
        (call $ext_logging_log_version_1 (i32.const 0) {span(start, 0)} {span(start, size)})
        {ECHO}
        """,
        before=imported("ext_logging_log_version_1", "ill"),
    )


DEEPEST = (65_536 - 5) // 4 - 1
"""What :func:`deep_calls` may count down from: ``validate_block`` costs 5 values (2, and 3
operands), each call 4 (2, and 2 operands), of 65,536."""


def deep_calls(count: int) -> bytes:
    """Calls itself so many times, each call from within the last; then as :data:`ECHO`."""
    function = """
    (func $down (param i32)
      (if (local.get 0) (then (call $down (i32.sub (local.get 0) (i32.const 1))))))
    """
    return guest(
        f"(call $down (i32.const {count})) {ECHO}",
        memory=f'(memory (export "memory") 1) {function}',
    )
