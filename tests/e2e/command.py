"""``parahost`` as a person starts it: a process, its lines, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PATIENCE_S = 60.0
"""How long a loaded machine may take for anything."""


@dataclass
class Command:
    """A running ``parahost``; what it prints goes to a file."""

    process: subprocess.Popen[bytes]
    output: Path

    def printed(self) -> str:
        return self.output.read_text(errors="replace")

    def wait_for(self, text: str) -> None:
        eventually(lambda: text in self.printed() or self.process.poll() is not None)
        assert text in self.printed(), f"ended without {text!r}:\n{self.printed()}"

    def end(self, number: signal.Signals) -> int:
        """Its exit status after that signal."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@contextmanager
def parahost(output: Path, *argv: str) -> Iterator[Command]:
    """Killed at the end of the block if it still runs."""
    with output.open("ab") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", "from parahost.cli.main import main; main()", *argv],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )
    try:
        yield Command(process, output)
    finally:
        process.kill()
        process.wait()


def eventually(holds: Callable[[], bool], what: str = "the condition") -> None:
    """Wait until it holds."""
    patience_ends = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < patience_ends, f"{what} did not come about"
        time.sleep(0.1)


def processes_with(text: str) -> dict[int, str]:
    """Command lines of the running processes that contain the text, by process id."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode().strip()
            except OSError:
                continue
            if text in line:
                found[int(entry.name)] = line
    return found
