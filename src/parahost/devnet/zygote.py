"""A process that has everything imported and forks nodes from itself.

Importing what a node needs takes longer than all the rest of its start. So it is done once, in a
process that does nothing else and has no second thread; each node is a fork of it, and then a
process of its own as if it had been started with its command line.

It reads requests from its standard input and writes events to its standard output, one JSON
object a line: ``{"start": name, "argv": [...], "output": path}``; ``{"started": name, "pid": n}``,
``{"exited": n, "status": code}`` (negative: the signal that ended it). When its input ends, which
it does with the process at the other end, it ends its nodes; when it is killed itself, the kernel
kills them.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

import setproctitle

GRACE_S = 10.0
"""How long a node may take to end when it is asked to."""

Run = Callable[[Sequence[str]], int]

_PR_SET_PDEATHSIG = 1
_POLL_S = 0.02


def serve(run: Run) -> NoReturn:
    """Fork nodes as asked until the input ends, then end them and this process. ``run`` is what a
    node's process does with its command line; it gives the exit status."""
    gc.collect()
    gc.freeze()
    setproctitle.setproctitle("parahost devnet: starts the nodes")
    nodes: dict[int, str] = {}
    try:
        _answer(run, nodes, _wake_on_child())
    except BrokenPipeError:
        pass  # who asks is gone, and with it the input
    except Exception:
        traceback.print_exc()
    finally:
        _end(nodes)
        os._exit(0)


def _wake_on_child() -> int:
    """A descriptor that becomes readable when a child ends."""
    readable, writable = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(writable, warn_on_full_buffer=False)
    return readable


def _answer(run: Run, nodes: dict[int, str], wake: int) -> None:
    pending = b""
    while True:
        readable, _, _ = select.select([0, wake], [], [])
        if wake in readable:
            os.read(wake, 4096)
            _reap(nodes)
        if 0 in readable:
            data = os.read(0, 65536)
            if not data:
                return
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = _fork(run, request["argv"], request["output"])
                nodes[pid] = request["start"]
                _say({"started": request["start"], "pid": pid})


def _say(event: dict[str, object]) -> None:
    os.write(1, json.dumps(event).encode() + b"\n")


def _reap(nodes: dict[int, str]) -> None:
    for pid, status in _ended(nodes):
        _say({"exited": pid, "status": status})


def _ended(nodes: dict[int, str]) -> list[tuple[int, int]]:
    """Nodes that have ended since the last call, with their exit codes."""
    found = []
    while nodes:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            break
        if nodes.pop(pid, None) is not None:
            found.append((pid, os.waitstatus_to_exitcode(status)))
    return found


def _end(nodes: dict[int, str]) -> None:
    """Ask all to end; kill those that do not."""
    for pid in nodes:
        os.kill(pid, signal.SIGTERM)
    patience_ends = time.monotonic() + GRACE_S
    while nodes and time.monotonic() < patience_ends:
        _ended(nodes)
        time.sleep(_POLL_S)
    for pid in nodes:
        os.kill(pid, signal.SIGKILL)


def _fork(run: Run, argv: Sequence[str], output: str) -> int:
    zygote = os.getpid()
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        _become_a_process_of_its_own(zygote, argv, output)
        status = run(argv)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        status = 1
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _become_a_process_of_its_own(zygote: int, argv: Sequence[str], output: str) -> None:
    """Own session, own output, the default signals, its name in the process list."""
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != zygote:  # it ended before the kernel was told
        os._exit(1)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    printed = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(printed, 1)
    os.dup2(printed, 2)
    os.close(nothing)
    os.close(printed)
    setproctitle.setproctitle(" ".join(["parahost", *argv]))
