"""What a pool and its workers say to each other over a socket pair: frames, one reply a request.

A frame is a head of fixed size and a body::

    request: kind u8, CPU limit f64 (seconds), code hash 32 bytes, body length u32, body
    reply:   kind u8, duration f64 (milliseconds), peak memory u32 (KiB), body length u32, body

all little-endian. The bodies: ``PREPARE`` carries the code, ``EXECUTE`` the parameters, ``DONE``
the result (empty after ``PREPARE``), ``FAILED`` and ``BROKEN`` a reason in UTF-8.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum

MAX_BODY = 64 * 1024 * 1024

_REQUEST = struct.Struct("<Bd32sI")
_REPLY = struct.Struct("<BdII")
REQUEST_HEAD_SIZE = _REQUEST.size
REPLY_HEAD_SIZE = _REPLY.size


class WireError(Exception):
    """The other side said what is not in this protocol."""


class RequestKind(IntEnum):
    PREPARE = 1
    """Have an artifact of the code, from the disk or by compiling."""
    EXECUTE = 2
    """Call the function that was prepared under this hash."""


class ReplyKind(IntEnum):
    DONE = 1
    FAILED = 2
    """The function's own fault."""
    BROKEN = 3
    """This machine's fault: no artifact, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Request:
    kind: RequestKind
    cpu_limit_s: float
    code_hash: bytes
    body: bytes

    def encode_head(self) -> bytes:
        return _REQUEST.pack(self.kind, self.cpu_limit_s, self.code_hash, len(self.body))


@dataclass(frozen=True, slots=True)
class Reply:
    kind: ReplyKind
    duration_ms: float = 0.0
    peak_memory_kb: int = 0
    body: bytes = b""

    def encode_head(self) -> bytes:
        return _REPLY.pack(self.kind, self.duration_ms, self.peak_memory_kb, len(self.body))

    @property
    def reason(self) -> str:
        return self.body.decode(errors="replace")


def decode_request_head(head: bytes) -> tuple[RequestKind, float, bytes, int]:
    """Kind, CPU limit, code hash, body length.

    :raises WireError: when it is none.
    """
    kind, cpu_limit_s, code_hash, length = _REQUEST.unpack(head)
    _check_length(length)
    try:
        return RequestKind(kind), cpu_limit_s, code_hash, length
    except ValueError as error:
        raise WireError(str(error)) from None


def decode_reply_head(head: bytes) -> tuple[ReplyKind, float, int, int]:
    """Kind, duration, peak memory, body length.

    :raises WireError: when it is none.
    """
    kind, duration_ms, peak_memory_kb, length = _REPLY.unpack(head)
    _check_length(length)
    try:
        return ReplyKind(kind), duration_ms, peak_memory_kb, length
    except ValueError as error:
        raise WireError(str(error)) from None


def _check_length(length: int) -> None:
    if length > MAX_BODY:
        raise WireError(f"a body of {length} bytes exceeds {MAX_BODY}")
