"""Substrate's freeing-bump allocator, on a guest's memory (D32).

The heap begins at ``__heap_base``. Sizes are rounded up to powers of two from 8 bytes to 32 MiB,
the *orders*; each chunk follows a header of 8 bytes:

- occupied: ``0x1_0000_0000 | order``
- free: the header's address of the next free chunk of that order, or ``0xffff_ffff``

A chunk comes from its order's list of free chunks, else from the untouched end of the heap, where
the memory grows at least to its double. The addresses that a function sees follow from this alone,
so they are the same on every host of this kind.

The headers lie in the guest's memory and the guest may spoil them: then the call traps, which ends
it, and with it this allocator.
"""

from __future__ import annotations

from parahost.validation.engine import PAGE_SIZE
from parahost.validation.errors import GuestTrap, HeapUsedUp
from parahost.validation.memory import GuestMemory

HEADER_SIZE = 8
MIN_ALLOCATION = 8
MAX_ALLOCATION = 32 * 1024 * 1024
ORDERS = 23

_OCCUPIED = 1 << 32
_NIL = 0xFFFFFFFF


class FreeingBumpAllocator:
    """Serves ``ext_allocator_malloc_version_1`` and ``ext_allocator_free_version_1``."""

    def __init__(self, memory: GuestMemory, heap_base: int) -> None:
        self._memory = memory
        self._bumper = (heap_base + 7) & ~7
        self._free_lists = [_NIL] * ORDERS

    def malloc(self, size: int) -> int:
        """The address of at least ``size`` bytes, a multiple of 8."""
        if size > MAX_ALLOCATION:
            raise GuestTrap(f"an allocation exceeds {MAX_ALLOCATION} bytes")
        order = max(size - 1, MIN_ALLOCATION - 1).bit_length() - 3
        header = self._free_lists[order]
        if header == _NIL:
            header = self._bump(HEADER_SIZE + (MIN_ALLOCATION << order))
        else:
            if header + HEADER_SIZE + (MIN_ALLOCATION << order) > self._memory.size:
                raise GuestTrap("a free chunk lies outside the memory")
            self._free_lists[order] = self._next_free(header)
        self._memory.write_u64(header, _OCCUPIED | order)
        return header + HEADER_SIZE

    def free(self, pointer: int) -> None:
        """Give back what :meth:`malloc` returned."""
        header = pointer - HEADER_SIZE
        if header < 0:
            raise GuestTrap("the header before a freed pointer is not an allocation's")
        content = self._memory.read_u64(header)
        order = content & 0xFFFFFFFF
        if not content & _OCCUPIED or order >= ORDERS:
            raise GuestTrap("the header before a freed pointer is not an allocation's")
        self._memory.write_u64(header, self._free_lists[order])
        self._free_lists[order] = header

    def _next_free(self, header: int) -> int:
        content = self._memory.read_u64(header)
        if content & _OCCUPIED:
            raise GuestTrap("the free list leads to a chunk that is not free")
        return content & 0xFFFFFFFF

    def _bump(self, size: int) -> int:
        start, end = self._bumper, self._bumper + size
        if end > self._memory.size:
            required = -(-end // PAGE_SIZE)
            limit = self._memory.max_pages
            if required > limit:
                raise HeapUsedUp("memory limit reached")
            doubled = 2 * (self._memory.size // PAGE_SIZE)
            if not self._memory.grow_to(min(max(required, doubled), limit)):
                raise GuestTrap("memory cannot grow")
        self._bumper = end
        return start
