"""What code that has taken a worker over can do: next to nothing. It is tried from inside a process
that was started and confined as workers are."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from parahost.ports.validation import ExecutionKind, Returned
from parahost.primitives.basic import ValidationCode
from parahost.validation import ValidationPool, confinement
from parahost.validation.confinement import landlock, seccomp
from tests.validation.guests import ECHO, PARAMS, guest

needs_kernel = pytest.mark.skipif(
    bool(confinement.lacking()), reason=f"the kernel lacks {confinement.lacking()}"
)

ATTEMPTS = """
import ctypes, json, os, resource, socket, subprocess, sys
from parahost.validation import confinement
from parahost.validation.confinement import landlock

secret, port, walls, descriptor = sys.argv[1], int(sys.argv[2]), sys.argv[3], int(sys.argv[4])
parent = os.getppid()
libc = ctypes.CDLL(None, use_errno=True)
peek = libc.process_vm_readv
outcomes = {}


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return result


def attempt(name, act):
    try:
        act()
        outcomes[name] = "done"
    except (OSError, ValueError):  # the latter from setrlimit
        outcomes[name] = "refused"
    except BaseException as error:
        outcomes[name] = repr(error)


if walls == "landlock":
    from parahost.validation.confinement.libc import prctl
    prctl(38, 1)
    landlock.forbid_everything()
elif walls == "all":
    confinement.confine()

attempt("read a file", lambda: open(secret).read())
attempt("write a file", lambda: open(secret, "r+"))
attempt("make a file", lambda: open(secret + ".new", "w"))
attempt("list a directory", lambda: os.listdir(os.path.dirname(secret)))
attempt("remove a file", lambda: os.unlink(secret + ".victim"))
attempt("connect", lambda: socket.socket().connect(("127.0.0.1", port)))
attempt("listen", lambda: socket.socket().bind(("127.0.0.1", 0)))
attempt("execute", lambda: subprocess.run(["/bin/true"], check=True))
attempt("fork", lambda: os.fork() or os._exit(0))
attempt("signal the parent", lambda: os.kill(parent, 0))
attempt("open the parent's memory", lambda: open(f"/proc/{parent}/mem", "rb"))
attempt("read the parent's environment", lambda: open(f"/proc/{parent}/environ", "rb").read())
attempt("trace the parent", lambda: checked(libc.ptrace(16906, parent, 0, 0)))
attempt("read the parent's memory", lambda: checked(peek(parent, None, 0, None, 0, 0)))
attempt("take a descriptor of the parent's", lambda: os.pidfd_open(parent))
attempt("make a descriptor without a file", lambda: os.memfd_create("x"))
attempt("raise a limit", lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64)))
attempt("be looked into again", lambda: checked(libc.prctl(4, 1, 0, 0, 0)))
attempt("load the kernel's keys", lambda: checked(libc.syscall(250, 0, 0, 0, 0)))
os.write(descriptor, json.dumps(outcomes).encode())
os._exit(0)
"""

HARMLESS_WITHOUT_WALLS = {"trace the parent", "load the kernel's keys"}
BY_LANDLOCK = {
    "read a file",
    "write a file",
    "make a file",
    "list a directory",
    "remove a file",
    "execute",
    "open the parent's memory",
    "read the parent's environment",
}


@pytest.fixture
def outcomes(tmp_path: Path, request: pytest.FixtureRequest) -> dict[str, str]:
    """What came of each attempt, behind the walls that the test names."""
    secret = tmp_path / "secret"
    secret.write_text("key")
    Path(f"{secret}.victim").write_text("")
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as server:
        port = str(server.getsockname()[1])
        arguments = [str(secret), port, request.param, str(theirs.fileno())]
        subprocess.run(
            [sys.executable, "-c", ATTEMPTS, *arguments],
            pass_fds=[theirs.fileno()],
            check=True,
            timeout=60,
        )
        found = json.loads(ours.recv(1 << 16))
    assert isinstance(found, dict)
    return found


@needs_kernel
@pytest.mark.parametrize("outcomes", ["all"], indirect=True)
def test_a_confined_process_is_refused_all_but_computing(outcomes: dict[str, str]) -> None:
    assert len(outcomes) == 19
    assert set(outcomes.values()) == {"refused"}, outcomes


@needs_kernel
@pytest.mark.parametrize("outcomes", ["landlock"], indirect=True)
def test_landlock_alone_keeps_files_and_the_parents_memory(outcomes: dict[str, str]) -> None:
    assert {name: outcomes[name] for name in BY_LANDLOCK} == dict.fromkeys(BY_LANDLOCK, "refused")


@pytest.mark.parametrize("outcomes", ["none"], indirect=True)
def test_the_attempts_would_succeed_without_walls(outcomes: dict[str, str]) -> None:
    """Or the tests above would show nothing."""
    assert {name for name, came in outcomes.items() if came != "done"} <= HARMLESS_WITHOUT_WALLS


@needs_kernel
async def test_the_pools_workers_are_confined(tmp_path: Path) -> None:
    async with ValidationPool(tmp_path / "artifacts", workers=1) as pool:
        outcome = await pool.execute(ValidationCode(guest(ECHO)), PARAMS, ExecutionKind.BACKING)
        assert isinstance(outcome, Returned)
        [pid] = pool.worker_pids
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        )
        assert status["Seccomp"] == "2" and status["NoNewPrivs"] == "1"
        assert os.getsid(pid) == os.getpgid(pid) == pid
        # stdin, stdout, last words, the socket
        assert len(os.listdir(f"/proc/{pid}/fd")) == 4
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        assert {entry.partition(b"=")[0] for entry in environment if entry} <= {
            b"PYTHONPATH",
            b"LD_LIBRARY_PATH",
        }


def test_what_the_kernel_lacks_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: None)
    monkeypatch.setattr(seccomp, "is_available", lambda: False)
    assert [reason.split()[0] for reason in confinement.lacking()] == ["Landlock", "seccomp"]


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_lets_through_what_it_names_and_nothing_else(machine: str) -> None:
    """The filter, executed by the rules of classic BPF."""
    architecture = seccomp._ARCHITECTURES[machine]
    program = seccomp._filter(architecture)

    def verdict(number: int, audit: int = architecture.audit, argument: int = 0) -> int:
        words = {0: number, 4: audit, 16: argument}
        at, accumulator = 0, 0
        while True:
            step = program[at]
            at += 1
            if step.code == 0x20:
                accumulator = words[step.operand]
            elif step.code == 0x06:
                return int(step.operand)
            else:
                holds = (
                    accumulator == step.operand
                    if step.code == 0x15
                    else accumulator >= step.operand
                )
                at += step.if_true if holds else step.if_false

    allow, refuse, kill = 0x7FFF0000, 0x00050001, 0x80000000
    allowed = set(architecture.allowed.values())
    for number in range(600):
        assert verdict(number) == (allow if number in allowed else refuse)
    assert verdict(architecture.tgkill, argument=os.getpid()) == allow
    assert verdict(architecture.tgkill, argument=os.getpid() + 1) == refuse
    assert verdict(0, audit=0x40000003) == kill  # i386
    assert verdict(0x40000000) == kill  # x32
