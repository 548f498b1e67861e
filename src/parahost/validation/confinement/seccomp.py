"""seccomp: a filter that lets a process compute, allocate memory, and use the descriptors it has.

Every other system call fails with EPERM: opening, connecting, executing, forking, looking into
another process, making descriptors. Calls of another architecture's numbering end the process.
"""

from __future__ import annotations

import ctypes
import os
import platform
from dataclasses import dataclass
from errno import EPERM

from parahost.validation.confinement.libc import syscall

_SET_MODE_FILTER = 1
_GET_ACTION_AVAIL = 2
_KILL_PROCESS = 0x80000000
_ERRNO = 0x00050000
_ALLOW = 0x7FFF0000

# Of struct seccomp_data.
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16

# Of classic BPF.
_LOAD_WORD, _JUMP_IF_EQUAL, _JUMP_IF_GREATER_OR_EQUAL, _RETURN = 0x20, 0x15, 0x35, 0x06

_X32_NUMBERS = 0x40000000
"""Where the numbers of x86_64's second interface begin."""


@dataclass(frozen=True, slots=True)
class _Architecture:
    audit: int
    seccomp: int
    tgkill: int
    allowed: dict[str, int]


_ARCHITECTURES = {
    "x86_64": _Architecture(
        audit=0xC000003E,
        seccomp=317,
        tgkill=234,
        allowed={
            "read": 0,
            "write": 1,
            "close": 3,
            "poll": 7,
            "lseek": 8,
            "mmap": 9,
            "mprotect": 10,
            "munmap": 11,
            "brk": 12,
            "rt_sigaction": 13,
            "rt_sigprocmask": 14,
            "rt_sigreturn": 15,
            "pread64": 17,
            "sched_yield": 24,
            "mremap": 25,
            "madvise": 28,
            "nanosleep": 35,
            "getpid": 39,
            "sendto": 44,
            "recvfrom": 45,
            "sendmsg": 46,
            "recvmsg": 47,
            "exit": 60,
            "sigaltstack": 131,
            "gettid": 186,
            "futex": 202,
            "restart_syscall": 219,
            "clock_gettime": 228,
            "clock_nanosleep": 230,
            "exit_group": 231,
            "set_robust_list": 273,
            "getrandom": 318,
            "membarrier": 324,
            "rseq": 334,
        },
    ),
    "aarch64": _Architecture(
        audit=0xC00000B7,
        seccomp=277,
        tgkill=131,
        allowed={
            "close": 57,
            "lseek": 62,
            "read": 63,
            "write": 64,
            "pread64": 67,
            "ppoll": 73,
            "exit": 93,
            "exit_group": 94,
            "futex": 98,
            "set_robust_list": 99,
            "nanosleep": 101,
            "clock_gettime": 113,
            "clock_nanosleep": 115,
            "sched_yield": 124,
            "restart_syscall": 128,
            "sigaltstack": 132,
            "rt_sigaction": 134,
            "rt_sigprocmask": 135,
            "rt_sigreturn": 139,
            "getpid": 172,
            "gettid": 178,
            "sendto": 206,
            "recvfrom": 207,
            "sendmsg": 211,
            "recvmsg": 212,
            "brk": 214,
            "munmap": 215,
            "mremap": 216,
            "mmap": 222,
            "mprotect": 226,
            "madvise": 233,
            "getrandom": 278,
            "membarrier": 283,
            "rseq": 293,
        },
    ),
}


class _Instruction(ctypes.Structure):
    _fields_ = (
        ("code", ctypes.c_uint16),
        ("if_true", ctypes.c_uint8),
        ("if_false", ctypes.c_uint8),
        ("operand", ctypes.c_uint32),
    )


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def is_available() -> bool:
    """Whether this kernel filters, on a processor whose system calls are known here."""
    architecture = _ARCHITECTURES.get(platform.machine())
    if architecture is None:
        return False
    action = ctypes.c_uint32(_KILL_PROCESS)
    try:
        syscall(architecture.seccomp, _GET_ACTION_AVAIL, 0, ctypes.byref(action))
    except OSError:
        return False
    return True


def allow_only_computing() -> None:
    """For this thread and what it starts. Needs no_new_privs.

    :raises OSError: when the kernel refuses.
    """
    architecture = _ARCHITECTURES[platform.machine()]
    instructions = _filter(architecture)
    program = _Program(len(instructions), (_Instruction * len(instructions))(*instructions))
    syscall(architecture.seccomp, _SET_MODE_FILTER, 0, ctypes.byref(program))


def _filter(architecture: _Architecture) -> list[_Instruction]:
    program = [
        _Instruction(_LOAD_WORD, 0, 0, _ARCHITECTURE),
        _Instruction(_JUMP_IF_EQUAL, 1, 0, architecture.audit),
        _Instruction(_RETURN, 0, 0, _KILL_PROCESS),
        _Instruction(_LOAD_WORD, 0, 0, _NUMBER),
        _Instruction(_JUMP_IF_GREATER_OR_EQUAL, 0, 1, _X32_NUMBERS),
        _Instruction(_RETURN, 0, 0, _KILL_PROCESS),
    ]
    for number in architecture.allowed.values():
        program.append(_Instruction(_JUMP_IF_EQUAL, 0, 1, number))
        program.append(_Instruction(_RETURN, 0, 0, _ALLOW))
    return [
        *program,
        # It may abort, which is a signal to its own process.
        _Instruction(_JUMP_IF_EQUAL, 0, 3, architecture.tgkill),
        _Instruction(_LOAD_WORD, 0, 0, _FIRST_ARGUMENT),
        _Instruction(_JUMP_IF_EQUAL, 0, 1, os.getpid()),
        _Instruction(_RETURN, 0, 0, _ALLOW),
        _Instruction(_RETURN, 0, 0, _ERRNO | EPERM),
    ]
