"""What a pool and its workers say to each other over a socket pair: frames, one reply a request.

A frame is a head of fixed size and a body::

    request: kind u8, code hash 32 bytes, body length u32, body
    reply:   kind u8, duration f64 (milliseconds), peak memory u32 (KiB), body length u32, body

all little-endian. A worker says ``READY`` once, before its first request. The bodies: ``PREPARE``
carries the code, ``EXECUTE`` the parameters, and, as a descriptor beside its head, the artifact.
``DONE`` carries the artifact or the result, the other replies a reason in UTF-8.

A worker executes a stranger's code and may have been taken over by it, so the pool believes nothing
of a reply: it has a limit for each of its fields.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

MAX_WIRE_BYTES = 64 * 1024 * 1024
MAX_ARTIFACT_SIZE = MAX_WIRE_BYTES
"""In bytes; that of a real parachain has 2 to 10 MB."""
MAX_RESULT_SIZE = 16 * 1024 * 1024
"""The longest result that is read out of a guest, in bytes. An honest one is a head, messages and
perhaps new code, all bounded far below."""
MAX_REASON_SIZE = 4096

_MAX_DURATION_MS = 3_600_000.0
_MAX_MEMORY_KB = 4 << 20
_REQUEST = struct.Struct("<B32sI")
_REPLY = struct.Struct("<BdII")
REQUEST_HEAD_SIZE = _REQUEST.size
REPLY_HEAD_SIZE = _REPLY.size


class WireError(Exception):
    """The other side said what is not in this protocol."""


class RequestKind(IntEnum):
    PREPARE = 1
    """Compile the code to an artifact."""
    EXECUTE = 2
    """Call the function whose artifact comes with the request."""


class ReplyKind(IntEnum):
    DONE = 1
    FAILED = 2
    """The function's own fault."""
    BROKEN = 3
    """This machine's fault."""
    BAD_ARTIFACT = 4
    """This machine's fault: the artifact is damaged, or another engine's."""
    READY = 5
    """Not a reply: the worker has started, and is confined if it should be."""


_MAX_DONE = {RequestKind.PREPARE: MAX_ARTIFACT_SIZE, RequestKind.EXECUTE: MAX_RESULT_SIZE}


@dataclass(frozen=True, slots=True)
class WorkerRequest:
    kind: RequestKind
    code_hash: bytes
    body: bytes

    def encode_head(self) -> bytes:
        return _REQUEST.pack(self.kind, self.code_hash, len(self.body))


@dataclass(frozen=True, slots=True)
class WorkerReply:
    kind: ReplyKind
    duration_ms: float = 0.0
    peak_memory_kb: int = 0
    body: bytes = b""

    def encode(self) -> bytes:
        head = _REPLY.pack(self.kind, self.duration_ms, self.peak_memory_kb, len(self.body))
        return head + self.body

    @property
    def reason(self) -> str:
        """Fit for a log and a terminal, whoever wrote it."""
        return printable(self.body.decode(errors="replace"))


def because(kind: ReplyKind, reason: str) -> WorkerReply:
    """A reply that carries a reason."""
    return WorkerReply(kind, body=reason.encode(errors="replace")[:MAX_REASON_SIZE])


def printable(text: str) -> str:
    """On one line, without what a terminal would obey."""
    return "".join(
        letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text
    )


def decode_request_head(head: bytes) -> tuple[RequestKind, bytes, int]:
    """Kind, code hash, body length.

    :raises WireError: when it is none.
    """
    kind, code_hash, length = _REQUEST.unpack(head)
    if length > MAX_WIRE_BYTES:
        raise WireError(f"a body of {length} bytes exceeds {MAX_WIRE_BYTES}")
    try:
        return RequestKind(kind), code_hash, length
    except ValueError as error:
        raise WireError(str(error)) from None


def decode_reply_head(
    head: bytes, request: RequestKind | None
) -> tuple[ReplyKind, float, int, int]:
    """Kind, duration, peak memory, body length of the reply to ``request``; with ``None``, of the
    word that a worker is ready.

    :raises WireError: when it is none.
    """
    number, duration_ms, peak_memory_kb, length = _REPLY.unpack(head)
    try:
        kind = ReplyKind(number)
    except ValueError as error:
        raise WireError(str(error)) from None
    if (kind is ReplyKind.READY) != (request is None):
        raise WireError(f"{kind.name} is no answer to {request.name if request else 'its start'}")
    limit = MAX_REASON_SIZE
    if kind is ReplyKind.DONE and request is not None:
        limit = _MAX_DONE[request]
    if length > limit:
        raise WireError(f"a body of {length} bytes exceeds {limit}")
    if not 0 <= duration_ms <= _MAX_DURATION_MS:
        raise WireError(f"a duration of {duration_ms} ms")
    if peak_memory_kb > _MAX_MEMORY_KB:
        raise WireError(f"a memory of {peak_memory_kb} KiB")
    return kind, duration_ms, peak_memory_kb, length
