"""What a worker process may ask of the kernel once it executes a stranger's code.

Wasm is the first wall. This is the second, for code that has broken out of it: Landlock takes all
files, TCP and signals to others away, seccomp all system calls but those that compute, allocate,
and speak on the socket to the pool. Both hold for the rest of the process's life, and neither can
be lifted. Where a kernel lacks one, :func:`lacking` says so before anything is started.
"""

from __future__ import annotations

import os
import signal

from parahost.validation.confinement import landlock, seccomp
from parahost.validation.confinement.libc import prctl

_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38


def lacking() -> list[str]:
    """What this machine's kernel cannot do of it; nothing when it can do all."""
    missing = []
    if landlock.abi() is None:
        missing.append("Landlock (Linux 5.13, and in the kernel's list of security modules)")
    if not seccomp.is_available():
        missing.append("seccomp filters on x86_64 or aarch64")
    return missing


def end_with_parent(parent_pid: int) -> None:
    """Be killed when the parent ends, also if it already has."""
    prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent_pid:
        raise SystemExit("the parent has ended")


def confine() -> None:
    """Confine this process, as far as the kernel can.

    No other process of this user may look into it either. It must have one thread, and all that it
    needs must be imported and open.

    :raises OSError: when the kernel refuses what :func:`lacking` does not name.
    """
    prctl(_PR_SET_NO_NEW_PRIVS, 1)
    prctl(_PR_SET_DUMPABLE, 0)
    if landlock.abi() is not None:
        landlock.forbid_everything()
    if seccomp.is_available():
        seccomp.allow_only_computing()


__all__ = ["confine", "end_with_parent", "lacking"]
