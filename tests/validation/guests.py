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
