"""Preparing code: bounded, remembered, fair, and never a verdict (D34)."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
import trio
import trio.testing
import wasmtime

from parahost.ports.validation import ExecutionKind, Failed, Returned, Undecided
from parahost.primitives.basic import ValidationCode
from parahost.validation import Limits, ValidationPool
from parahost.validation.preparation import (
    PreparationLimits,
    Preparations,
    UnpreparableCode,
    Unprepared,
)
from parahost.validation.worker_process import MachineFault, Overrun, RequestLimits
from tests.validation.guests import ECHO, PARAMS, guest

BACKING = ExecutionKind.BACKING
LIMITS = PreparationLimits(
    first_cpu_s=15, again_cpu_s=60, wait_s=30, first_pause_s=10, longest_pause_s=35
)


class Machine:
    """Prepares as it is told to: by code, what each attempt comes to."""

    def __init__(self) -> None:
        self.plan: dict[bytes, list[MachineFault | UnpreparableCode | trio.Event]] = {}
        self.tried: list[tuple[bytes, float]] = []

    async def prepare(
        self, code: bytes, _digest: bytes, allowance: RequestLimits
    ) -> UnpreparableCode | None:
        self.tried.append((code, allowance.cpu_s))
        outcomes = self.plan.get(code, [])
        outcome = outcomes.pop(0) if outcomes else None
        if isinstance(outcome, MachineFault):
            raise outcome
        if isinstance(outcome, trio.Event):
            await outcome.wait()
            return None
        return outcome


async def unprepared(preparations: Preparations, code: bytes) -> str:
    with pytest.raises(Unprepared) as caught:
        await preparations.have(code, code)
    return str(caught.value)


async def test_a_failed_preparation_is_tried_again_with_growing_pauses(
    autojump_clock: trio.testing.MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    machine = Machine()
    machine.plan[b"a"] = [MachineFault("disk full") for _ in range(8)]
    async with trio.open_nursery() as nursery:
        preparations = Preparations(machine.prepare, LIMITS, nursery)
        for number, pause_s in enumerate((10, 20, 35, 35), start=1):
            assert await unprepared(preparations, b"a") == (
                "the code is not prepared: disk full; tried again: disk full"
            )
            assert len(machine.tried) == number * 2
            await trio.sleep(pause_s - 1)
            assert "tried again in 1 s" in await unprepared(preparations, b"a")
            assert len(machine.tried) == number * 2
            await trio.sleep(2)
        assert await preparations.have(b"a", b"a") == (None, 0.0)
    pauses = [record.args[2] for record in caplog.records if isinstance(record.args, tuple)]
    assert pauses == [10, 20, 35, 35]


async def test_code_that_takes_too_much_is_not_tried_twice_and_waits_in_its_own_lane(
    autojump_clock: trio.testing.MockClock,
) -> None:
    machine = Machine()
    never = trio.Event()
    machine.plan[b"bomb"] = [Overrun("too much CPU time"), never]
    async with trio.open_nursery() as nursery:
        preparations = Preparations(machine.prepare, LIMITS, nursery)
        assert "too much CPU time" in await unprepared(preparations, b"bomb")
        assert machine.tried == [(b"bomb", 15)]
        await trio.sleep(11)
        asked_at = trio.current_time()
        assert "still being prepared after 30 s" in await unprepared(preparations, b"bomb")
        assert trio.current_time() - asked_at == pytest.approx(30)
        assert machine.tried == [(b"bomb", 15), (b"bomb", 60)]
        assert await preparations.have(b"honest", b"honest") == (None, 0.0)
        never.set()


async def test_a_preparation_goes_on_when_nobody_waits_for_it(
    autojump_clock: trio.testing.MockClock,
) -> None:
    machine = Machine()
    machine.plan[b"a"] = [done := trio.Event()]
    async with trio.open_nursery() as nursery:
        preparations = Preparations(machine.prepare, LIMITS, nursery)
        with trio.move_on_after(1):
            await preparations.have(b"a", b"a")
        done.set()
        assert await preparations.have(b"a", b"a") == (None, 0.0)
    assert len(machine.tried) == 1


async def test_what_is_no_function_is_refused_without_another_try(
    autojump_clock: trio.testing.MockClock,
) -> None:
    machine = Machine()
    machine.plan[b"a"] = [UnpreparableCode("not Wasm")]
    async with trio.open_nursery() as nursery:
        preparations = Preparations(machine.prepare, LIMITS, nursery)
        for _ in range(2):
            refused, _ = await preparations.have(b"a", b"a")
            assert refused == UnpreparableCode("not Wasm")
    assert len(machine.tried) == 1


async def test_so_many_preparations_are_under_way(
    autojump_clock: trio.testing.MockClock,
) -> None:
    machine, done = Machine(), trio.Event()
    codes = [bytes((number,)) for number in range(33)]
    machine.plan = {code: [done] for code in codes}
    async with trio.open_nursery() as nursery:
        preparations = Preparations(machine.prepare, LIMITS, nursery)
        for code in codes[:32]:
            nursery.start_soon(preparations.have, code, code)
        await trio.testing.wait_all_tasks_blocked()
        said = await unprepared(preparations, codes[32])
        assert said == "32 other preparations are under way"
        done.set()


async def test_so_many_outcomes_are_remembered(autojump_clock: trio.testing.MockClock) -> None:
    machine = Machine()
    codes = [number.to_bytes(2, "big") for number in range(1025)]
    machine.plan = {code: [UnpreparableCode("no")] for code in codes}
    async with trio.open_nursery() as nursery:
        preparations = Preparations(machine.prepare, LIMITS, nursery)
        for code in codes[:1024]:
            await preparations.have(code, code)
        assert await preparations.have(codes[0], codes[0]) == (UnpreparableCode("no"), 0.0)
        await preparations.have(codes[1024], codes[1024])
        assert await preparations.have(codes[0], codes[0]) == (UnpreparableCode("no"), 0.0), (
            "asked of last"
        )
        assert len(machine.tried) == 1025
        await preparations.have(codes[1], codes[1])
        assert len(machine.tried) == 1026


def functions(count: int) -> bytes:
    """A module of many functions: it compiles for long, and to much."""
    empty = "(func (result i64) (i64.const 0))"
    return guest(ECHO, before="", memory='(memory (export "memory") 1)' + empty * count)


async def test_too_little_time_to_prepare_is_undecided_and_not_for_ever(tmp_path: Path) -> None:
    short = PreparationLimits(first_cpu_s=0.05, again_cpu_s=60, first_pause_s=0.1)
    code = ValidationCode(functions(20_000))
    with trio.fail_after(60):
        async with ValidationPool(tmp_path, limits=Limits(preparation=short)) as pool:
            outcome = await pool.execute(code, PARAMS, BACKING)
            assert isinstance(outcome, Undecided)
            assert "used more than 0.05 s of CPU time" in outcome.reason
            await trio.sleep(0.2)
            assert isinstance(await pool.execute(code, PARAMS, BACKING), Returned)


async def test_too_little_memory_to_prepare_is_undecided(tmp_path: Path) -> None:
    little = PreparationLimits(memory=90 << 20)
    with trio.fail_after(60):
        async with ValidationPool(tmp_path, limits=Limits(preparation=little)) as pool:
            bomb = ValidationCode(functions(99_000))
            outcome = await pool.execute(bomb, PARAMS, BACKING)
            assert isinstance(outcome, Undecided) and "not prepared" in outcome.reason
            assert pool.worker_pids == []
            good = await pool.execute(ValidationCode(guest(ECHO)), PARAMS, BACKING)
            assert isinstance(good, Returned)


async def test_what_is_prepared_executes_while_another_code_is_being_prepared(
    tmp_path: Path,
) -> None:
    async with ValidationPool(tmp_path, workers=1) as pool, trio.open_nursery() as nursery:
        ready, new = ValidationCode(guest(ECHO)), ValidationCode(guest("(i64.const 0)"))
        assert isinstance(await pool.execute(ready, PARAMS, BACKING), Returned)
        [executing] = pool.worker_pids
        nursery.start_soon(pool.execute, new, PARAMS, BACKING)
        while not (preparing := set(pool.worker_pids) - {executing}):
            await trio.sleep(0.001)
        os.kill(preparing.pop(), signal.SIGSTOP)
        assert isinstance(await pool.execute(ready, b"now", BACKING), Returned)
        assert len(list(tmp_path.glob("*.artifact"))) == 1
        nursery.cancel_scope.cancel()


async def test_what_no_machine_takes_for_a_function_is_invalid(tmp_path: Path) -> None:
    async with ValidationPool(tmp_path) as pool:
        for code in (b"", b"\0asm!", b"\0asm\1\0\0\0\xff", bytes(wasmtime.wat2wasm("(module)"))):
            outcome = await pool.execute(ValidationCode(code), PARAMS, BACKING)
            assert isinstance(outcome, Failed)
    assert list(tmp_path.iterdir()) == []
