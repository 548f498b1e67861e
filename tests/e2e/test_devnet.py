"""A whole network of processes, started as a person starts it, hurt, ended and continued."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from parahost.devnet.usage import children_of
from parahost.process.journal import JournalLine, parse_line
from tests.e2e.command import Command, eventually, parahost, processes_with

pytestmark = pytest.mark.devnet

DEVNET = ("devnet", "--plain", "--slot", "1", "--parachain", "adder", "--parachain", "adder")
VICTIMS = ("validator-2", "collator-2001")


class RunningDevnet:
    """The files of a devnet."""

    def __init__(self, base: Path) -> None:
        self.base = base

    def arguments(self, *more: str) -> tuple[str, ...]:
        return (*DEVNET, "--base-path", str(self.base), *more)

    def lines(self, node: str, event: str) -> list[JournalLine]:
        """What the node's journal has of an event, whole lines only."""
        log = self.base / node / "node.log"
        text = log.read_text() if log.exists() else ""
        parsed = map(parse_line, text.splitlines())
        return [line for line in parsed if line is not None and line.event == event]

    def number(self, node: str, event: str) -> int:
        """The newest relay block of which the node told that event."""
        return max((int(line.fields["number"]) for line in self.lines(node, event)), default=0)

    def pid(self, node: str) -> int:
        (found,) = processes_with(f"--name {node} ").keys() & self.pids()
        return found

    def pids(self) -> set[int]:
        return set(processes_with(str(self.base)))

    def workers(self) -> set[int]:
        """The nodes' processes that execute validation functions."""
        workers = processes_with("parahost.validation.worker").keys()
        return {child for node in self.pids() for child in children_of(node)} & workers

    def later(self, count: Callable[[], int], by: int = 2) -> None:
        """Wait until the count has grown."""
        before = count()
        eventually(lambda: count() >= before + by)


@pytest.fixture
def network(tmp_path: Path) -> RunningDevnet:
    return RunningDevnet(tmp_path / "network")


def read_report(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def kill(command: Command, network: RunningDevnet, node: str) -> None:
    """With -9; returns when the node runs again."""
    before = network.pid(node)
    starts = len(network.lines(node, "node.started"))
    os.kill(before, signal.SIGKILL)
    command.wait_for(f"{node} ended with signal SIGKILL; it is started again")
    eventually(lambda: len(network.lines(node, "node.started")) > starts)


@pytest.mark.guide("A116")
def test_a_network_is_hurt_and_goes_on_and_is_continued(
    network: RunningDevnet, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    with parahost(tmp_path / "out", *network.arguments("--report", str(report))) as devnet:
        # Parablocks become included, and final.
        eventually(lambda: len(network.lines("validator-1", "chain.included")) >= 4)
        eventually(lambda: network.number("validator-1", "chain.finalized") >= 3)

        # A validator and a collator are killed, start again, catch up and take part.
        for victim in VICTIMS:
            kill(devnet, network, victim)
        signed = "bitfield.signed"
        network.later(lambda: len(network.lines("validator-2", signed)))
        network.later(lambda: network.number("validator-2", "chain.finalized"))
        made = "collation.made"
        network.later(lambda: len(network.lines("collator-2001", made)))
        network.later(lambda: len(included(network, 2001)))
        best = network.number("validator-1", "chain.imported")
        eventually(lambda: network.number("validator-2", "chain.imported") >= best)

        # A node started by hand finds the network through one address, and syncs.
        join_by_hand(network, tmp_path / "by-hand")

        # It ends cleanly.
        assert devnet.end(signal.SIGINT) == 0, devnet.printed()
        assert "Traceback" not in devnet.printed()
        assert not network.pids()
        assert all(network.lines(node, "node.stopped") for node in ("validator-1", *VICTIMS))
    check_report(read_report(report))

    # The same command goes on where it was.
    imported = "chain.imported"
    final = network.number("validator-1", "chain.finalized")
    told = len(network.lines("validator-1", imported))
    heads = {para: len(included(network, para)) for para in (2000, 2001)}
    again = network.arguments("--until", "finalized=3", "--timeout", "60")
    with parahost(tmp_path / "out", *again) as devnet:
        assert devnet.process.wait(80) == 0, devnet.printed()
    assert "goes on where it was" in devnet.printed()
    news = network.lines("validator-1", imported)[told:]
    assert all(int(line.fields["number"]) > final for line in news)
    assert all(len(included(network, para)) > count for para, count in heads.items())
    assert not network.pids()


def join_by_hand(network: RunningDevnet, output: Path) -> None:
    chain = str(network.base / "chain-spec.json")
    bootnode = network.lines("validator-1", "node.listening")[-1].fields["address"]
    argv = ("node", "--chain", chain, "--base-path", str(network.base / "by-hand"))
    final = network.number("validator-1", "chain.finalized")
    with parahost(output, *argv, "--bootnode", bootnode) as node:
        eventually(lambda: network.number("by-hand", "chain.finalized") > final)
        assert network.lines("by-hand", "node.started")[0].fields["role"] == "full"
        assert "node: listens on /ip4/127.0.0.1/tcp/" in node.printed()
        assert node.end(signal.SIGTERM) == 0, node.printed()


def included(network: RunningDevnet, para: int) -> dict[str, None]:
    """The para's heads that validator-1 has seen included."""
    lines = network.lines("validator-1", "chain.included")
    return {line.fields["head"]: None for line in lines if line.fields["para"] == str(para)}


def check_report(report: dict[str, Any]) -> None:
    """All that the report is to have is there."""
    assert report["boot_s"] > 0
    for para in report["paras"].values():
        assert report["boot_s"] < para["first_included_s"] < para["first_finalized_s"]
        first = para["included"][0]
        assert first["head"].startswith("0x") and first["relay_block"] >= 1
        assert first["included_s"] == para["first_included_s"]
    assert report["relay_chain"]["best"] >= report["relay_chain"]["finalized"] > 0
    assert len(report["processes"]) == 6
    for used in report["processes"].values():
        assert 0 < used["peak_rss_mb"] < 200 and used["cpu_s"] > 0
    assert {name for name, used in report["processes"].items() if used["restarts"]} == {*VICTIMS}


def test_no_process_is_left_when_the_command_is_killed(
    network: RunningDevnet, tmp_path: Path
) -> None:
    with parahost(tmp_path / "out", *network.arguments()) as devnet:
        devnet.wait_for("all 6 nodes are up")
        eventually(lambda: bool(network.workers()), "a worker")
        workers = network.workers()
        devnet.process.kill()
        eventually(lambda: not network.pids(), "the end of all nodes")
        running = processes_with("parahost.validation.worker").keys
        eventually(lambda: not workers & running(), "the end of their workers")


def test_a_node_that_cannot_start_ends_the_network_at_once(
    network: RunningDevnet, tmp_path: Path
) -> None:
    damaged = network.base / "validator-3" / "db" / "data.mdb"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"\x55" * 65536)
    with parahost(tmp_path / "out", *network.arguments("--until", "included=1")) as devnet:
        assert devnet.process.wait(60) == 2, devnet.printed()
    last = devnet.printed().splitlines()[-1]
    assert last.startswith("parahost: validator-3 cannot run: the database ")
    assert f"{damaged} is damaged" in last
    assert not network.pids()
