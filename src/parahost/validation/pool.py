"""Validation functions in worker processes: the real form of the ``ValidationHost`` port.

What the function does wrong is ``Failed``. What goes wrong here (a worker killed, one that hangs
without using CPU, a damaged artifact, a full disk) gets a new worker and one more try, then
``Undecided`` (D14). Only the kernel's CPU limit, which ends a worker with SIGXCPU, is the
function's fault again: it has used up more CPU time than it is given.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

from parahost.ports.validation import (
    ExecutionKind,
    ExecutionOutcome,
    Failed,
    Returned,
    Undecided,
)
from parahost.primitives.basic import ValidationCode
from parahost.validation.code import code_hash
from parahost.validation.wire import (
    REPLY_HEAD_SIZE,
    Reply,
    ReplyKind,
    Request,
    RequestKind,
    WireError,
    decode_reply_head,
)

_ATTEMPTS = 2
_KNOWN_PREPARATIONS = 1024
_REAP_S = 1.0
_LEAST_CPU_SHARE = 0.01
"""A worker that gets less of a CPU than this hangs."""


@dataclass(frozen=True, slots=True)
class Limits:
    """CPU times and the watchdog's patience, in seconds."""

    backing_cpu_s: float = ExecutionKind.BACKING.cpu_limit_s
    checking_cpu_s: float = ExecutionKind.CHECKING.cpu_limit_s
    prepare_cpu_s: float = 60.0
    stall_s: float = 10.0
    """How long a worker may go on without using CPU."""

    def execution_cpu_s(self, kind: ExecutionKind) -> float:
        return self.backing_cpu_s if kind is ExecutionKind.BACKING else self.checking_cpu_s


class MachineFault(Exception):
    """This machine failed, whatever the function would have done."""


class ValidationPool:
    """Runs validation functions in up to ``workers`` processes, in order of arrival.

    Preparing a real parachain's code takes seconds, so of several workers one is always left to
    execute what is prepared.

    Use it as ``async with ValidationPool(cache_dir) as pool``. Workers start when they are first
    needed. A cancelled request kills its worker. Artifacts stay in ``cache_dir``, which must be
    this user's alone, for the next run; pools may share it.
    """

    def __init__(self, cache_dir: Path, *, workers: int = 2, limits: Limits | None = None) -> None:
        if workers < 1:
            raise ValueError(f"a pool needs at least one worker, not {workers}")
        self._cache_dir = cache_dir
        self._limits = limits or Limits()
        self._slots = trio.Semaphore(workers)
        self._preparing = trio.Semaphore(max(1, workers - 1))
        self._idle: list[WorkerProcess] = []
        self._busy: set[WorkerProcess] = set()
        self._dead: list[WorkerProcess] = []
        self._known: OrderedDict[bytes, Reply] = OrderedDict()
        self._under_way: dict[bytes, trio.Event] = {}
        self._closed = False

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    @property
    def worker_pids(self) -> list[int]:
        """The processes that are running now."""
        return sorted(worker.pid for worker in (*self._idle, *self._busy))

    async def aclose(self) -> None:
        """End all workers; what is still being executed becomes ``Undecided``."""
        self._closed = True
        for worker in (*self._idle, *self._busy):
            self._discard(worker)
        self._idle.clear()
        with trio.CancelScope(shield=True):
            for worker in self._dead:
                await worker.reaped()
        self._dead.clear()

    async def execute(
        self, code: ValidationCode, params: bytes, kind: ExecutionKind
    ) -> ExecutionOutcome:
        """See the port. ``prepare_ms`` is 0 when the code was already prepared, or was being
        prepared for another request."""
        digest = code_hash(code)
        faults: list[str] = []
        for _ in range(_ATTEMPTS):
            try:
                return await self._attempt(code, digest, params, kind)
            except MachineFault as fault:
                self._known.pop(digest, None)
                faults.append(str(fault))
        return Undecided("; tried again: ".join(faults))

    async def _attempt(
        self, code: bytes, digest: bytes, params: bytes, kind: ExecutionKind
    ) -> ExecutionOutcome:
        prepared, prepare_ms = await self._prepare(code, digest)
        if prepared.kind is ReplyKind.FAILED:
            return Failed(prepared.reason, prepare_ms=prepare_ms)
        limit_s = self._limits.execution_cpu_s(kind)
        reply = await self._ask(Request(RequestKind.EXECUTE, limit_s, digest, params))
        if reply.kind is ReplyKind.FAILED:
            return Failed(reply.reason, prepare_ms, reply.duration_ms, reply.peak_memory_kb)
        return Returned(reply.body, prepare_ms, reply.duration_ms, reply.peak_memory_kb)

    async def _prepare(self, code: bytes, digest: bytes) -> tuple[Reply, float]:
        """The reply to the code's preparation, and how long it took this request, in ms."""
        while (known := self._known.get(digest)) is None:
            other = self._under_way.get(digest)
            if other is None:
                break
            await other.wait()
        else:
            self._known.move_to_end(digest)
            return known, 0.0
        done = self._under_way[digest] = trio.Event()
        try:
            limit_s = self._limits.prepare_cpu_s
            async with self._preparing:
                reply = await self._ask(Request(RequestKind.PREPARE, limit_s, digest, code))
            self._known[digest] = reply
            if len(self._known) > _KNOWN_PREPARATIONS:
                self._known.popitem(last=False)
            return reply, reply.duration_ms
        finally:
            del self._under_way[digest]
            done.set()

    async def _ask(self, request: Request) -> Reply:
        """Let a worker answer: ``DONE`` or ``FAILED``.

        :raises MachineFault: when none did, or the answer was ``BROKEN``.
        """
        async with self._slots:
            if self._closed:
                raise MachineFault("the validation pool is closed")
            worker = self._idle.pop() if self._idle else WorkerProcess(self._cache_dir)
            self._busy.add(worker)
            try:
                reply = await worker.ask(request, self._limits.stall_s)
            except BaseException:
                self._discard(worker)
                raise
            self._busy.discard(worker)
            if reply.kind is not ReplyKind.FAILED or worker.alive:
                self._idle.append(worker)
            else:
                self._discard(worker)
        if reply.kind is ReplyKind.BROKEN:
            raise MachineFault(reply.reason)
        return reply

    def _discard(self, worker: WorkerProcess) -> None:
        self._busy.discard(worker)
        worker.kill()
        self._dead = [old for old in self._dead if old.running]
        if worker not in self._dead:
            self._dead.append(worker)


class WorkerProcess:
    """A worker, seen from the pool.

    :raises MachineFault: when no process can be started.
    """

    def __init__(self, cache_dir: Path) -> None:
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        "-P",  # what lies in the working directory is not to be imported
                        "-m",
                        "parahost.validation.worker",
                        str(theirs.fileno()),
                        str(cache_dir),
                        str(os.getpid()),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                    env=_environment(),
                )
        except OSError as error:
            ours.close()
            raise MachineFault(f"no worker process can be started: {error}") from None
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        self.pid = self._process.pid
        self.alive = True
        """Whether it can be asked: neither killed nor found dead."""

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self.alive = False
        self._process.kill()
        self._stream.socket.close()

    async def reaped(self) -> int | None:
        """Wait a moment for the process's end; its exit code."""
        with trio.move_on_after(_REAP_S):
            while self.running:
                await trio.sleep(0.001)
        return self._process.returncode

    async def ask(self, request: Request, stall_s: float) -> Reply:
        """Send a request and wait for the reply.

        :raises MachineFault: when the worker dies, hangs, or says nonsense. Kill it then; also
            when cancelled.
        """
        try:
            with trio.move_on_after(stall_s) as sending:
                await self._stream.send_all(request.encode_head())
                await self._stream.send_all(request.body)
            if sending.cancelled_caught:
                raise MachineFault(f"worker {self.pid} reads nothing for {stall_s:g} s")
            watchdog = _Watchdog(self.pid, stall_s)
            head = await self._receive(REPLY_HEAD_SIZE, watchdog)
            kind, duration_ms, peak_memory_kb, length = decode_reply_head(head)
            body = await self._receive(length, watchdog)
            return Reply(kind, duration_ms, peak_memory_kb, body)
        except WireError as error:
            raise MachineFault(f"worker {self.pid} says nonsense: {error}") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError, EOFError):
            code = await self.reaped()
            self.alive = False
            if code == -signal.SIGXCPU:
                text = f"CPU-time limit of {request.cpu_limit_s:g} s reached in the worker"
                return Reply(ReplyKind.FAILED, body=text.encode())
            raise MachineFault(f"worker {self.pid} ended: {_describe_exit(code)}") from None

    async def _receive(self, length: int, watchdog: _Watchdog) -> bytes:
        received = bytearray()
        while len(received) < length:
            with trio.move_on_after(watchdog.interval_s) as scope:
                piece = await self._stream.receive_some(min(length - len(received), 1 << 20))
            if scope.cancelled_caught:
                watchdog.check()
                continue
            if not piece:
                raise EOFError
            received += piece
        return bytes(received)


class _Watchdog:
    """Notices a process that neither answers nor uses CPU.

    One that uses CPU is not its business: that is limited by the worker and by the kernel.
    """

    def __init__(self, pid: int, stall_s: float) -> None:
        self.interval_s = stall_s
        self._pid = pid
        self._used_s = _process_cpu_s(pid)

    def check(self) -> None:
        """Called once an interval.

        :raises MachineFault: when the process used next to no CPU since.
        """
        used_s = _process_cpu_s(self._pid)
        if used_s - self._used_s < self.interval_s * _LEAST_CPU_SHARE:
            raise MachineFault(
                f"worker {self._pid} hangs: it used no CPU for {self.interval_s:g} s"
            )
        self._used_s = used_s


def _environment() -> dict[str, str]:
    """What Python needs to import the same modules, and nothing else of ours."""
    environment = {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    if libraries := os.environ.get("LD_LIBRARY_PATH"):
        environment["LD_LIBRARY_PATH"] = libraries
    return environment


def _process_cpu_s(pid: int) -> float:
    """The CPU time of another process. Linux names its clock by the pid's complement (see
    clock_getcpuclockid in glibc)."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _describe_exit(code: int | None) -> str:
    if code is None:
        return "without an exit code"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
