"""The command itself: its version, its module, and readers that leave."""

from __future__ import annotations

import subprocess
import sys

import pytest
import trio

from parahost import __version__
from parahost.cli.main import run

PARAHOST = (sys.executable, "-m", "parahost")


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"parahost {__version__}\n"


def test_the_module_is_the_command() -> None:
    done = subprocess.run((*PARAHOST, "--version"), check=True, capture_output=True, text=True)
    assert done.stdout == f"parahost {__version__}\n"


def test_nothing_that_modules_log_is_printed() -> None:
    """Who runs a simulation or uses the library sees none of what a node would write to its log."""
    code = "import logging, parahost; logging.getLogger('parahost.any.module').error('words')"
    done = subprocess.run((sys.executable, "-c", code), check=True, capture_output=True)
    assert (done.stdout, done.stderr) == (b"", b"")


def test_a_reader_that_leaves_ends_it_quietly() -> None:
    """``parahost inspect graph | head -0``: the pipe is closed before anything is written."""
    process = subprocess.Popen(
        (*PARAHOST, "inspect", "graph"), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None and process.stderr is not None
    process.stdout.close()
    said = process.stderr.read()
    assert process.wait() == 1
    assert said == b""
    process.stderr.close()


def test_a_reader_that_leaves_a_network_ends_it_quietly(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """There the pipe breaks in one of several tasks."""

    async def broken() -> None:
        raise BrokenPipeError

    async def network() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(broken)

    monkeypatch.setattr("parahost.cli.main._run", lambda argv: trio.run(network))
    assert run(["devnet"]) == 1
    assert capfd.readouterr().err == ""
