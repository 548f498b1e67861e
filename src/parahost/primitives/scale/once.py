"""Decoding what comes again and again.

Gossip brings the same bytes from several peers, and where many nodes live in one process, to each
of them. What bytes mean is a pure function of them, and decoded values do not change: so the last
few thousand short messages are decoded once in a process.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from parahost.primitives.scale.codec import decode

MAX_MESSAGES = 4096
MAX_BYTES = 2048
"""Longer ones are decoded anew each time: they are few, and would fill the memory."""

_remembered = lru_cache(MAX_MESSAGES)(decode)
_is_on = True


def decode_once(type_: Any, data: bytes) -> Any:
    """The same as :func:`decode`; equal arguments may give the same value.

    :raises ScaleDecodeError: see there.
    """
    return _remembered(type_, data) if _is_on and len(data) <= MAX_BYTES else decode(type_, data)


def remember_decoded(enabled: bool) -> None:
    """Whether :func:`decode_once` remembers anything in this process; it does by default."""
    global _is_on
    _is_on = enabled
    _remembered.cache_clear()
