"""A worker process, seen from the pool: started, asked, watched, ended.

The watch is from outside, by the kernel's figures: CPU time and memory in use. A worker that
exceeds its allowance is ended, whatever it is doing; nothing is raised inside it.
"""

from __future__ import annotations

import array
import os
import resource
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass

import trio

from parahost.validation.wire import (
    REPLY_HEAD_SIZE,
    RequestKind,
    WireError,
    WorkerReply,
    WorkerRequest,
    decode_reply_head,
    printable,
)

_LOOK_S = 0.05
"""How often a busy worker is looked at."""
_REAP_S = 1.0
_LEAST_CPU_SHARE = 0.01
"""A worker that gets less of a CPU than this hangs."""
_LAST_WORDS = 400
_WRITABLE_PER_USE = 2
"""The kernel's limit on what a worker may write to, by its allowed memory in use. The kernel's is
the harder one: it may make an allocation fail where the watch ends the worker."""


class MachineFault(Exception):
    """This machine failed, whatever the function would have done. Another try may help."""


class Overrun(MachineFault):
    """A worker exceeded its allowance. Another try would cost as much."""


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """What a worker may use for one request, and how long it may rest."""

    cpu_s: float
    memory: int
    """In bytes, of the whole process."""
    stall_s: float


_TO_START = RequestLimits(cpu_s=30.0, memory=512 << 20, stall_s=30.0)


class WorkerProcess:
    """A worker for requests of one kind, within ``memory`` bytes.

    :raises MachineFault: when no process can be started.
    """

    def __init__(self, purpose: RequestKind, memory: int) -> None:
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise MachineFault(f"no worker process can be started: {error}") from None
        try:
            with theirs:
                self._last_words = os.memfd_create("last words")
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        "-P",  # what lies in the working directory is not to be imported
                        "-m",
                        "parahost.validation.worker",
                        str(theirs.fileno()),
                        str(os.getpid()),
                        str(purpose.value),
                        str(memory * _WRITABLE_PER_USE),
                    ],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=self._last_words,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                    env=_environment(),
                )
        except OSError as error:
            ours.close()
            raise MachineFault(f"no worker process can be started: {error}") from None
        self._stream = trio.SocketStream(trio.socket.from_stdlib_socket(ours))
        self._is_ready = False
        self.pid = self._process.pid
        self.calls = 0

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def memory(self) -> int:
        """In use now, in bytes."""
        return _memory_of(self.pid)

    @property
    def cpu_s(self) -> float:
        """Used since its start."""
        return _cpu_s_of(self.pid)

    def kill(self) -> None:
        self._process.kill()
        self._stream.socket.close()
        if self._last_words >= 0:
            os.close(self._last_words)
            self._last_words = -1

    async def reaped(self) -> int | None:
        """Wait a moment for the process's end; its exit code."""
        with trio.move_on_after(_REAP_S):
            while self.running:
                await trio.sleep(0.001)
        return self._process.returncode

    async def ask(
        self, request: WorkerRequest, allowance: RequestLimits, artifact: int | None = None
    ) -> WorkerReply:
        """Send a request, with a descriptor beside it, and wait for the reply.

        :raises MachineFault: when the worker dies, hangs, exceeds its allowance, or says nonsense.
            Kill it then; also when cancelled.
        """
        try:
            if not self._is_ready:
                await self._reply(None, _TO_START)
                self._is_ready = True
            self.calls += 1
            with trio.move_on_after(allowance.stall_s) as sending:
                await self._send(request, artifact)
            if sending.cancelled_caught:
                raise MachineFault(f"worker {self.pid} reads nothing for {allowance.stall_s:g} s")
            return await self._reply(request.kind, allowance)
        except WireError as error:
            raise MachineFault(f"worker {self.pid} says nonsense: {error}") from None
        except (trio.BrokenResourceError, trio.ClosedResourceError, EOFError, OSError):
            raise MachineFault(await self._how_it_ended()) from None

    async def _send(self, request: WorkerRequest, artifact: int | None) -> None:
        head = request.encode_head()
        beside = []
        if artifact is not None:
            beside = [
                (socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [artifact]).tobytes())
            ]
        sent = await self._stream.socket.sendmsg([head], beside)
        await self._stream.send_all(head[sent:])
        await self._stream.send_all(request.body)

    async def _reply(self, request: RequestKind | None, allowance: RequestLimits) -> WorkerReply:
        watch = _Watch(self.pid, allowance)
        head = await self._receive(REPLY_HEAD_SIZE, watch)
        kind, duration_ms, peak_memory_kb, length = decode_reply_head(head, request)
        return WorkerReply(kind, duration_ms, peak_memory_kb, await self._receive(length, watch))

    async def _receive(self, length: int, watch: _Watch) -> bytes:
        received = bytearray()
        while len(received) < length:
            with trio.move_on_after(_LOOK_S) as scope:
                piece = await self._stream.receive_some(min(length - len(received), 1 << 20))
            watch.look()
            if scope.cancelled_caught:
                continue
            if not piece:
                raise EOFError
            received += piece
        return bytes(received)

    async def _how_it_ended(self) -> str:
        code = await self.reaped()
        words = self._read_last_words()
        return f"worker {self.pid} ended: {_describe_exit(code)}{words and f' ({words})'}"

    def _read_last_words(self) -> str:
        """The last line that says something; Rust's advice comes after it."""
        if self._last_words < 0:
            return ""
        size = os.fstat(self._last_words).st_size
        said = os.pread(self._last_words, _LAST_WORDS, max(0, size - _LAST_WORDS))
        lines = said.decode(errors="replace").strip().split("\n")
        return printable(next((line for line in lines[::-1] if line[:5] != "note:"), ""))


class _Watch:
    """Notices that a process exceeds its allowance, or neither answers nor uses CPU."""

    def __init__(self, pid: int, allowance: RequestLimits) -> None:
        self._pid = pid
        self._allowance = allowance
        self._start_s = _cpu_s_of(pid)
        self._rested_since = self._looked_at = trio.current_time()
        self._used_s = self._start_s

    def look(self) -> None:
        """Called at least every ``_LOOK_S`` while the worker is waited for, also by one that sends
        a byte now and then.

        :raises Overrun: when it used too much.
        :raises MachineFault: when it used next to no CPU for long.
        """
        now = trio.current_time()
        if now - self._looked_at < _LOOK_S:
            return
        self._looked_at = now
        allowed, used_s = self._allowance, _cpu_s_of(self._pid)
        if used_s - self._start_s > allowed.cpu_s:
            raise Overrun(f"worker {self._pid} used more than {allowed.cpu_s:g} s of CPU time")
        memory = _memory_of(self._pid)
        if memory > allowed.memory:
            raise Overrun(
                f"worker {self._pid} uses {memory >> 20} MiB of memory, "
                f"{allowed.memory >> 20} MiB are allowed"
            )
        if now - self._rested_since < allowed.stall_s:
            return
        if used_s - self._used_s < allowed.stall_s * _LEAST_CPU_SHARE:
            raise MachineFault(
                f"worker {self._pid} hangs: it used no CPU for {allowed.stall_s:g} s"
            )
        self._rested_since, self._used_s = now, used_s


def _environment() -> dict[str, str]:
    """What Python needs to import the same modules, and nothing else of ours."""
    environment = {"PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))}
    if libraries := os.environ.get("LD_LIBRARY_PATH"):
        environment["LD_LIBRARY_PATH"] = libraries
    return environment


def _cpu_s_of(pid: int) -> float:
    """The CPU time of another process. Linux names its clock by the pid's complement (see
    clock_getcpuclockid in glibc)."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return 0.0


def _memory_of(pid: int) -> int:
    """What another process has in memory, in bytes."""
    try:
        with open(f"/proc/{pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * resource.getpagesize()
    except (OSError, IndexError):
        return 0


def _describe_exit(code: int | None) -> str:
    if code is None:
        return "without an exit code"
    if code < 0:
        return f"killed by {signal.Signals(-code).name}"
    return f"exit code {code}"
