"""The calling convention (D32), in this process; the pool runs the same code in its workers."""

import gc
import resource
from pathlib import Path

import pytest
import wasmtime

from parahost.ports.validation import (
    ExecutionKind,
    ExecutionOutcome,
    Failed,
    Returned,
    Undecided,
)
from parahost.primitives.basic import ValidationCode
from parahost.validation import InProcessHost
from parahost.validation.allocator_wasm import MALLOC
from parahost.validation.engine import HEAP_PAGES, MAX_MEMORY_PAGES, PAGE_SIZE
from tests.validation.guests import (
    DEEPEST,
    ECHO,
    IMPORTED_MEMORY,
    OVERDOES,
    PARAMS,
    deep_calls,
    guest,
    imported,
    span,
)


def run(code: bytes, params: bytes = PARAMS) -> ExecutionOutcome:
    return InProcessHost().run(code, params, ExecutionKind.BACKING)


def reason(code: bytes, params: bytes = PARAMS) -> str:
    outcome = run(code, params)
    assert isinstance(outcome, Failed)
    assert "\n" not in outcome.reason
    return outcome.reason


def result(code: bytes, params: bytes = PARAMS) -> bytes:
    outcome = run(code, params)
    assert isinstance(outcome, Returned), outcome
    return outcome.result


@pytest.mark.parametrize("size", [0, 1, 1000, PAGE_SIZE, 11_000_000])
@pytest.mark.parametrize("memory", ['(memory (export "memory") 1)', IMPORTED_MEMORY])
def test_parameters_arrive_and_the_result_comes_back(memory: str, size: int) -> None:
    params = bytes(range(256)) * (size // 256) + bytes(size % 256)
    assert result(guest(ECHO, memory=memory), params) == params


def test_parameters_lie_above_the_heap_base_and_are_aligned() -> None:
    store_pointer = f"(i32.store (i32.const 0) (local.get $ptr)) {span(0, 4)}"
    pointer = int.from_bytes(result(guest(store_pointer)), "little")
    assert pointer >= 1024 and pointer % 8 == 0


def test_each_call_starts_afresh() -> None:
    count = f"""
    (i32.store (i32.const 0) (i32.add (i32.load (i32.const 0)) (i32.const 1))) {span(0, 4)}
    """
    host = InProcessHost()
    for memory in ('(memory (export "memory") 1)', IMPORTED_MEMORY):
        for params in (b"a", b"b"):
            outcome = host.run(guest(count, memory=memory), params, ExecutionKind.BACKING)
            assert isinstance(outcome, Returned) and outcome.result == b"\1\0\0\0"


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("unreachable", "trap: wasm `unreachable` instruction executed"),
        ("(i64.load (i32.const -8))", "trap: out of bounds memory access"),
        ("(i64.div_u (i64.const 1) (i64.const 0))", "trap: integer divide by zero"),
        (span(PAGE_SIZE - 3, 4), "4 bytes at 0xfffd lie outside the memory of 65536 bytes"),
        (span(2**32 - 1, 2**10), "lie outside the memory"),
        ("(i64.const -1)", "a result of 4294967295 bytes exceeds"),
    ],
)
def test_a_failing_function_is_invalid_with_its_reason(body: str, expected: str) -> None:
    assert expected in reason(guest(body))


def test_an_overflow_of_the_machines_stack_is_undecided(monkeypatch: pytest.MonkeyPatch) -> None:
    """How deep it is depends on engine and processor (D34); what is counted ends before."""
    recursion = '(func $f (call $f)) (export "f" (func $f))'
    code = guest("(call $f) (i64.const 0)", memory=f'(memory (export "memory") 1) {recursion}')
    assert isinstance(run(code), Failed)
    monkeypatch.setattr("parahost.validation.engine.limit_stack", lambda _: code)
    outcome = run(code)
    assert isinstance(outcome, Undecided) and "call stack exhausted" in outcome.reason


@pytest.mark.parametrize("kind", ExecutionKind)
def test_an_endless_loop_ends_at_the_same_instruction_whoever_asks(kind: ExecutionKind) -> None:
    outcome = InProcessHost().run(guest(OVERDOES), PARAMS, kind)
    assert isinstance(outcome, Failed)
    assert outcome.reason == "the fuel limit of 8,000,000,000 instructions was reached"
    assert outcome.peak_memory_kb == 1025 * 64


def test_host_functions_count_by_calls_and_bytes() -> None:
    hashes = imported("ext_hashing_keccak_256_version_1", "l", "i")

    def told_ms(length: int) -> float:
        body = f"(drop (call $ext_hashing_keccak_256_version_1 {span(0, length)})) (i64.const 0)"
        outcome = run(guest(body, before=hashes))
        assert isinstance(outcome, Returned)
        return outcome.execute_ms

    idle = run(guest("(i64.const 0)"))
    assert isinstance(idle, Returned)
    assert told_ms(0) - idle.execute_ms == pytest.approx((40_000 + 32 * 16) / 4e6, rel=0.01)
    assert told_ms(1000) - told_ms(0) == pytest.approx(1000 * 16 / 4e6)


def test_a_host_function_called_for_ever_reaches_the_limit_too() -> None:
    body = "(loop $again (call $ext_misc_print_num_version_1 (i64.const 1)) (br $again))"
    name = "ext_misc_print_num_version_1"
    assert "instructions was reached" in reason(
        guest(f"{body} (i64.const 0)", before=imported(name, "l"))
    )


@pytest.mark.parametrize(
    "code",
    [
        guest("unreachable"),
        guest("(i64.const -1)"),
        guest("(call $unknown) (i64.const 0)", before=imported("unknown")),
        guest(ECHO),
        guest("unreachable", memory=IMPORTED_MEMORY, before=imported(MALLOC, "i", "i")),
    ],
    ids=["trap", "wrong result", "host function", "returned", "fast allocator"],
)
def test_nothing_of_a_call_is_left_when_it_ends(code: bytes) -> None:
    """A memory has 4 GiB of addresses; eight that wait for the cycle collector are a worker's."""
    host = InProcessHost()
    host.run(code, PARAMS, ExecutionKind.BACKING)
    gc.collect()
    gc.disable()
    try:
        before = _stores()
        for number in range(3):
            host.run(code, bytes([number]), ExecutionKind.BACKING)
        assert _stores() == before
    finally:
        gc.enable()


def _stores() -> int:
    return sum(isinstance(thing, wasmtime.Store) for thing in gc.get_objects())


def test_where_memory_is_short_it_is_undecided() -> None:
    """A memory that cannot grow looks to the guest as if it were at its limit."""
    code = guest(
        "(if (i32.eq (memory.grow (i32.const 100)) (i32.const -1)) (then unreachable))" + ECHO
    )
    assert isinstance(run(code), Returned)
    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    size = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + (64 << 20), hard))
    try:
        outcome = InProcessHost().run(code, PARAMS, ExecutionKind.BACKING)
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
    assert isinstance(outcome, Undecided)


@pytest.mark.parametrize(
    ("wat_memory", "body", "expected"),
    [
        ("", ECHO, "neither exports memory nor imports"),
        (f'(memory (export "memory") {MAX_MEMORY_PAGES + 1})', ECHO, "exceeds the limit"),
    ],
)
def test_a_module_without_a_fit_memory_is_invalid(
    wat_memory: str, body: str, expected: str
) -> None:
    assert expected in reason(guest(body, memory=wat_memory))


@pytest.mark.parametrize(
    ("wat", "expected"),
    [
        ("(module)", "does not export the function validate_block"),
        (
            '(module (memory (export "validate_block") 1))',
            "does not export the function validate_block",
        ),
        (
            '(module (func (export "validate_block") (result i64) (i64.const 0)))',
            "must have the type (i32, i32) -> i64",
        ),
        (
            '(module (memory (export "memory") 1) (func (export "validate_block") '
            "(param i32 i32) (result i64) (i64.const 0)))",
            "does not export the i32 global __heap_base",
        ),
        ('(module (import "env" "table" (table 1 funcref)))', "import env.table is neither"),
        ('(module (import "other" "memory" (memory 1)))', "import other.memory is neither"),
    ],
)
def test_a_module_that_is_no_validation_function_is_invalid(wat: str, expected: str) -> None:
    import wasmtime

    assert expected in reason(bytes(wasmtime.wat2wasm(wat)))


def test_what_is_not_wasm_or_not_deterministic_is_invalid() -> None:
    assert "not Wasm" in reason(b"(module)")
    assert "does not compile" in reason(b"\0asm\x01\0\0\0garbage")
    threads = '(memory (export "memory") 1 1 shared)'
    assert "does not compile" in reason(guest(ECHO, memory=threads))
    simd = "(drop (i8x16.splat (i32.const 1))) (i64.const 0)"
    assert "does not compile" in reason(guest(simd))


def test_nans_are_canonical() -> None:
    nan = f"""
    (f64.store (i32.const 0)
      (f64.add (f64.reinterpret_i64 (i64.const 0xfff4_dead_beef_0001)) (f64.const 1)))
    {span(0, 8)}
    """
    assert result(guest(nan)) == (0x7FF8 << 48).to_bytes(8, "little")


def test_memory_grows_to_its_limit_and_no_further() -> None:
    grow = f"""
    (i32.store (i32.const 0) (memory.grow (i32.const {HEAP_PAGES})))
    (i32.store (i32.const 4) (memory.grow (i32.const 1)))
    {span(0, 8)}
    """
    outcome = run(guest(grow))
    assert isinstance(outcome, Returned)
    assert outcome.result == b"\1\0\0\0\xff\xff\xff\xff"
    assert outcome.peak_memory_kb == (HEAP_PAGES + 1) * 64


def test_the_allocator_stops_at_the_memory_limit() -> None:
    malloc = imported("ext_allocator_malloc_version_1", "i", "i")
    greedy = """
    (loop $again
      (drop (call $ext_allocator_malloc_version_1 (i32.const 16777216))) (br $again))
    (i64.const 0)
    """
    expected = f"the memory limit of {HEAP_PAGES + 1:,} pages was reached"
    assert reason(guest(greedy, before=malloc)) == expected
    assert reason(guest(greedy, before=malloc, memory=IMPORTED_MEMORY)).startswith(
        "the memory limit"
    )


def test_a_guest_that_traps_for_want_of_memory_is_told_from_others() -> None:
    """It asks the engine itself, is refused, and ends as it likes."""
    greedy = """
    (loop $again (br_if $again (i32.ne (memory.grow (i32.const 64)) (i32.const -1)))) unreachable
    """
    expected = f"executed, with the memory limit of {HEAP_PAGES + 1:,} pages reached"
    assert reason(guest(greedy)).endswith(expected)
    assert "limit" not in reason(guest("(drop (memory.grow (i32.const 64))) unreachable"))


def test_calls_too_deep_are_told_from_other_traps() -> None:
    expected = "the stack limit of 65,536 values was reached"
    assert reason(deep_calls(DEEPEST + 1)) == expected
    trap_in_the_depth = """
    (func $down (param i32) (if (i32.eqz (local.get 0)) (then unreachable))
      (call $down (i32.sub (local.get 0) (i32.const 1))))
    """
    memory = f'(memory (export "memory") 1) {trap_in_the_depth}'
    deep = guest("(call $down (i32.const 10000)) (i64.const 0)", memory=memory)
    assert "unreachable" in reason(deep)


def test_a_guest_may_export_what_its_counter_would_be_called() -> None:
    names = ("parahost stack", "parahost stack_", "parahost stack__x")
    exports = "".join(f'(global (export "{name}") (mut i32) (i32.const 9))' for name in names)
    recursion = f'(memory (export "memory") 1) {exports} (func $f (call $f))'
    code = guest("(call $f) (i64.const 0)", memory=recursion)
    assert reason(code) == "the stack limit of 65,536 values was reached"
    assert result(guest(ECHO, memory=f'(memory (export "memory") 1) {exports}')) == PARAMS


def test_an_imported_memory_keeps_to_its_declared_maximum() -> None:
    size = f"(i32.store (i32.const 0) (memory.size)) {span(0, 4)}"
    small = guest(size, memory='(import "env" "memory" (memory 2 3))')
    assert result(small) == b"\3\0\0\0"
    free = guest(size, memory='(import "env" "memory" (memory 2))')
    assert result(free) == (34).to_bytes(4, "little")


def test_a_start_function_runs_first() -> None:
    def started(body: str) -> bytes:
        memory = f'(memory (export "memory") 1) (func $start {body}) (start $start)'
        return guest(span(0, 4), memory=memory)

    assert result(started("(i32.store (i32.const 0) (i32.const 7))")) == b"\7\0\0\0"
    assert "unreachable" in reason(started("unreachable"))


def test_what_the_host_lacks_links_and_traps_when_called() -> None:
    lacking = (
        imported("ext_storage_get_version_1", "l", "l")
        + imported("ext_hashing_blake2_256_version_1", "iii", "l")  # another signature
        + '(import "env" "odd" (func $odd (param f32 externref) (result f64 i32)))'
        + imported("anything", "il", module="elsewhere")
    )
    assert result(guest(ECHO, before=lacking)) == PARAMS
    calls = {
        "env.ext_storage_get_version_1": "(call $ext_storage_get_version_1 (i64.const 0))",
        "env.ext_hashing_blake2_256_version_1": "(call $ext_hashing_blake2_256_version_1"
        " (i32.const 0) (i32.const 0) (i32.const 0))",
        "env.odd": "(call $odd (f32.const 0) (ref.null extern)) drop drop (i64.const 0)",
        "elsewhere.anything": "(call $anything (i32.const 0) (i64.const 0)) (i64.const 0)",
    }
    for name, call in calls.items():
        assert reason(guest(call, before=lacking)) == f"the host function {name} is not provided"


def test_a_host_function_called_before_the_entry_point_traps() -> None:
    log = imported("ext_logging_max_level_version_1", "", "i")
    start = "(func $start (drop (call $ext_logging_max_level_version_1))) (start $start)"
    code = guest(ECHO, before=log, memory=f'(memory (export "memory") 1) {start}')
    assert "called before the entry point" in reason(code)


async def test_outcomes_are_shared_and_repeat_exactly() -> None:
    host = InProcessHost()
    code = ValidationCode(guest(ECHO))
    first = await host.execute(code, b"one", ExecutionKind.BACKING)
    assert await host.execute(code, b"one", ExecutionKind.BACKING) is first
    assert await host.execute(code, b"two", ExecutionKind.BACKING) != first
    assert await InProcessHost().execute(code, b"one", ExecutionKind.BACKING) == first
