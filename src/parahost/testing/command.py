"""``parahost`` as a person starts it: a process, its lines, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import parahost

END_S = 60.0
"""How long a command may take to end when it is asked to, on a loaded machine."""

_PROGRAM = """\
import ctypes, signal
PR_SET_PDEATHSIG = 1
ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM))
from parahost.cli.main import main
main()
"""


class Command:
    """A running ``parahost``. What it prints goes to a file. It ends with the process that has
    started it, however that ends."""

    def __init__(self, argv: Sequence[str], output: Path) -> None:
        self.output = output
        self.argv = ("parahost", *argv)
        with output.open("ab") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, *argv],
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
                env={**os.environ, "PYTHONPATH": _python_path()},
                start_new_session=True,
            )

    @property
    def is_running(self) -> bool:
        return self.process.poll() is None

    def printed(self) -> str:
        """All that it has printed until now."""
        return self.output.read_text(errors="replace")

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Its exit status after that signal. One that does not end is killed."""
        if self.is_running:
            self.process.send_signal(number)
        try:
            return self.process.wait(END_S)
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
    """Command lines of the running processes that contain the text, by process id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except (OSError, UnicodeDecodeError):
                continue
            if text in line:
                found[int(entry.name)] = line
    return found


def _python_path() -> str:
    """So that the command is of this same package, wherever Python has found it."""
    here = str(Path(parahost.__file__).parents[1])
    given = os.environ.get("PYTHONPATH", "")
    return f"{here}{os.pathsep}{given}" if given else here
