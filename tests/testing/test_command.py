"""A command under test, and the processes that there are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from parahost.testing.command import processes_with

FORKS = "import os, time; os.fork(); print(flush=True); time.sleep(60)"


def test_a_fork_that_is_no_program_of_its_own_yet_is_not_taken_for_its_parent(
    tmp_path: Path,
) -> None:
    """A node that starts a worker is two of the same name for a moment."""
    command = [sys.executable, "-c", FORKS, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        both = process.stdout.readline() + process.stdout.readline()
        found = processes_with(str(tmp_path))
        os.killpg(process.pid, signal.SIGKILL)
    assert both == b"\n\n"
    assert found == {process.pid: " ".join(command)}
