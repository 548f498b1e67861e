"""A devnet for tests leaves no process and no file behind, however its test ends; but the logs of
one that fails."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from parahost.testing import NetworkEnded, devnet
from parahost.testing.command import processes_with
from parahost.testing.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.devnet

SMALL = "validators=1, parachains=['adder']"


@contextmanager
def program(folder: Path, text: str, *argv: str) -> Iterator[subprocess.Popen[str]]:
    """Other people's code, whose temporary files go to that folder."""
    file = folder / "test_it.py"
    file.write_text(textwrap.dedent(text))
    temporary = folder / "tmp"
    temporary.mkdir()
    with subprocess.Popen(
        [sys.executable, *argv, str(file)],
        env={**os.environ, "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)},
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def bases(folder: Path) -> list[Path]:
    return list((folder / "tmp").glob("parahost-devnet-*"))


def test_logs_of_a_failure_stay_and_nothing_else(tmp_path: Path) -> None:
    """One test passes, with two networks at once, and one fails."""
    text = f"""
        def test_that_passes(devnet):
            one, other = devnet({SMALL}), devnet({SMALL})
            for network in (one, other):
                network.wait_for_block(1)
            one.pause("validator-1")
            best = one.best()
            one.let_pass(2.5)
            assert one.best() == best
            one.resume("validator-1")
            one.wait_for_block(best + 1)
            assert one.url("validator-1") != other.url("validator-1")

        def test_that_fails(devnet):
            network = devnet({SMALL})
            network.wait_for_height(2000, 9999, timeout_s=0.5)
        """
    argv = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "parahost.testing.plugin")
    with program(tmp_path, text, *argv) as tests:
        printed, _ = tests.communicate(timeout=5 * PATIENCE_S)
    assert "1 failed, 1 passed" in printed, printed
    (base,) = bases(tmp_path)
    assert f"waited 0.5 s for 9999 included blocks of para 2000; seen last: 0; logs: {base}" in (
        printed
    )
    kept = sorted(str(path.relative_to(base)) for path in base.rglob("*") if path.is_file())
    nodes = ("collator-2000", "validator-1")
    assert kept == sorted(
        ["devnet.out", *(f"{node}/{log}.log" for node in nodes for log in ("node", "output"))]
    )
    assert "node.started" in (base / "validator-1/node.log").read_text()
    assert not processes_with(str(tmp_path))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL], ids=lambda each: each.name)
def test_no_process_outlives_a_program_that_is_interrupted(
    tmp_path: Path, number: signal.Signals
) -> None:
    text = f"""
        import signal

        from parahost.testing import devnet

        # The tests may be run where nobody listens to it, in a shell's background.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with devnet({SMALL}) as network:
            print("up", flush=True)
            network.wait_for_height(2000, 9999)
        """
    with program(tmp_path, text) as waiting:
        assert waiting.stdout is not None
        assert waiting.stdout.readline() == "up\n"
        (base,) = bases(tmp_path)
        assert len(processes_with(str(base))) == 3
        waiting.send_signal(number)
        assert waiting.wait(PATIENCE_S) != 0
    eventually(lambda: processes_with(str(base)), lambda left: not left, "the end of all")
    if number is signal.SIGINT:
        assert {path.suffix for path in base.rglob("*") if path.is_file()} == {".log", ".out"}


def test_a_network_that_cannot_be_says_why(tmp_path: Path) -> None:
    with pytest.raises(NetworkEnded, match=r"--slot 0\.1: a slot lasts between 0\.5 and"):
        devnet(slot_s=0.1, base_path=tmp_path / "net").__enter__()
    assert [path.name for path in (tmp_path / "net").iterdir()] == ["devnet.out"]
