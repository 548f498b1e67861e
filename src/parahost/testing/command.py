"""``parahost`` as a person starts it: a process, its lines, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType

import parahost
from parahost.testing.waiting import PATIENCE_S, eventually

PARAHOST = "from parahost.cli.main import main; main()"

_END_WITH_THE_PARENT = """\
import ctypes, signal
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
"""


class Command:
    """A running ``parahost``. What it prints goes to a file. It ends with the process that has
    started it, however that ends."""

    def __init__(
        self,
        argv: Sequence[str],
        output: Path,
        *,
        program: str = PARAHOST,
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """
        :param program: what is run, in Python, where it is not ``parahost``.
        :param environment: what is to be in its environment beside ours.
        """
        self.output = output
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-c", _END_WITH_THE_PARENT + program, *argv],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, "PYTHONPATH": _python_path(), **environment},
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def printed(self) -> str:
        """All that it has printed until now."""
        return self.output.read_text(errors="replace")

    def wait_for(self, text: str, timeout_s: float = PATIENCE_S) -> None:
        """Wait until it has printed that.

        :raises WaitedInVain: when it does not.
        """
        eventually(
            self.printed,
            lambda printed: text in printed or not self.is_running,
            f"{text!r} printed",
            timeout_s,
        )
        assert text in self.printed(), f"ended without {text!r}:\n{self.printed()}"

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status after that signal. One that does not end is killed."""
        if self.is_running:
            self.process.send_signal(number)
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def running_command(output: Path, *argv: str) -> Iterator[Command]:
    """Killed at the end of the block if it still runs."""
    command = Command(argv, output)
    try:
        yield command
    finally:
        command.kill()


def processes_with(text: str) -> dict[int, str]:
    """Command lines of the running processes that contain the text, by process id. One that was
    forked just now, and is to become another program, has its parent's line still, and is none."""
    lines, parents = dict[int, str](), dict[int, int]()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
                status = (entry / "stat").read_text()
            except (OSError, UnicodeDecodeError):
                continue
            if text in line:
                pid = int(entry.name)
                lines[pid], parents[pid] = line, int(status.rpartition(")")[2].split()[1])
    return {pid: line for pid, line in lines.items() if lines.get(parents[pid]) != line}


def _python_path() -> str:
    """So that the command is of this same package, wherever Python has found it."""
    here = str(Path(parahost.__file__).parents[1])
    given = os.environ.get("PYTHONPATH", "")
    return f"{here}{os.pathsep}{given}" if given else here
