"""A process that has everything imported and forks nodes from itself.

Importing what a node needs takes longer than all the rest of its start. So it is done once, in a
process that does nothing else and has no second thread; each node is a fork of it, and then a
process of its own as if it had been started with its command line.

It reads requests from its standard input and writes events to its standard output, one JSON
object a line: ``{"start": name, "argv": [...], "log": path}``; ``{"started": name, "pid": n}``,
``{"exited": n, "status": code}`` (negative: the signal that ended it). When its input ends, it
ends its nodes.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Sequence

PR_SET_PDEATHSIG = 1


def serve(run: Callable[[Sequence[str]], int]) -> None:
    """Fork nodes as asked until the input ends. ``run`` is what a node's process does with its
    command line; it gives the exit status."""
    gc.collect()
    gc.freeze()
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    nodes: dict[int, str] = {}
    pending = b""
    _say({"ready": os.getpid()})
    while True:
        readable, _, _ = select.select([0, wake_read], [], [])
        if wake_read in readable:
            os.read(wake_read, 4096)
            _reap(nodes)
        if 0 in readable:
            data = os.read(0, 65536)
            if not data:
                break
            *lines, pending = (pending + data).split(b"\n")
            for line in lines:
                request = json.loads(line)
                pid = _fork(run, request["argv"], request["log"])
                nodes[pid] = request["start"]
                _say({"started": request["start"], "pid": pid})
    for pid in nodes:
        os.kill(pid, signal.SIGTERM)


def _say(event: dict[str, object]) -> None:
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def _reap(nodes: dict[int, str]) -> None:
    while nodes:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        if nodes.pop(pid, None) is not None:
            _say({"exited": pid, "status": os.waitstatus_to_exitcode(status)})


def _fork(run: Callable[[Sequence[str]], int], argv: Sequence[str], log: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 70
    try:
        _become_a_process_of_its_own(argv, log)
        status = run(argv)
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else 1
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


def _become_a_process_of_its_own(argv: Sequence[str], log: str) -> None:
    """Own session, own output, the default signals, its name in the process list."""
    import setproctitle

    os.setsid()
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    setproctitle.setproctitle(" ".join(["parahost", *argv]))
