"""A worker process: prepares and calls validation functions, one request at a time.

Started by :mod:`parahost.validation.pool` as ``python -m parahost.validation.worker FD CACHE_DIR
PARENT_PID``, where FD is its end of a socket pair. It ends with the socket or with its parent. It
imports little, so it starts in about 100 ms.

What the Wasm sandbox holds in is held in again by the kernel: CPU time, memory, file size, no new
privileges. These are backstops, far above the limits in :mod:`parahost.validation.engine`; running
into one kills the process.
"""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import socket
import sys
import time
from collections import OrderedDict
from pathlib import Path

from parahost.validation.abi import CallReport, ValidationFunction
from parahost.validation.artifacts import ArtifactCache
from parahost.validation.code import wasm_of
from parahost.validation.cpu_limit import CpuMeter
from parahost.validation.engine import Engine, Metering
from parahost.validation.errors import ArtifactError, FunctionFailed
from parahost.validation.wire import (
    REQUEST_HEAD_SIZE,
    Reply,
    ReplyKind,
    Request,
    RequestKind,
    decode_request_head,
)

_LOADED_FUNCTIONS = 4
"""How many functions stay loaded; a validator's core changes its para seldom."""
_CPU_BACKSTOP_S = 2
"""How long after a function's CPU limit the kernel ends the process."""
_ADDRESS_SPACE = 32 << 30
_DATA = 3 << 30
_FILE_SIZE = 1 << 30
_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38


class Worker:
    """Answers requests with an engine, a cache of artifacts, and the functions loaded last."""

    def __init__(self, cache_dir: Path) -> None:
        self._engine = Engine(Metering.EPOCH)
        self._meter = CpuMeter(self._engine.wasmtime)
        self._cache = ArtifactCache(cache_dir, self._engine.fingerprint)
        self._loaded: OrderedDict[bytes, ValidationFunction] = OrderedDict()

    def answer(self, request: Request) -> Reply:
        started = time.perf_counter()
        report = CallReport()
        _limit_process_cpu(request.cpu_limit_s)
        try:
            if request.kind is RequestKind.PREPARE:
                self._prepare(request.code_hash, request.body)
                kind, body = ReplyKind.DONE, b""
            else:
                function = self._load(request.code_hash)
                with self._meter.limited_to(request.cpu_limit_s):
                    body = function.call(request.body, self._meter, report)
                kind = ReplyKind.DONE
        except FunctionFailed as failure:
            kind, body = ReplyKind.FAILED, failure.reason.encode()
        except ArtifactError as error:
            kind, body = ReplyKind.BROKEN, str(error).encode()
        duration_ms = (time.perf_counter() - started) * 1000
        return Reply(kind, duration_ms, report.peak_memory_kb, body)

    def _prepare(self, code_hash: bytes, code: bytes) -> None:
        try:
            self._load(code_hash)
        except ArtifactError:
            module = self._engine.compile(wasm_of(code))
            function = ValidationFunction(self._engine, module)
            self._cache.write(code_hash, bytes(module.serialize()))
            self._keep(code_hash, function)

    def _load(self, code_hash: bytes) -> ValidationFunction:
        function = self._loaded.get(code_hash)
        if function is None:
            module = self._engine.load(self._cache.read(code_hash))
            function = ValidationFunction(self._engine, module)
            self._keep(code_hash, function)
        self._loaded.move_to_end(code_hash)
        return function

    def _keep(self, code_hash: bytes, function: ValidationFunction) -> None:
        self._loaded[code_hash] = function
        if len(self._loaded) > _LOADED_FUNCTIONS:
            self._loaded.popitem(last=False)


def serve(connection: socket.socket, cache_dir: Path) -> None:
    """Answer requests until the other side closes the connection."""
    worker = Worker(cache_dir)
    while head := _receive(connection, REQUEST_HEAD_SIZE):
        kind, cpu_limit_s, code_hash, length = decode_request_head(head)
        body = _receive(connection, length)
        if len(body) < length:
            return
        reply = worker.answer(Request(kind, cpu_limit_s, code_hash, body))
        connection.sendall(reply.encode_head() + reply.body)


def _receive(connection: socket.socket, length: int) -> bytes:
    """That many bytes; none when the connection ends before."""
    buffer = bytearray(length)
    view = memoryview(buffer)
    while view:
        received = connection.recv_into(view)
        if not received:
            return b""
        view = view[received:]
    return bytes(buffer)


def _limit_process_cpu(limit_s: float) -> None:
    until = math.ceil(time.process_time() + limit_s) + _CPU_BACKSTOP_S
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    if hard == resource.RLIM_INFINITY or until < hard:
        resource.setrlimit(resource.RLIMIT_CPU, (until, hard))


def _confine(parent_pid: int) -> None:
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_AS, _ADDRESS_SPACE),
        (resource.RLIMIT_DATA, _DATA),
        (resource.RLIMIT_FSIZE, _FILE_SIZE),
    ):
        _, hard = resource.getrlimit(limit)
        lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lowered, lowered))
    if sys.platform == "linux":
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:
        raise SystemExit("the parent has ended")


def main() -> None:
    descriptor, cache_dir, parent_pid = sys.argv[1:]
    _confine(int(parent_pid))
    with socket.socket(fileno=int(descriptor)) as connection:
        serve(connection, Path(cache_dir))


if __name__ == "__main__":
    main()
