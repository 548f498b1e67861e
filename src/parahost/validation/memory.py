"""A guest's linear memory, as host functions see it: every access is bounds-checked."""

from __future__ import annotations

import ctypes

import wasmtime

from parahost.validation.engine import PAGE_SIZE
from parahost.validation.errors import GuestTrap


class GuestMemory:
    """Reads and writes by 32-bit guest addresses. Limited to ``max_pages``.

    Numbers are little-endian. An access beyond the memory's end raises :class:`GuestTrap`.
    """

    def __init__(self, store: wasmtime.Store, memory: wasmtime.Memory, max_pages: int) -> None:
        self._store = store
        self._memory = memory
        self.max_pages = max_pages
        self.bytes_moved = 0
        """How many were read and written so far."""

    @property
    def size(self) -> int:
        """In bytes; it never shrinks."""
        return self._memory.data_len(self._store)

    def grow_to(self, pages: int) -> bool:
        """Make it that many pages large; says whether that worked."""
        missing = pages - self.size // PAGE_SIZE
        if pages > self.max_pages:
            return False
        try:
            self._memory.grow(self._store, max(0, missing))
        except wasmtime.WasmtimeError:
            return False
        return True

    def read(self, pointer: int, length: int) -> bytes:
        address = self._address(pointer, length)
        self.bytes_moved += length
        return ctypes.string_at(address, length)

    def write(self, pointer: int, data: bytes) -> None:
        address = self._address(pointer, len(data))
        self.bytes_moved += len(data)
        ctypes.memmove(address, data, len(data))

    def read_u64(self, pointer: int) -> int:
        return int.from_bytes(self.read(pointer, 8), "little")

    def write_u64(self, pointer: int, value: int) -> None:
        self.write(pointer, value.to_bytes(8, "little"))

    def read_span(self, span: int) -> bytes:
        """The bytes that a packed pointer (low 32 bits) and length (high 32 bits) name."""
        return self.read(span & 0xFFFFFFFF, (span >> 32) & 0xFFFFFFFF)

    def read_start(self, span: int, limit: int) -> bytes:
        """At most the first ``limit`` bytes of a span, all of which must lie in the memory."""
        pointer, length = span & 0xFFFFFFFF, (span >> 32) & 0xFFFFFFFF
        self._address(pointer, length)
        return self.read(pointer, min(length, limit))

    def _address(self, pointer: int, length: int) -> int:
        pointer &= 0xFFFFFFFF
        if pointer + length > self.size:
            raise GuestTrap(
                f"{length} bytes at {pointer:#x} lie outside the memory of {self.size} bytes"
            )
        base = ctypes.cast(self._memory.data_ptr(self._store), ctypes.c_void_p).value
        return (base or 0) + pointer
