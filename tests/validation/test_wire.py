"""A worker may have been taken over: what it says is bounded in every field."""

from __future__ import annotations

import math

import pytest

from parahost.validation.wire import (
    MAX_ARTIFACT_SIZE,
    MAX_REASON_SIZE,
    MAX_RESULT_SIZE,
    REPLY_HEAD_SIZE,
    ReplyKind,
    RequestKind,
    WireError,
    WorkerReply,
    because,
    decode_reply_head,
)

PREPARE, EXECUTE = RequestKind.PREPARE, RequestKind.EXECUTE


def head(kind: int, duration_ms: float = 0.0, peak_memory_kb: int = 0, length: int = 0) -> bytes:
    encoded = bytearray(WorkerReply(ReplyKind.DONE, duration_ms, peak_memory_kb).encode())
    encoded[0] = kind
    encoded[-4:] = length.to_bytes(4, "little")
    return bytes(encoded)


@pytest.mark.parametrize(
    ("request_kind", "kind", "limit"),
    [
        (PREPARE, ReplyKind.DONE, MAX_ARTIFACT_SIZE),
        (EXECUTE, ReplyKind.DONE, MAX_RESULT_SIZE),
        (EXECUTE, ReplyKind.FAILED, MAX_REASON_SIZE),
        (PREPARE, ReplyKind.BROKEN, MAX_REASON_SIZE),
        (EXECUTE, ReplyKind.BAD_ARTIFACT, MAX_REASON_SIZE),
        (None, ReplyKind.READY, MAX_REASON_SIZE),
    ],
)
def test_each_reply_has_a_longest_body(
    request_kind: RequestKind | None, kind: ReplyKind, limit: int
) -> None:
    assert decode_reply_head(head(kind, length=limit), request_kind)[3] == limit
    with pytest.raises(WireError, match="exceeds"):
        decode_reply_head(head(kind, length=limit + 1), request_kind)


@pytest.mark.parametrize("duration_ms", [math.nan, math.inf, -math.inf, -1.0, 3_600_001.0])
def test_a_duration_is_one(duration_ms: float) -> None:
    with pytest.raises(WireError, match="duration"):
        decode_reply_head(head(ReplyKind.DONE, duration_ms), EXECUTE)


def test_a_memory_fits_32_bits_of_addresses() -> None:
    assert decode_reply_head(head(ReplyKind.DONE, peak_memory_kb=4 << 20), EXECUTE)[2] == 4 << 20
    with pytest.raises(WireError, match="memory"):
        decode_reply_head(head(ReplyKind.DONE, peak_memory_kb=(4 << 20) + 1), EXECUTE)


@pytest.mark.parametrize(
    ("kind", "request_kind"),
    [(0, EXECUTE), (6, EXECUTE), (255, PREPARE), (5, EXECUTE), (1, None), (2, None)],
)
def test_a_reply_is_one_to_what_was_asked(kind: int, request_kind: RequestKind | None) -> None:
    with pytest.raises(WireError):
        decode_reply_head(head(kind), request_kind)


def test_a_reason_is_bounded_and_fit_for_a_terminal() -> None:
    reply = because(ReplyKind.FAILED, "\x1b]0;owned\x07 line\nline " + "é" * MAX_REASON_SIZE)
    assert len(reply.body) == MAX_REASON_SIZE
    assert reply.reason.startswith("\ufffd]0;owned\ufffd line\ufffdline é")
    assert len(reply.encode()) == REPLY_HEAD_SIZE + MAX_REASON_SIZE
