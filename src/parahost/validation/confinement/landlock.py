"""Landlock: a process gives up access to files, the network and other processes.

A ruleset names what it handles, and what is handled and not allowed by a rule is forbidden. Here no
rule allows anything. A younger kernel handles more (its ABI's number says how much); a process that
is confined so cannot look into one that is not, by ptrace or through /proc, either.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache

from parahost.validation.confinement.libc import syscall

# The numbers are the same on all architectures.
_CREATE_RULESET = 444
_RESTRICT_SELF = 446
_CREATE_RULESET_VERSION = 1

_FILES_BY_ABI = {1: (1 << 13) - 1, 2: 1 << 13, 3: 1 << 14, 5: 1 << 15}
"""LANDLOCK_ACCESS_FS_*: from EXECUTE to MAKE_SYM, REFER, TRUNCATE, IOCTL_DEV."""
_NETWORK_BY_ABI = {4: 0b11}
"""LANDLOCK_ACCESS_NET_BIND_TCP and _CONNECT_TCP."""
_SCOPES_BY_ABI = {6: 0b11}
"""LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET and _SIGNAL."""


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (
        ("files", ctypes.c_uint64),
        ("network", ctypes.c_uint64),
        ("scopes", ctypes.c_uint64),
    )


@cache
def abi() -> int | None:
    """The kernel's version of Landlock, from 1; ``None`` when it has none."""
    try:
        return syscall(_CREATE_RULESET, 0, 0, _CREATE_RULESET_VERSION)
    except OSError:
        return None


def forbid_everything() -> None:
    """For this thread and what it starts. Needs no_new_privs.

    :raises OSError: when the kernel refuses.
    """
    version = abi() or 0
    attributes = _RulesetAttributes(
        _handled(_FILES_BY_ABI, version),
        _handled(_NETWORK_BY_ABI, version),
        _handled(_SCOPES_BY_ABI, version),
    )
    fields_known = 1 if version < 4 else 2 if version < 6 else 3
    size = fields_known * ctypes.sizeof(ctypes.c_uint64)
    ruleset = syscall(_CREATE_RULESET, ctypes.byref(attributes), size, 0)
    try:
        syscall(_RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _handled(by_abi: dict[int, int], version: int) -> int:
    return sum(rights for since, rights in by_abi.items() if since <= version)
