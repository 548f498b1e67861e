"""Calls are counted by the function itself, and the machine's stack lasts longer (D34)."""

from __future__ import annotations

import pytest
import wasmtime

from parahost.ports.validation import ExecutionKind, ExecutionOutcome, Failed
from parahost.validation import InProcessHost
from parahost.validation.wasm.heights import shape_of
from parahost.validation.wasm.reader import SectionId, read_module
from parahost.validation.wasm.stack_limit import limit_stack
from tests.validation.guests import ECHO, PARAMS, guest


def wasm(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(f"(module {text})"))


def run_limited(text: str, *arguments: int) -> object:
    """What ``f`` returns, counted."""
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    module = wasmtime.Module(engine, limit_stack(read_module(wasm(text))))
    function = wasmtime.Instance(store, module, []).exports(store)["f"]
    assert isinstance(function, wasmtime.Func)
    return function(store, *arguments)


@pytest.mark.parametrize(
    ("body", "height"),
    [
        ("", 0),
        ("nop (drop (i32.const 70000))", 1),
        ("(drop (i64.add (i64.const -1) (i64.mul (i64.const 1) (i64.const 2))))", 3),
        ("(f64.store (i32.const 0) (f64.const 11))", 2),
        ("(memory.fill (i32.const 0) (i32.const 1) (i32.const 2))", 3),
        ("(memory.copy (i32.const 0) (i32.const 1) (i32.const 2))", 3),
        ("(drop (memory.grow (memory.size)))", 1),
        ("(drop (select (i32.const 1) (i32.const 2) (i32.const 3)))", 3),
        ("(drop (select (result i64) (i64.const 1) (i64.const 2) (i32.const 3)))", 3),
        ("(call $two) drop drop", 2),
        ("(call $take (i32.const 1) (i32.const 2) (i32.const 3))", 3),
        ("(call_indirect (type $t) (i32.const 0)) drop drop", 2),
        ("(i32.const 1) (block (result i32) (i32.const 2)) drop drop", 2),
        ("(i32.const 1) (block (param i32) (result i64) drop (i64.const 2)) drop", 1),
        ("(if (result i32) (i32.const 1) (then (i32.const 2)) (else (i32.const 3))) drop", 1),
        ("(loop (br_if 0 (i32.eqz (i32.const 1))))", 1),
        ("(block (block (br_table 0 1 1 0 1 (i32.const 300))))", 1),
        ("(block (br 0) drop drop drop i32.add drop (i32.const 1) (i32.const 2) drop drop)", 2),
        ("(drop (i32.trunc_sat_f64_s (f64.const 1)))", 1),
        ("(drop (ref.is_null (ref.null func)))", 1),
        ("(drop (i64.extend32_s (i64.const 1)))", 1),
        ("(table.set (i32.const 0) (table.get (i32.const 0)))", 2),
        ("(drop (table.grow (ref.null func) (table.size)))", 2),
        ("return (i32.const 1) (i32.const 2) drop drop", 2),
    ],
)
def test_heights_are_those_of_the_operand_stack(body: str, height: int) -> None:
    module = read_module(
        wasm(
            f"""
            (type $t (func (result i32 i64))) (memory 1) (table 1 funcref)
            (func $f {body})
            (func $two (result i32 i64) (i32.const 1) (i64.const 2))
            (func $take (param i32 i32 i32))
            """
        )
    )
    content = module.content(SectionId.CODE)
    assert content is not None
    body_of_f = module.bodies[0]
    assert shape_of(module, content, body_of_f.code_start, body_of_f.end, 0).max_height == height


@pytest.mark.parametrize(
    ("function", "argument", "result"),
    [
        ("(result i32) (return (i32.add (local.get 0) (i32.const 1)))", 4, 5),
        ("(result i32) (block (loop (return (i32.const 7)))) (i32.const 8)", 0, 7),
        ("(result i32) (br_if 0 (i32.const 3) (local.get 0)) drop (i32.const 4)", 1, 3),
        ("(result i32) (br_if 0 (i32.const 3) (local.get 0)) drop (i32.const 4)", 0, 4),
        ("(result i32 i64) (block (br 1 (i32.const 1) (i64.const 2))) unreachable", 0, [1, 2]),
        ("(result i32 i64) (if (local.get 0) (then (return (i32.const 1) (i64.const 2))))"
         " (i32.const 3) (i64.const 4)", 1, [1, 2]),
        ("(local i32) (block (block (br_table 0 1 2 (local.get 0))) (return)) (unreachable)",
         2, None),
    ],
)  # fmt: skip
def test_branches_and_returns_lead_where_they_led(
    function: str, argument: int, result: object
) -> None:
    assert run_limited(f'(func (export "f") (param i32) {function})', argument) == result


def test_each_way_out_gives_back_what_a_call_cost() -> None:
    """100,000 calls, one after the other, by every way."""
    ways = """
    (func $end (param i32)) (func $return (param i32) (block (return)))
    (func $branch (param i32) (block (br 1))) (func $maybe (param i32) (br_if 0 (local.get 0)))
    """
    calls = "".join(f"(call ${way} (local.get 0))" for way in ("end", "return", "branch", "maybe"))
    loop = f"(loop {calls} (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))"
    text = f'{ways} (func (export "f") (param i32) (result i32) {loop} (local.get 0))'
    assert run_limited(text, 100_000) == 0


def test_globals_types_and_names_stay() -> None:
    text = """
    (import "env" "g" (global $g i32))
    (global $own (export "own") (mut i64) (i64.const 5))
    (func $with_a_name (export "f") (result i64) (global.get $own))
    """
    limited = limit_stack(read_module(wasm(text)))
    assert b"with_a_name" in limited
    engine = wasmtime.Engine()
    store = wasmtime.Store(engine)
    imported = wasmtime.Global(
        store, wasmtime.GlobalType(wasmtime.ValType.i32(), False), wasmtime.Val.i32(1)
    )
    exports = wasmtime.Instance(store, wasmtime.Module(engine, limited), [imported]).exports(store)
    function = exports["f"]
    assert isinstance(function, wasmtime.Func) and function(store) == 5


def _many(form: str, count: int) -> str:
    return "".join(form.format(i, 8 * i) for i in range(count))


def _adds(kind: str, count: int) -> str:
    return f"{kind}.add " * count


_LOAD = "(i64.load offset={1} (i32.const 0))"
_PRODUCT = (
    "(local.set $y (i64.rotl (i64.mul (local.get $x) (i64.add (local.get $x)"
    " (i64.const {0}77777))) (local.get $y)))"
)
GREEDY = {
    "nothing": "(func $f (call $f))",
    "ten values": f"(func $f (result i64) {_many(_LOAD, 10)} (call $f) {_adds('i64', 10)})",
    "1,000 values": f"(func $f (result i64) {_many(_LOAD, 1000)} (call $f) {_adds('i64', 1000)})",
    "1,000 locals": f"(func $f (result i64) (local {'i64 ' * 1000})"
    f" {_many('(local.set {0} (i64.load offset={1} (i32.const 0)))', 1000)} (call $f)"
    f" {_many('(local.get {0}) i64.add ', 1000)})",
    "900 parameters": f"(func $f (param {'f64 ' * 900}) (result f64)"
    f" {_many('(f64.add (local.get {0}) (f64.const 1))', 900)} (call $f)"
    f" {_many('(local.get {0}) f64.add ', 900)})",
    "900 results": f"(func $f (result {'i64 ' * 900}) (call $f))",
    "a table": "(type $t (func (result i64))) (table 1 funcref) (elem (i32.const 0) $f)"
    " (func $f (result i64) (i64.add (i64.const 1) (call_indirect (type $t) (i32.const 0))))",
    "values that an optimizer would keep": "(func $f (param $x i64) (local $y i64)"
    f" {_many(_PRODUCT, 1000)} (call $f (local.get $y)) {_many(_PRODUCT, 1000)})",
    "values that an optimizer would lift from a loop": "(func $f (param $x i64) (local $y i64)"
    f" (loop (call $f (local.get $x)) {_many(_PRODUCT, 1000)} (br_if 0 (i64.eqz (local.get $y)))))",
}
_ARGUMENTS = {"900 parameters": "(f64.const 0) " * 900}


@pytest.mark.parametrize("name", GREEDY)
def test_the_machines_stack_lasts_longer(name: str) -> None:
    """Whatever a frame holds: else the outcome would be undecided."""
    argument = _ARGUMENTS.get(name, "(i64.const 3)" if "optimizer" in name else "")
    code = guest(
        f"{argument} call $f unreachable",
        memory=f'(memory (export "memory") 1) {GREEDY[name]}',
    )
    outcome = run(code)
    assert isinstance(outcome, Failed) and "stack limit" in outcome.reason


def run(code: bytes) -> ExecutionOutcome:
    return InProcessHost().run(code, PARAMS, ExecutionKind.CHECKING)


def test_a_start_function_is_counted_too() -> None:
    """And told by its name, not as the trap in which it ends."""
    memory = '(memory (export "memory") 1) (func $s (call $s)) (start $s)'
    outcome = run(guest(ECHO, memory=memory))
    assert isinstance(outcome, Failed) and "stack limit" in outcome.reason


def test_a_guest_may_export_what_its_start_function_would_be_called() -> None:
    """It runs its own start function, once, and nothing that only has the name."""
    names = ("parahost start", "parahost start_", "parahost stack", "parahost stack and start")
    exports = " ".join(f'(export "{name}" (func $trap))' for name in names)
    others = f'(memory (export "memory") 1) (func $trap unreachable) {exports}'
    once = (
        "(func $s (i32.store (i32.const 0) (i32.add (i32.const 1) (i32.load (i32.const 0)))))"
        " (start $s)"
    )
    check = "(if (i32.ne (i32.load (i32.const 0)) (i32.const {})) (then unreachable)) "
    for memory, starts in ((others, 0), (f"{others} {once}", 1)):
        outcome = run(guest(check.format(starts) + ECHO, memory=memory))
        assert not isinstance(outcome, Failed), outcome


def test_code_without_functions_may_export_what_the_counter_would_be_called() -> None:
    """It is not asked how deep calls were, whatever that is."""
    for text in (
        '(export "parahost stack" (memory 0))',
        '(global $g f64 (f64.const nan)) (export "parahost stack" (global $g))',
        '(global $g i32 (i32.const 7)) (export "parahost stack and start" (global $g))',
    ):
        code = wasm(
            '(import "env" "memory" (memory 1)) (import "env" "none" (func $f'
            ' (param i32 i32) (result i64))) (global (export "__heap_base") i32 (i32.const 8))'
            f' (export "validate_block" (func $f)) {text}'
        )
        outcome = run(code)
        assert isinstance(outcome, Failed) and "not provided" in outcome.reason


def test_code_without_functions_of_its_own_has_a_counter_too() -> None:
    """So that the last export is never the guest's."""
    text = '(import "env" "f" (func $f)) (export "f" (func $f))'
    counted = read_module(limit_stack(read_module(wasm(text))))
    assert (counted.exports, counted.globals) == (2, 1)
