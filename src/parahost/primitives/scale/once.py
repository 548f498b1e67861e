"""Reading what comes again and again: the last messages are read once in a process."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from parahost.primitives.memoize import memoize
from parahost.primitives.scale.codec import decode

SHORT_MESSAGES, SHORT_BYTES = 4096, 2048
LONG_MESSAGES, LONG_BYTES = 32, 128 * 1024
"""So many messages of at most so many bytes. Longer ones are decoded anew each time: they are few,
and would fill the memory."""

T = TypeVar("T")

_short = memoize(SHORT_MESSAGES)(decode)
_long = memoize(LONG_MESSAGES)(decode)


def decode_once(type_: Any, data: bytes) -> Any:
    """The same as :func:`decode`; equal arguments may give the same value.

    :raises ScaleDecodeError: see there.
    """
    if len(data) <= SHORT_BYTES:
        return _short(type_, data)
    return _long(type_, data) if len(data) <= LONG_BYTES else decode(type_, data)


def read_once(read: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """For a protocol's own function of a message's bytes, the same."""
    short, long = memoize(SHORT_MESSAGES)(read), memoize(LONG_MESSAGES)(read)

    @wraps(read)
    def call(data: bytes) -> T:
        if len(data) <= SHORT_BYTES:
            return short(data)
        return long(data) if len(data) <= LONG_BYTES else read(data)

    return call
