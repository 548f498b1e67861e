"""Decoding what comes again and again: the last messages are decoded once in a process."""

from __future__ import annotations

from typing import Any

from parahost.primitives.memoize import memoize
from parahost.primitives.scale.codec import decode

SHORT_MESSAGES, SHORT_BYTES = 4096, 2048
LONG_MESSAGES, LONG_BYTES = 32, 128 * 1024
"""So many messages of at most so many bytes. Longer ones are decoded anew each time: they are few,
and would fill the memory."""

_short = memoize(SHORT_MESSAGES)(decode)
_long = memoize(LONG_MESSAGES)(decode)


def decode_once(type_: Any, data: bytes) -> Any:
    """The same as :func:`decode`; equal arguments may give the same value.

    :raises ScaleDecodeError: see there.
    """
    if len(data) <= SHORT_BYTES:
        return _short(type_, data)
    return _long(type_, data) if len(data) <= LONG_BYTES else decode(type_, data)
