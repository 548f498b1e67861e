"""The pool with real worker processes (D14): three outcomes, and never the wrong one."""

import errno
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing
import wasmtime

from parahost.ports.validation import (
    ExecutionKind,
    ExecutionOutcome,
    Failed,
    Returned,
    Undecided,
    ValidationHost,
)
from parahost.primitives import scale
from parahost.primitives.basic import ValidationCode
from parahost.validation import Limits, ValidationPool
from parahost.validation import pool as pool_module
from parahost.validation.metering import MAX_INSTRUCTIONS
from parahost.validation.wire import ReplyKind, WorkerReply
from tests.validation.guests import (
    ECHO,
    FOREVER,
    IMPORTED_MEMORY,
    MEMORY_HOG,
    OVERDOES,
    PARAMS,
    guest,
    imported,
)

BACKING = ExecutionKind.BACKING
CHECKING = ExecutionKind.CHECKING
SHORT = Limits(backing_cpu_s=0.1, checking_cpu_s=0.3)

HASHES_LONG = guest(
    f"(drop (call $ext_trie_blake2_256_ordered_root_version_1 {ECHO})) (i64.const 0)",
    before=imported("ext_trie_blake2_256_ordered_root_version_1", "l", "i"),
    memory=IMPORTED_MEMORY,
)
LONG_LIST = scale.encode((b"item",) * 50_000, tuple[bytes, ...])
"""What :data:`HASHES_LONG` spends half a second on, in a single host function, for 5 of the
8,000,000,000 instructions that it may count."""


def code(wasm: bytes) -> ValidationCode:
    return ValidationCode(wasm)


@asynccontextmanager
async def pool_at(
    cache_dir: Path, *, workers: int = 1, limits: Limits | None = None
) -> AsyncIterator[ValidationPool]:
    with trio.fail_after(60):
        async with ValidationPool(cache_dir, workers=workers, limits=limits) as pool:
            yield pool


async def wait_for_worker(pool: ValidationPool) -> int:
    while not pool.worker_pids:
        await trio.sleep(0.005)
    return pool.worker_pids[0]


def artifacts(cache_dir: Path) -> list[Path]:
    return sorted(cache_dir.glob("*.artifact"))


async def run_and_kill(
    pool: ValidationPool, wasm: bytes, *, kills: int, with_signal: int = signal.SIGKILL
) -> ExecutionOutcome:
    """Execute, and kill the worker that many times once it is well under way."""
    outcomes: list[ExecutionOutcome] = []

    async def execute() -> None:
        outcomes.append(await pool.execute(code(wasm), PARAMS, CHECKING))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(execute)
        killed: set[int] = set()
        while len(killed) < kills:
            await trio.testing.wait_all_tasks_blocked(0.02)  # it has been sent
            for pid in set(pool.worker_pids) - killed:
                os.kill(pid, with_signal)
                killed.add(pid)
    return outcomes[0]


@pytest.mark.guide("A74", "A102")
async def test_a_function_is_prepared_once_and_runs_in_another_process(tmp_path: Path) -> None:
    async with pool_at(tmp_path) as pool:
        host: ValidationHost = pool
        first = await host.execute(code(guest(ECHO)), PARAMS, BACKING)
        again = await host.execute(code(guest(ECHO)), b"other", BACKING)
        assert isinstance(first, Returned) and first.result == PARAMS
        assert first.prepare_ms > 0 and first.execute_ms > 0 and first.peak_memory_kb == 64
        assert isinstance(again, Returned) and again.result == b"other"
        assert again.prepare_ms == 0
        assert len(artifacts(tmp_path)) == 1
        assert pool.worker_pids != [os.getpid()]


async def test_workers_are_processes_of_their_own_that_end_with_the_pool(tmp_path: Path) -> None:
    async with pool_at(tmp_path) as pool:
        await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
        (pid,) = pool.worker_pids
        assert os.getpgid(pid) == pid != os.getpgid(0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


@pytest.mark.guide("A74", "A102")
@pytest.mark.parametrize(
    "wasm",
    [
        guest(FOREVER),
        guest(ECHO, memory='(memory (export "memory") 1) (func $s (loop (br 0))) (start $s)'),
        HASHES_LONG,
    ],
    ids=["loop", "start function", "one host function"],
)
async def test_where_cpu_time_ends_a_call_it_is_undecided(tmp_path: Path, wasm: bytes) -> None:
    """How far a function gets in that time is the machine's affair (D34)."""
    async with pool_at(tmp_path, limits=SHORT) as pool:
        outcome = await pool.execute(code(wasm), LONG_LIST, BACKING)
        assert isinstance(outcome, Undecided)
        assert outcome.reason.endswith("used more than 0.1 s of CPU time")
        assert pool.worker_pids == []
        assert isinstance(await pool.execute(code(guest(ECHO)), PARAMS, BACKING), Returned)


@pytest.mark.guide("A102")
async def test_where_the_count_of_instructions_ends_a_call_it_is_invalid(tmp_path: Path) -> None:
    limits = Limits(backing_cpu_s=60)
    async with pool_at(tmp_path, limits=limits) as pool:
        outcome = await pool.execute(code(guest(OVERDOES)), PARAMS, BACKING)
        assert isinstance(outcome, Failed)
        assert outcome.reason == f"the fuel limit of {MAX_INSTRUCTIONS:,} instructions was reached"
        [pid] = pool.worker_pids
        assert isinstance(await pool.execute(code(guest(OVERDOES)), b"", CHECKING), Failed)
        assert pool.worker_pids == [pid]


async def test_time_that_the_worker_does_not_run_does_not_count(tmp_path: Path) -> None:
    """The clock is the worker's CPU, not the wall's."""
    async with pool_at(tmp_path, limits=SHORT) as pool:
        await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
        (pid,) = pool.worker_pids
        os.kill(pid, signal.SIGSTOP)

        async def resume() -> None:
            await trio.sleep(0.5)
            os.kill(pid, signal.SIGCONT)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(resume)
            outcome = await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
        assert isinstance(outcome, Returned)


@pytest.mark.guide("A102")
async def test_a_worker_killed_once_is_replaced_and_the_request_tried_again(
    tmp_path: Path,
) -> None:
    async with pool_at(tmp_path) as pool:
        await pool.execute(code(guest(OVERDOES)), b"", CHECKING)
        outcome = await run_and_kill(pool, guest(OVERDOES), kills=1)
        assert isinstance(outcome, Failed)
        assert "instructions" in outcome.reason


@pytest.mark.guide("A102")
async def test_a_worker_killed_twice_leaves_it_undecided(tmp_path: Path) -> None:
    async with pool_at(tmp_path) as pool:
        outcome = await run_and_kill(pool, guest(FOREVER), kills=2)
        assert isinstance(outcome, Undecided)
        assert outcome.reason.count("killed by SIGKILL") == 2
        assert isinstance(await pool.execute(code(guest(ECHO)), PARAMS, BACKING), Returned)


async def test_a_worker_that_hangs_without_using_cpu_is_replaced(tmp_path: Path) -> None:
    async with pool_at(tmp_path, limits=Limits(stall_s=1.0)) as pool:
        await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
        (pid,) = pool.worker_pids
        os.kill(pid, signal.SIGSTOP)
        outcome = await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
        assert isinstance(outcome, Returned)
        assert pool.worker_pids != [pid]


async def test_the_kernels_cpu_limit_is_the_machines_fault(tmp_path: Path) -> None:
    async with pool_at(tmp_path) as pool:
        await pool.execute(code(guest(OVERDOES)), b"", CHECKING)
        outcome = await run_and_kill(pool, guest(OVERDOES), kills=2, with_signal=signal.SIGXCPU)
        assert isinstance(outcome, Undecided)
        assert outcome.reason.count("killed by SIGXCPU") == 2
        assert isinstance(await pool.execute(code(guest(ECHO)), PARAMS, BACKING), Returned)


@pytest.mark.parametrize("damage", ["flipped", "cut off", "emptied", "removed", "foreign"])
async def test_a_damaged_artifact_is_made_anew(tmp_path: Path, damage: str) -> None:
    wasm = guest(ECHO)
    async with pool_at(tmp_path) as pool:
        await pool.execute(code(wasm), PARAMS, BACKING)
    (artifact,) = artifacts(tmp_path)
    whole = artifact.read_bytes()
    flipped = whole[:-100] + bytes([whole[-100] ^ 1]) + whole[-99:]
    if damage == "removed":
        artifact.unlink()
    elif damage == "foreign":
        foreign = wasmtime.Module(wasmtime.Engine(), wasm).serialize()
        artifact.write_bytes(hashlib.blake2b(foreign, digest_size=32).digest() + foreign)
    else:
        spoiled = {"flipped": flipped, "cut off": whole[:1000], "emptied": b""}
        artifact.write_bytes(spoiled[damage])
    async with pool_at(tmp_path) as pool:
        outcome = await pool.execute(code(wasm), PARAMS, BACKING)
    assert isinstance(outcome, Returned) and outcome.result == PARAMS
    assert artifact.read_bytes() == whole


async def test_an_artifact_damaged_after_preparation_is_made_anew(tmp_path: Path) -> None:
    async with pool_at(tmp_path) as pool:
        await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
        artifacts(tmp_path)[0].write_bytes(b"")
        os.kill(pool.worker_pids[0], signal.SIGKILL)  # so that nobody has it loaded
        outcome = await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
        assert isinstance(outcome, Returned) and outcome.result == PARAMS


async def test_a_cache_that_cannot_be_written_leaves_it_undecided(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")
    async with pool_at(blocked / "artifacts") as pool:
        outcome = await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
    assert isinstance(outcome, Undecided)
    assert "Not a directory" in outcome.reason


async def test_a_worker_executes_one_code_only(tmp_path: Path) -> None:
    """What a function may have done to its worker is its own para's affair."""
    async with pool_at(tmp_path, workers=2) as pool:
        seen: list[set[int]] = []
        for number in (1, 2, 1, 2, 3):
            wasm = guest(f"(drop (i32.const {number}))" + ECHO)
            assert isinstance(await pool.execute(code(wasm), PARAMS, BACKING), Returned)
            seen.append(set(pool.worker_pids))
        assert len(seen[0]) == 1 and seen[0] < seen[1] == seen[2] == seen[3]
        assert len(seen[4]) == 2 and not seen[0] & seen[4]  # the least lately used made room


async def test_workers_retire(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "_CALLS_OF_A_LIFE", 2)
    async with pool_at(tmp_path) as pool:
        for left in (1, 0, 1):
            assert isinstance(await pool.execute(code(guest(ECHO)), PARAMS, BACKING), Returned)
            assert len(pool.worker_pids) == left


async def test_a_worker_that_keeps_too_much_memory_retires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_MEMORY_AT_REST", 1 << 20)
    async with pool_at(tmp_path) as pool:
        assert isinstance(await pool.execute(code(guest(ECHO)), PARAMS, BACKING), Returned)
        assert pool.worker_pids == []


async def test_a_worker_that_uses_too_much_memory_is_ended(tmp_path: Path) -> None:
    async with pool_at(tmp_path, limits=Limits(memory=150 << 20)) as pool:
        outcome = await pool.execute(code(guest(MEMORY_HOG + FOREVER)), PARAMS, CHECKING)
        assert isinstance(outcome, Undecided)
        assert outcome.reason.endswith("150 MiB are allowed")
        assert isinstance(await pool.execute(code(guest(ECHO)), PARAMS, BACKING), Returned)


async def test_a_machine_without_memory_to_give_is_undecided(tmp_path: Path) -> None:
    """The function is told nothing of it: it might trap."""
    grows = "(if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))"
    async with pool_at(tmp_path) as pool:  # so that the code is prepared
        assert isinstance(await pool.execute(code(guest(grows + ECHO)), PARAMS, BACKING), Returned)
    async with pool_at(tmp_path, limits=Limits(memory=60 << 20)) as pool:
        outcome = await pool.execute(code(guest(grows + ECHO)), PARAMS, BACKING)
    assert isinstance(outcome, Undecided)
    assert "bytes of memory cannot be had" in outcome.reason


async def test_a_machine_without_processes_to_give_is_undecided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise BlockingIOError(errno.EAGAIN, "Resource temporarily unavailable")

    async with pool_at(tmp_path) as pool:
        monkeypatch.setattr(subprocess, "Popen", refuse)
        outcome = await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
    assert isinstance(outcome, Undecided)
    assert "no worker process can be started" in outcome.reason


SAYS = """
import socket, struct, sys
connection = socket.socket(fileno=int(sys.argv[1]))
for words in sys.argv[2:]:
    connection.sendall(bytes.fromhex(words))
    connection.recv(1 << 16)
connection.recv(1)
"""
DRIPS = """
import socket, sys, time
connection = socket.socket(fileno=int(sys.argv[1]))
connection.sendall(bytes.fromhex(sys.argv[2]))
while True:
    connection.sendall(b"\\1")
    time.sleep(0.02)
"""
SPINS = """
import socket, sys
connection = socket.socket(fileno=int(sys.argv[1]))
connection.sendall(bytes.fromhex(sys.argv[2]))
connection.recv(1 << 16)
connection.sendall(bytes.fromhex(sys.argv[3]))
while True:
    pass
"""
READY = WorkerReply(ReplyKind.READY).encode()


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ((b"\0" * len(READY),), "says nonsense: 0 is not a valid ReplyKind"),
        ((WorkerReply(ReplyKind.DONE).encode(),), "says nonsense: DONE is no answer to its start"),
        ((READY, READY), "says nonsense: READY is no answer to EXECUTE"),
        (
            (READY, WorkerReply(ReplyKind.DONE, float("nan")).encode()),
            "says nonsense: a duration of nan ms",
        ),
        ((READY, READY[:1].replace(b"\5", b"\1") + READY[1:-4] + b"\xff" * 4), "exceeds"),
        ((READY, READY[:5]), "hangs"),
    ],
    ids=["no kind", "not ready", "ready twice", "not a number", "too long", "half a word"],
)
async def test_what_a_worker_says_that_was_taken_over_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: tuple[bytes, ...], reason: str
) -> None:
    started = subprocess.Popen

    def instead(_: object, *, pass_fds: list[int], **options: Any) -> Any:
        words = [piece.hex() for piece in said]
        command = [sys.executable, "-c", SAYS, str(pass_fds[0]), *words]
        return started(command, pass_fds=pass_fds, **options)

    async with pool_at(tmp_path) as pool:  # so that the code is prepared
        assert isinstance(await pool.execute(code(guest(ECHO)), PARAMS, BACKING), Returned)
    async with pool_at(tmp_path, limits=Limits(stall_s=0.3)) as pool:
        monkeypatch.setattr(subprocess, "Popen", instead)
        outcome = await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
    assert isinstance(outcome, Undecided)
    assert reason in outcome.reason


async def test_a_worker_that_sends_a_byte_now_and_then_hangs_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = subprocess.Popen
    long = WorkerReply(ReplyKind.DONE).encode()[:-4] + (1 << 20).to_bytes(4, "little")

    def instead(_: object, *, pass_fds: list[int], **options: Any) -> Any:
        command = [sys.executable, "-c", DRIPS, str(pass_fds[0]), (READY + long).hex()]
        return started(command, pass_fds=pass_fds, **options)

    async with pool_at(tmp_path) as pool:  # so that the code is prepared
        assert isinstance(await pool.execute(code(guest(ECHO)), PARAMS, BACKING), Returned)
    async with pool_at(tmp_path, limits=Limits(stall_s=0.5)) as pool:
        monkeypatch.setattr(subprocess, "Popen", instead)
        outcome = await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
    assert isinstance(outcome, Undecided)
    assert "hangs" in outcome.reason


async def test_a_worker_that_works_unasked_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool_module, "_LOOK_AT_IDLE_S", 0.05)
    monkeypatch.setattr(pool_module, "_CPU_AT_REST_S", 0.1)
    started = subprocess.Popen
    words = [READY.hex(), WorkerReply(ReplyKind.DONE).encode().hex()]

    def instead(_: object, *, pass_fds: list[int], **options: Any) -> Any:
        command = [sys.executable, "-c", SPINS, str(pass_fds[0]), *words]
        return started(command, pass_fds=pass_fds, **options)

    async with pool_at(tmp_path) as pool:
        assert isinstance(await pool.execute(code(guest(ECHO)), PARAMS, BACKING), Returned)
        await trio.sleep(0.5)
        assert len(pool.worker_pids) == 1  # which rests
    async with pool_at(tmp_path) as pool:
        monkeypatch.setattr(subprocess, "Popen", instead)
        assert isinstance(await pool.execute(code(guest(ECHO)), PARAMS, BACKING), Returned)
        while pool.worker_pids:
            await trio.sleep(0.01)


async def test_requests_for_the_same_code_wait_for_one_preparation(tmp_path: Path) -> None:
    outcomes: list[Returned] = []
    async with pool_at(tmp_path, workers=2) as pool:

        async def execute(number: int) -> None:
            outcome = await pool.execute(code(guest(ECHO)), bytes([number]), BACKING)
            assert isinstance(outcome, Returned) and outcome.result == bytes([number])
            outcomes.append(outcome)

        async with trio.open_nursery() as nursery:
            for number in range(6):
                nursery.start_soon(execute, number)
        assert len(pool.worker_pids) == 2
    assert sum(outcome.prepare_ms > 0 for outcome in outcomes) == 1


async def test_a_cancelled_request_frees_its_place(tmp_path: Path) -> None:
    async with pool_at(tmp_path) as pool:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(pool.execute, code(guest(FOREVER)), PARAMS, CHECKING)
            while not artifacts(tmp_path):
                await trio.sleep(0.01)
            await wait_for_worker(pool)
            nursery.cancel_scope.cancel()
        assert pool.worker_pids == []
        outcome = await pool.execute(code(guest(ECHO)), PARAMS, BACKING)
        assert isinstance(outcome, Returned)


async def test_closing_ends_what_is_under_way(tmp_path: Path) -> None:
    outcomes: list[ExecutionOutcome] = []
    async with trio.open_nursery() as nursery, pool_at(tmp_path) as pool:

        async def execute() -> None:
            outcomes.append(await pool.execute(code(guest(FOREVER)), PARAMS, CHECKING))

        nursery.start_soon(execute)
        await wait_for_worker(pool)
    assert len(outcomes) == 1 and isinstance(outcomes[0], Undecided)


async def test_a_busy_worker_ends_with_its_parent(tmp_path: Path) -> None:
    script = """
import sys, trio
from pathlib import Path
from parahost.validation import ExecutionKind, ValidationPool

async def main():
    async with ValidationPool(Path(sys.argv[1])) as pool, trio.open_nursery() as nursery:
        code = bytes.fromhex(sys.argv[2])
        nursery.start_soon(pool.execute, code, b"", ExecutionKind.CHECKING)
        while not pool.worker_pids:
            await trio.sleep(0.01)
        print(pool.worker_pids[0], flush=True)
        await trio.sleep_forever()

trio.run(main)
"""
    wasm = guest(FOREVER).hex()
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path), wasm], stdout=subprocess.PIPE
    )
    with parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        with trio.fail_after(20):
            while not artifacts(tmp_path):  # then it begins to execute
                await trio.sleep(0.01)
            parent.kill()
            while is_running(worker):
                await trio.sleep(0.01)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"  # where nobody reaps orphans, a zombie stays


def test_a_pool_without_workers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one worker"):
        ValidationPool(tmp_path, workers=0)
