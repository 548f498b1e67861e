"""How this process uses the system's memory."""

from __future__ import annotations

import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
RETURNED_BYTES = 128 * 1024


def give_back_large_memory() -> None:
    """From now on whatever is large goes back to the system when it is freed: messages, answers,
    PoVs. By itself glibc keeps more and more of it once something large was freed, so that a flood
    of large messages costs memory long after it. Does nothing with another C library."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, RETURNED_BYTES)
        mallopt(_M_TRIM_THRESHOLD, RETURNED_BYTES)
