"""A worker process: compiles or calls validation functions, one request at a time.

Started by :mod:`parahost.validation.worker_process` with its end of a socket pair. It ends with the
socket or with its parent. What it needs it imports before its first request; from then on it is
confined (:mod:`parahost.validation.confinement`), and artifacts come to it as descriptors.

What the Wasm sandbox holds in is held in again by the kernel: memory, CPU time, file size. These
are backstops, far above the limits in :mod:`parahost.validation.engine`; running into one ends the
process, and never makes a candidate invalid.
"""

from __future__ import annotations

import array
import os
import resource
import socket
import sys
import time
from importlib import import_module

from parahost.validation import confinement, host_functions
from parahost.validation.abi import CallReport, ValidationFunction
from parahost.validation.artifacts import unseal
from parahost.validation.code import wasm_of
from parahost.validation.engine import Engine
from parahost.validation.errors import ArtifactError, FunctionFailed, MachineTrouble
from parahost.validation.machine_stack import THREAD_STACK
from parahost.validation.wire import (
    MAX_ARTIFACT_SIZE,
    REQUEST_HEAD_SIZE,
    ReplyKind,
    RequestKind,
    WorkerReply,
    WorkerRequest,
    because,
    decode_request_head,
)

_CPU_OF_A_LIFE_S = 900
"""The pool retires workers long before."""
_DESCRIPTORS = 16
_FILE_SIZE = 1 << 16
"""The only file that a worker writes is its last words (stderr)."""
_PIECE = 1 << 20
_NICENESS = 5
"""Preparing makes way for executing."""


class Worker:
    """Answers requests with an engine and the function that it called last."""

    def __init__(self) -> None:
        self._engine = Engine()
        self._loaded: tuple[bytes, ValidationFunction] | None = None

    def answer(self, request: WorkerRequest, artifact: int | None) -> WorkerReply:
        """``artifact`` is the descriptor that came with the request."""
        started = time.perf_counter()
        report = CallReport()
        try:
            if request.kind is RequestKind.PREPARE:
                reply = WorkerReply(ReplyKind.DONE, body=self._prepare(request.body))
            else:
                function = self._load(request.code_hash, artifact)
                reply = WorkerReply(ReplyKind.DONE, body=function.call(request.body, report))
        except FunctionFailed as failure:
            reply = because(ReplyKind.FAILED, failure.reason)
        except ArtifactError as error:
            reply = because(ReplyKind.BAD_ARTIFACT, error.reason)
        except MachineTrouble as trouble:
            reply = because(ReplyKind.BROKEN, trouble.reason)
        except MemoryError:
            reply = because(ReplyKind.BROKEN, "the worker is out of memory")
        duration_ms = (time.perf_counter() - started) * 1000
        return WorkerReply(reply.kind, duration_ms, report.peak_memory_kb, reply.body)

    def _prepare(self, code: bytes) -> bytes:
        module = self._engine.compile(wasm_of(code))
        ValidationFunction(self._engine, module)
        artifact = bytes(module.serialize())
        if len(artifact) > MAX_ARTIFACT_SIZE:
            raise MachineTrouble(
                f"an artifact of {len(artifact)} bytes exceeds {MAX_ARTIFACT_SIZE}"
            )
        return artifact

    def _load(self, code_hash: bytes, artifact: int | None) -> ValidationFunction:
        if self._loaded is not None and self._loaded[0] == code_hash:
            return self._loaded[1]
        if artifact is None:
            raise ArtifactError("no artifact came with the request")
        module = self._engine.load(unseal(_read_all(artifact)))
        function = ValidationFunction(self._engine, module)
        self._loaded = code_hash, function
        return function


def serve(worker: Worker, connection: socket.socket) -> None:
    """Answer requests until the other side closes the connection."""
    connection.sendall(WorkerReply(ReplyKind.READY).encode())
    while True:
        head, artifact = _receive_head(connection)
        if not head:
            return
        kind, code_hash, length = decode_request_head(head)
        body = _receive(connection, length)
        if len(body) < length:
            return
        reply = worker.answer(WorkerRequest(kind, code_hash, body), artifact)
        if artifact is not None:
            os.close(artifact)
        connection.sendall(reply.encode())


def _receive_head(connection: socket.socket) -> tuple[bytes, int | None]:
    """A request's head and the descriptor beside it; no head when the connection ends."""
    descriptors = array.array("i")
    start, ancillary, _, _ = connection.recvmsg(
        REQUEST_HEAD_SIZE, socket.CMSG_SPACE(descriptors.itemsize)
    )
    for _, _, data in ancillary:
        descriptors.frombytes(data[: descriptors.itemsize])
    rest = _receive(connection, REQUEST_HEAD_SIZE - len(start)) if start else b""
    head = start + rest
    if len(head) < REQUEST_HEAD_SIZE:
        head = b""
    return head, descriptors[0] if descriptors else None


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


def _read_all(file: int) -> bytes:
    pieces, offset = [], 0
    while piece := os.pread(file, _PIECE, offset):
        pieces.append(piece)
        offset += len(piece)
    return b"".join(pieces)


def _limit(memory: int) -> None:
    """``memory`` in bytes: what the process may write to, which is not its address space."""
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, _CPU_OF_A_LIFE_S),
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, _FILE_SIZE),
        (resource.RLIMIT_NOFILE, _DESCRIPTORS),
        (resource.RLIMIT_STACK, THREAD_STACK),
    ):
        _, hard = resource.getrlimit(limit)
        lowered = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lowered, lowered))


def main() -> None:
    descriptor, parent_pid, purpose, memory = map(int, sys.argv[1:])
    confinement.end_with_parent(parent_pid)
    with socket.socket(fileno=descriptor) as connection:
        if purpose == RequestKind.PREPARE:
            os.nice(_NICENESS)
            import_module("zstandard")  # with which code is decompressed
        else:
            host_functions.preload()
        worker = Worker()
        _limit(memory)
        confinement.confine()
        serve(worker, connection)


if __name__ == "__main__":
    main()
