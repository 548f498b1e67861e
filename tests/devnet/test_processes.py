"""Nodes by order: paused, killed, started again, added; and what ends the devnet and what not."""

from __future__ import annotations

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from parahost.devnet import processes as module
from parahost.devnet.processes import BAD_INPUT, NodeCommand, NodeProcesses, NodeState
from tests.devnet.fake_launcher import FIRST_PID, FakeLauncher


class Bench:
    """Two nodes, and what is told of them."""

    def __init__(self, folder: Path, launcher: FakeLauncher) -> None:
        self.launcher = launcher
        self.told: list[str] = []
        self.folder = folder
        commands = [self.command("one"), self.command("two")]
        made: Any = launcher
        self.processes = NodeProcesses(commands, made, self.told.append)

    def command(self, name: str) -> NodeCommand:
        output = self.folder / f"{name}.log"
        output.write_text("parahost: it is the input\n")
        return NodeCommand(name, ("node",), output)

    async def until(self, name: str, state: NodeState) -> None:
        with trio.fail_after(20):
            while self.processes.state(name) is not state:
                await trio.sleep(0.01)


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> FakeLauncher:
    found = FakeLauncher()
    monkeypatch.setattr(module, "_signal", found.signal)
    monkeypatch.setattr(module, "RESTART_AFTER_S", 0.01)
    monkeypatch.setattr(module, "GRACE_S", 0.05)
    return found


@asynccontextmanager
async def running(folder: Path, launcher: FakeLauncher) -> AsyncIterator[Bench]:
    bench = Bench(folder, launcher)
    async with trio.open_nursery() as nursery:
        await nursery.start(bench.processes.run)
        await bench.until("two", NodeState.RUNNING)
        yield bench
        nursery.cancel_scope.cancel()


async def test_what_ends_by_itself_comes_again(tmp_path: Path, launcher: FakeLauncher) -> None:
    async with running(tmp_path, launcher) as bench:
        launcher.end("one", -signal.SIGKILL)
        await bench.until("one", NodeState.STARTING)
        await bench.until("one", NodeState.RUNNING)
        assert bench.processes.usage()["one"].restarts == 1
        assert bench.told == ["one ended with signal SIGKILL; it is started again"]


async def test_who_is_killed_stays_down_until_it_is_started(
    tmp_path: Path, launcher: FakeLauncher
) -> None:
    async with running(tmp_path, launcher) as bench:
        await bench.processes.kill("one")
        await trio.sleep(0.05)
        assert bench.processes.state("one") is NodeState.DOWN
        assert list(launcher.running.values()) == ["two"]
        assert await bench.processes.restart("one") == FIRST_PID + 2
        assert bench.processes.state("one") is NodeState.RUNNING


async def test_who_is_killed_while_it_is_about_to_come_again_stays_down(
    tmp_path: Path, launcher: FakeLauncher
) -> None:
    async with running(tmp_path, launcher) as bench:
        launcher.end("one", 1)
        await bench.until("one", NodeState.STARTING)
        await bench.processes.kill("one")
        await trio.sleep(0.05)
        assert bench.processes.state("one") is NodeState.DOWN
        assert "one" not in launcher.running.values()


async def test_a_restart_asks_first_and_starts_once(tmp_path: Path, launcher: FakeLauncher) -> None:
    async with running(tmp_path, launcher) as bench:
        launcher.obstinate.add("one")
        await bench.processes.restart("one")
        await bench.processes.restart("two")
        await trio.sleep(0.05)
        asked = [signal.SIGTERM, signal.SIGCONT, signal.SIGKILL]
        assert [number for name, number in launcher.signals if name == "one"] == asked
        assert [number for name, number in launcher.signals if name == "two"] == asked[:1]
        assert sorted(launcher.running.values()) == ["one", "two"]


async def test_who_is_paused_is_not_forgotten_at_the_end(
    tmp_path: Path, launcher: FakeLauncher
) -> None:
    launcher.obstinate.add("one")
    async with running(tmp_path, launcher) as bench:
        bench.processes.pause("one")
        assert bench.processes.state("one") is NodeState.PAUSED
        bench.processes.resume("one")
        assert bench.processes.state("one") is NodeState.RUNNING
        bench.processes.pause("one")
    numbers = [number for name, number in launcher.signals if name == "one"]
    assert numbers[:3] == [signal.SIGSTOP, signal.SIGCONT, signal.SIGSTOP]
    assert numbers[3:] == [signal.SIGTERM, signal.SIGCONT, signal.SIGKILL]


async def test_a_node_of_the_first_that_cannot_run_is_the_devnets_end(
    tmp_path: Path, launcher: FakeLauncher
) -> None:
    async with running(tmp_path, launcher) as bench:
        launcher.end("one", BAD_INPUT)
        await bench.until("one", NodeState.DOWN)
        assert bench.processes.broken is not None
        assert bench.processes.broken.why == "it is the input"


async def test_a_node_by_order_that_cannot_run_stays_down(
    tmp_path: Path, launcher: FakeLauncher
) -> None:
    async with running(tmp_path, launcher) as bench:
        await bench.processes.add(bench.command("three"))
        await bench.processes.restart("one")
        for name in ("one", "three"):
            launcher.end(name, BAD_INPUT)
            await bench.until(name, NodeState.DOWN)
            assert bench.processes.why_down(name) == "it is the input"
        assert bench.processes.broken is None
        assert bench.told[-1] == "three stays down: it is the input"
        await bench.processes.restart("three")
        assert bench.processes.why_down("three") == ""


async def test_who_ends_at_once_has_been_started(tmp_path: Path, launcher: FakeLauncher) -> None:
    async with running(tmp_path, launcher) as bench:
        launcher.stillborn |= {"one", "three"}
        with trio.fail_after(20):
            await bench.processes.add(bench.command("three"))
            await bench.processes.restart("one")
        for name in ("one", "three"):
            await bench.until(name, NodeState.DOWN)


async def test_when_the_zygote_ends_who_is_down_stays_down(
    tmp_path: Path, launcher: FakeLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = FakeLauncher()
    monkeypatch.setattr(module, "Launcher", lambda: second)
    async with running(tmp_path, launcher) as bench:
        await bench.processes.kill("one")
        launcher.running.clear()
        launcher.close()
        with trio.fail_after(20):
            while not second.running:
                await trio.sleep(0.01)
        assert list(second.running.values()) == ["two"]
        monkeypatch.setattr(module, "_signal", second.signal)
