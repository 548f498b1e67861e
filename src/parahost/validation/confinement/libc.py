"""System calls for which Python has no function."""

from __future__ import annotations

import ctypes
import os

_libc = ctypes.CDLL(None, use_errno=True)


def syscall(number: int, *arguments: object) -> int:
    """:raises OSError: when the kernel refuses."""
    words = [
        ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments
    ]
    result = _libc.syscall(ctypes.c_long(number), *words)
    if result < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return int(result)


def prctl(option: int, value: int) -> None:
    """:raises OSError: when the kernel refuses."""
    if _libc.prctl(option, *map(ctypes.c_ulong, (value, 0, 0, 0))) < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
