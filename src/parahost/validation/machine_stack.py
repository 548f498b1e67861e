"""The machine's stack under a thread that calls functions.

The engine lets a function use ``STACK_SIZE`` of it and cannot know how much there is: where there
is less, the process dies. So it is looked at, and set where it can be, before anything is called.
"""

from __future__ import annotations

import ctypes
import resource
import threading

from parahost.validation.errors import MachineTrouble

STACK_SIZE = 5 * 1024 * 1024
"""Of it, what a function may use, in bytes. Calls as deep as may be
(:mod:`parahost.validation.wasm.stack_limit`) need 3 MiB at the most."""
THREAD_STACK = 8 * 1024 * 1024
"""What a worker's thread has: room for host functions too."""
LEAST_THREAD_STACK = 7 * 1024 * 1024
"""What a thread must have. Some of a thread's 8 MiB is taken from the start."""

_ATTRIBUTES_SIZE = 256
"""Of ``pthread_attr_t``, generously."""


def have_stack() -> None:
    """See that this thread has stack enough; raise the soft limit by which the kernel lets the
    main thread's grow, where that is what lacks.

    :raises MachineTrouble: when it has not.
    """
    if threading.current_thread() is threading.main_thread():
        _let_main_stack_grow()
    elif (size := _thread_stack()) < LEAST_THREAD_STACK:
        raise MachineTrouble(
            f"a thread with a stack of {size} bytes cannot call functions, "
            f"{LEAST_THREAD_STACK} are needed"
        )


def _let_main_stack_grow() -> None:
    """The limit is looked at when the stack grows, and the addresses below it are kept free for
    128 MiB whatever it was at the start (``mmap_base`` in Linux)."""
    soft, hard = resource.getrlimit(resource.RLIMIT_STACK)
    if soft == resource.RLIM_INFINITY or soft >= THREAD_STACK:
        return
    try:
        resource.setrlimit(resource.RLIMIT_STACK, (THREAD_STACK, hard))
    except (ValueError, OSError):
        raise MachineTrouble(
            f"the stack may have {soft} bytes only, {THREAD_STACK} are needed: raise its hard "
            "limit (ulimit -Hs)"
        ) from None


def _thread_stack() -> int:
    """The size of this thread's stack, in bytes."""
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = ctypes.create_string_buffer(_ATTRIBUTES_SIZE)
    address, size = ctypes.c_void_p(), ctypes.c_size_t()
    if libc.pthread_getattr_np(ctypes.c_ulong(threading.get_ident()), attributes):
        raise MachineTrouble("the size of a thread's stack cannot be had")
    libc.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size))
    libc.pthread_attr_destroy(attributes)
    return size.value
