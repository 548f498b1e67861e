"""Validation functions in worker processes: the real form of the ``ValidationHost`` port.

What the function does wrong is ``Failed``. What goes wrong here (a worker killed, one that hangs
without using CPU, a damaged artifact, a full disk) gets a new worker and one more try, then
``Undecided`` (D14). CPU time and memory are the machine's affair too: a worker that uses too much
of them is ended, and its candidate undecided (D34).

A worker executes one code only, so what a function may do to its worker concerns its own para.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager, contextmanager
from dataclasses import dataclass, field
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
from parahost.validation.artifacts import ArtifactStore
from parahost.validation.code import code_hash
from parahost.validation.errors import ArtifactError
from parahost.validation.preparation import (
    PreparationLimits,
    Preparations,
    UnpreparableCode,
    Unprepared,
)
from parahost.validation.wire import ReplyKind, RequestKind, WorkerReply, WorkerRequest, because
from parahost.validation.worker_process import MachineFault, Overrun, RequestLimits, WorkerProcess

_log = logging.getLogger(__name__)

_ATTEMPTS = 2
_CALLS_OF_A_LIFE = 512
_CPU_OF_A_LIFE_S = 300.0
_LOOK_AT_IDLE_S = 5.0
_CPU_AT_REST_S = 0.5
"""A worker that used more since its last call works for somebody else."""
_MEMORY_AT_REST = 256 << 20
"""A worker that keeps more than this after a call, in bytes, is not used again."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may use to execute. Times in seconds, memory in bytes."""

    backing_cpu_s: float = ExecutionKind.BACKING.cpu_limit_s
    checking_cpu_s: float = ExecutionKind.CHECKING.cpu_limit_s
    memory: int = 768 << 20
    stall_s: float = 10.0
    """How long a worker may go on without using CPU."""
    preparation: PreparationLimits = field(default_factory=PreparationLimits)

    def execution(self, kind: ExecutionKind) -> RequestLimits:
        cpu_s = self.backing_cpu_s if kind is ExecutionKind.BACKING else self.checking_cpu_s
        return RequestLimits(cpu_s, self.memory, self.stall_s)


@dataclass(frozen=True, slots=True, eq=False)
class _Idle:
    executed: bytes
    worker: WorkerProcess
    cpu_s: float


class ValidationPool:
    """Runs validation functions in up to ``workers`` processes, in order of arrival; up to two more
    prepare code meanwhile.

    Use it as ``async with ValidationPool(cache_dir) as pool``. Workers start when they are first
    needed. A cancelled request kills its worker. Artifacts stay in ``cache_dir``, which must be
    this user's alone, for the next run; pools may share it.
    """

    def __init__(self, cache_dir: Path, *, workers: int = 2, limits: Limits | None = None) -> None:
        if workers < 1:
            raise ValueError(f"a pool needs at least one worker, not {workers}")
        self._artifacts = ArtifactStore(cache_dir)
        self._limits = limits or Limits()
        self._workers = workers
        self._slots = trio.Semaphore(workers)
        self._idle: list[_Idle] = []
        self._executing: set[WorkerProcess] = set()
        self._preparing: set[WorkerProcess] = set()
        self._dead: list[WorkerProcess] = []
        self._closed = False
        self._preparations: Preparations
        self._background: AbstractAsyncContextManager[trio.Nursery]
        self._nursery: trio.Nursery

    async def __aenter__(self) -> Self:
        self._background = trio.open_nursery()
        self._nursery = await self._background.__aenter__()
        limits = self._limits.preparation
        self._preparations = Preparations(self._compile, limits, self._nursery)
        self._nursery.start_soon(self._look_at_idle)
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _value: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """End all workers; what is still being executed becomes ``Undecided``."""
        self._closed = True
        for worker in self._running:
            self._discard(worker)
        self._idle.clear()
        self._nursery.cancel_scope.cancel()
        await self._background.__aexit__(None, None, None)
        with trio.CancelScope(shield=True):
            for worker in self._dead:
                await worker.reaped()
        self._dead.clear()

    @property
    def worker_pids(self) -> list[int]:
        """The processes that are running now."""
        return sorted(worker.pid for worker in self._running)

    @property
    def _running(self) -> list[WorkerProcess]:
        return [*self._executing, *self._preparing, *(idle.worker for idle in self._idle)]

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
            except (Unprepared, Overrun) as fault:
                faults.append(str(fault))
                break
            except MachineFault as fault:
                faults.append(str(fault))
        reason = "; tried again: ".join(faults)
        _log.warning("a candidate of code 0x%s stays undecided: %s", digest.hex(), reason)
        return Undecided(reason)

    async def _attempt(
        self, code: bytes, digest: bytes, params: bytes, kind: ExecutionKind
    ) -> ExecutionOutcome:
        request = WorkerRequest(RequestKind.EXECUTE, digest, params)
        allowance = self._limits.execution(kind)
        reply, prepare_ms = await self._call_prepared(code, request, allowance)
        if reply.kind is ReplyKind.BAD_ARTIFACT:
            self._artifacts.remove(digest)
            reply, prepare_ms = await self._call_prepared(code, request, allowance)
        match reply.kind:
            case ReplyKind.DONE:
                return Returned(reply.body, prepare_ms, reply.duration_ms, reply.peak_memory_kb)
            case ReplyKind.FAILED:
                return Failed(reply.reason, prepare_ms, reply.duration_ms, reply.peak_memory_kb)
        raise MachineFault(reply.reason)

    async def _call_prepared(
        self, code: bytes, request: WorkerRequest, allowance: RequestLimits
    ) -> tuple[WorkerReply, float]:
        """Have the code prepared and a worker execute it; and how long the preparation took."""
        prepare_ms = 0.0
        artifact = self._open(request.code_hash)
        if artifact is None:
            refused, prepare_ms = await self._preparations.have(code, request.code_hash)
            if refused is not None:
                return because(ReplyKind.FAILED, refused.reason), prepare_ms
            artifact = self._open(request.code_hash)
        if artifact is None:
            raise MachineFault("the artifact is gone as soon as it is made")
        try:
            return await self._call(request, allowance, artifact), prepare_ms
        finally:
            os.close(artifact)

    def _open(self, digest: bytes) -> int | None:
        try:
            return self._artifacts.open(digest)
        except ArtifactError as error:
            raise MachineFault(error.reason) from None

    # Executing

    async def _call(
        self, request: WorkerRequest, allowance: RequestLimits, artifact: int
    ) -> WorkerReply:
        """Let a worker execute: ``DONE``, ``FAILED`` or ``BAD_ARTIFACT``.

        :raises MachineFault: when none did.
        """
        async with self._slots:
            worker = self._worker_for(request.code_hash)
            with self._discarded_on_error(worker):
                reply = await worker.ask(request, allowance, artifact)
                if reply.kind is ReplyKind.BROKEN:
                    raise MachineFault(reply.reason)
            self._put_back(request.code_hash, worker)
        return reply

    def _worker_for(self, digest: bytes) -> WorkerProcess:
        """One that has executed this code before, or a new one; one of the others makes room."""
        if self._closed:
            raise MachineFault("the validation pool is closed")
        for idle in [idle for idle in self._idle if not idle.worker.running]:
            self._retire(idle)
        for idle in self._idle:
            if idle.executed == digest:
                self._idle.remove(idle)
                self._executing.add(idle.worker)
                return idle.worker
        if len(self._idle) + len(self._executing) >= self._workers:
            self._retire(self._idle[0])
        worker = WorkerProcess(RequestKind.EXECUTE, self._limits.memory)
        self._executing.add(worker)
        return worker

    def _put_back(self, digest: bytes, worker: WorkerProcess) -> None:
        self._executing.discard(worker)
        if (
            worker.calls >= _CALLS_OF_A_LIFE
            or worker.cpu_s > _CPU_OF_A_LIFE_S
            or worker.memory > _MEMORY_AT_REST
        ):
            self._discard(worker)
        else:
            self._idle.append(_Idle(digest, worker, worker.cpu_s))

    async def _look_at_idle(self) -> None:
        """A worker that was taken over may go on working when it is not asked."""
        while True:
            await trio.sleep(_LOOK_AT_IDLE_S)
            for idle in [*self._idle]:
                if idle.worker.cpu_s - idle.cpu_s > _CPU_AT_REST_S:
                    _log.warning(
                        "worker %d of code 0x%s works without being asked, and is ended",
                        idle.worker.pid,
                        idle.executed.hex(),
                    )
                    self._retire(idle)

    def _retire(self, idle: _Idle) -> None:
        self._idle.remove(idle)
        self._discard(idle.worker)

    # Preparing

    async def _compile(
        self, code: bytes, digest: bytes, allowance: RequestLimits
    ) -> UnpreparableCode | None:
        worker = WorkerProcess(RequestKind.PREPARE, allowance.memory)
        self._preparing.add(worker)
        with self._discarded_on_error(worker):
            reply = await worker.ask(WorkerRequest(RequestKind.PREPARE, digest, code), allowance)
        self._discard(worker)
        if reply.kind is ReplyKind.FAILED:
            return UnpreparableCode(reply.reason)
        if reply.kind is not ReplyKind.DONE:
            raise MachineFault(reply.reason)
        try:
            await trio.to_thread.run_sync(self._artifacts.write, digest, reply.body)
        except ArtifactError as error:
            raise MachineFault(error.reason) from None
        return None

    # Ending

    @contextmanager
    def _discarded_on_error(self, worker: WorkerProcess) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._discard(worker)
            raise

    def _discard(self, worker: WorkerProcess) -> None:
        self._executing.discard(worker)
        self._preparing.discard(worker)
        worker.kill()
        self._dead = [old for old in self._dead if old.running]
        if worker not in self._dead:
            self._dead.append(worker)
