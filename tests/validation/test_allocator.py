"""The allocator against a memory of bytes, and its two forms against each other."""

from collections.abc import Callable

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.validation.allocator import MAX_ALLOCATION, FreeingBumpAllocator
from parahost.validation.allocator_wasm import WasmAllocator, compile_allocator
from parahost.validation.engine import PAGE_SIZE
from parahost.validation.errors import GuestTrap
from parahost.validation.memory import GuestMemory


class BytesMemory:
    """A guest's memory without a guest."""

    def __init__(self, pages: int = 1, max_pages: int = 64) -> None:
        self.data = bytearray(pages * PAGE_SIZE)
        self.max_pages = max_pages

    @property
    def size(self) -> int:
        return len(self.data)

    def grow_to(self, pages: int) -> bool:
        self.data.extend(bytes(pages * PAGE_SIZE - self.size))
        return True

    def read_u64(self, pointer: int) -> int:
        if pointer + 8 > self.size:
            raise GuestTrap("out of bounds")
        return int.from_bytes(self.data[pointer : pointer + 8], "little")

    def write_u64(self, pointer: int, value: int) -> None:
        assert 0 <= pointer <= self.size - 8
        self.data[pointer : pointer + 8] = value.to_bytes(8, "little")


def allocator(memory: BytesMemory, heap_base: int = 0) -> FreeingBumpAllocator:
    return FreeingBumpAllocator(memory, heap_base)  # type: ignore[arg-type]


def test_chunks_lie_behind_each_other_with_headers() -> None:
    heap = allocator(BytesMemory())
    assert [heap.malloc(size) for size in (1, 8, 9, 0, 17)] == [8, 24, 40, 64, 80]


def test_the_heap_base_is_aligned() -> None:
    assert allocator(BytesMemory(), heap_base=13).malloc(1) == 24


def test_a_freed_chunk_serves_its_order_again_last_one_first() -> None:
    heap = allocator(BytesMemory())
    first, second, other = heap.malloc(8), heap.malloc(8), heap.malloc(9)
    heap.free(first)
    heap.free(second)
    assert heap.malloc(16) == other + 24  # another order
    assert heap.malloc(5) == second
    assert heap.malloc(8) == first


def test_headers_are_substrates() -> None:
    memory = BytesMemory()
    heap = allocator(memory)
    first, second = heap.malloc(8), heap.malloc(100)
    assert memory.read_u64(first - 8) == 0x1_0000_0000
    assert memory.read_u64(second - 8) == 0x1_0000_0004
    heap.free(first)
    assert memory.read_u64(first - 8) == 0xFFFF_FFFF


def test_the_memory_doubles_up_to_its_limit() -> None:
    memory = BytesMemory(pages=3, max_pages=7)
    heap = allocator(memory)
    heap.malloc(3 * PAGE_SIZE)  # rounded up to 4 pages
    assert memory.size == 6 * PAGE_SIZE
    with pytest.raises(GuestTrap, match="memory limit"):
        heap.malloc(4 * PAGE_SIZE)


def test_too_large_is_refused() -> None:
    with pytest.raises(GuestTrap, match="exceeds"):
        allocator(BytesMemory(max_pages=4096)).malloc(MAX_ALLOCATION + 1)
    assert allocator(BytesMemory(max_pages=4096)).malloc(MAX_ALLOCATION) == 8


@pytest.mark.parametrize("pointer", [0, 7, 16, 4096, 10**9])
def test_freeing_what_was_not_allocated_traps(pointer: int) -> None:
    heap = allocator(BytesMemory())
    heap.malloc(100)
    with pytest.raises(GuestTrap):
        heap.free(pointer)


def test_freeing_twice_traps() -> None:
    heap = allocator(BytesMemory())
    pointer = heap.malloc(8)
    heap.free(pointer)
    with pytest.raises(GuestTrap, match="not an allocation's"):
        heap.free(pointer)


def test_a_spoiled_free_list_traps() -> None:
    for spoiled in (0x7FFF_FFF0, 0x1_0000_0000):
        memory = BytesMemory()
        heap = allocator(memory)
        first = heap.malloc(8)
        heap.free(first)
        memory.write_u64(first - 8, spoiled)
        with pytest.raises(GuestTrap):
            heap.malloc(8)
            heap.malloc(8)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 70_000)), max_size=60))
def test_live_chunks_never_overlap(steps: list[tuple[bool, int]]) -> None:
    memory = BytesMemory(max_pages=4096)
    heap = allocator(memory, heap_base=1000)
    live: dict[int, int] = {}
    for frees, number in steps:
        if frees and live:
            pointer = sorted(live)[number % len(live)]
            heap.free(pointer)
            del live[pointer]
        else:
            live[heap.malloc(number)] = number
        ends = 1000
        for pointer, size in sorted(live.items()):
            assert pointer >= ends + 8 and pointer % 8 == 0
            ends = pointer + size
        assert ends <= memory.size


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2**34)), max_size=40))
def test_whatever_the_guest_does_to_its_memory_the_host_stands(
    steps: list[tuple[int, int]],
) -> None:
    memory = BytesMemory(max_pages=32)
    heap = allocator(memory, heap_base=64)
    for what, number in steps:
        try:
            if what == 0:
                heap.malloc(number % 4096)
            elif what == 1:
                heap.free(number % 512)
            else:
                memory.write_u64(number % 64 * 8, number)
        except GuestTrap:
            pass


ENGINE = wasmtime.Engine()
WASM_ALLOCATOR = compile_allocator(ENGINE)


class Both:
    """Both forms, each on a guest's memory of its own."""

    def __init__(self, heap_base: int, pages: int, max_pages: int) -> None:
        store = wasmtime.Store(ENGINE)
        limits = wasmtime.Limits(pages, None)
        one, two = (wasmtime.Memory(store, wasmtime.MemoryType(limits)) for _ in range(2))
        self.fast = WasmAllocator(store, WASM_ALLOCATOR, one)
        self.fast.open(heap_base, max_pages)
        self.fast_memory = GuestMemory(store, one, max_pages)
        self.plain_memory = GuestMemory(store, two, max_pages)
        self.plain = FreeingBumpAllocator(self.plain_memory, heap_base)

    def malloc(self, size: int) -> int | str:
        return self._same(lambda heap: heap.malloc(size))

    def free(self, pointer: int) -> int | str:
        return self._same(lambda heap: heap.free(pointer) or 0)

    def spoil(self, pointer: int, value: int) -> None:
        self.fast_memory.write_u64(pointer, value)
        self.plain_memory.write_u64(pointer, value)

    def _same(self, action: Callable[[FreeingBumpAllocator | WasmAllocator], int]) -> int | str:
        answers: list[int | str] = []
        for heap in (self.fast, self.plain):
            try:
                answers.append(action(heap))
            except GuestTrap as trap:
                answers.append(trap.reason)
            except wasmtime.Trap as trap:
                assert "out of bounds memory access" in str(trap)
                answers.append("out of bounds")
        fast, plain = answers
        if fast == "out of bounds":
            assert isinstance(plain, str) and "outside the memory" in plain
        else:
            assert fast == plain
        assert self.fast_memory.size == self.plain_memory.size
        return plain


@settings(max_examples=150, deadline=None)
@given(
    st.integers(0, 300),
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**34)), max_size=50),
)
def test_both_forms_agree_whatever_the_guest_does(
    heap_base: int, steps: list[tuple[int, int]]
) -> None:
    both = Both(heap_base, pages=1, max_pages=9)
    for what, number in steps:
        if what == 3:
            both.spoil(number % 128 * 8, number)
            continue
        answer = both.free(number % 1024) if what == 0 else both.malloc(number % (1 << what * 9))
        if isinstance(answer, str):
            break
    size = both.plain_memory.size
    assert both.fast_memory.read(0, size) == both.plain_memory.read(0, size)


def test_both_forms_agree_on_every_order_and_on_the_limits() -> None:
    both = Both(8, pages=1, max_pages=4096)
    for order in range(3, 26):
        for size in (2**order - 1, 2**order, 2**order + 1):
            pointer = both.malloc(size)
            if isinstance(pointer, int) and size % 2:
                assert both.free(pointer) == 0
    assert both.malloc(MAX_ALLOCATION + 1) == f"an allocation exceeds {MAX_ALLOCATION} bytes"
    assert Both(8, 1, 4).malloc(4 * PAGE_SIZE) == "memory limit reached"
    assert Both(8, 1, 4).free(2**31) != 0


def test_the_fast_form_refuses_to_serve_before_it_is_opened() -> None:
    store = wasmtime.Store(ENGINE)
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, None)))
    with pytest.raises(GuestTrap, match="before the entry point"):
        WasmAllocator(store, WASM_ALLOCATOR, memory).malloc(8)
