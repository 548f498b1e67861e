"""A whole network of processes, started as a person starts it, hurt, ended and continued."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from parahost.devnet.tail import JournalTail
from parahost.devnet.usage import children_of
from parahost.process.journal import JournalLine
from parahost.testing import RunningDevnet, devnet
from parahost.testing.command import processes_with, running_command
from parahost.testing.waiting import PATIENCE_S, eventually

pytestmark = pytest.mark.devnet

PARAS = (2000, 2001)
ADDERS = ("adder", "adder")
VICTIMS = ("validator-2", "collator-2001")


@pytest.mark.guide("A116")
def test_a_network_is_hurt_and_goes_on_and_is_continued(tmp_path: Path) -> None:
    base, report = tmp_path / "network", tmp_path / "report.json"
    options = ["--report", str(report)]
    with devnet(parachains=ADDERS, base_path=base, arguments=options) as network:
        # Parablocks become included, and final.
        for para in PARAS:
            network.wait_for_height(para, 2)
        network.wait_for_finality(3)

        # A validator and a collator are killed, start again, catch up and take part.
        for victim in VICTIMS:
            network.kill(victim)
        later(network, "validator-2", "bitfield.signed")
        network.wait_for_finality(network.final("validator-2") + 2, node="validator-2")
        later(network, "collator-2001", "collation.made")
        network.wait_for_height(2001, network.height(2001) + 2)
        network.wait_for_block(network.best(), node="validator-2")

        # A node started by hand finds the network through one address, and syncs.
        join_by_hand(network, tmp_path / "by-hand")

        # It ends cleanly.
        assert network.command.end(signal.SIGINT) == 0
        assert not network.pids()
        assert all(network.lines(node, "node.stopped") for node in ("validator-1", *VICTIMS))
        final = network.final()
    printed = network.command.printed()
    assert "Traceback" not in printed
    for victim in VICTIMS:
        assert f"{victim} ended with signal SIGKILL; it is started again" in printed
    check_report(json.loads(report.read_text()))

    # The same command goes on where it was.
    options = ["--until", "finalized=3", "--timeout", f"{3 * PATIENCE_S}"]
    with devnet(parachains=ADDERS, base_path=base, arguments=options) as network:
        assert network.command.process.wait(4 * PATIENCE_S) == 0, network.command.printed()
        news = network.lines("validator-1", "chain.imported")
        assert all(int(line.fields["number"]) > final for line in news)
        assert all(network.height(para) > 0 for para in PARAS)
    assert "goes on where it was" in network.command.printed()


def later(network: RunningDevnet, node: str, event: str) -> None:
    """Wait until the node has told it twice more."""
    before = len(network.lines(node, event))
    network.wait_for_log(node, f"^{event} ", at_least=before + 2)


def join_by_hand(network: RunningDevnet, output: Path) -> None:
    base = network.base / "by-hand"
    log, told = JournalTail(base / "node.log"), list[JournalLine]()
    chain = str(network.base / "chain-spec.json")
    bootnode = network.lines("validator-1", "node.listening")[-1].fields["address"]
    argv = ("node", "--chain", chain, "--base-path", str(base))
    final = network.final()

    def final_by_hand() -> int:
        told.extend(log.lines())
        numbers = [int(line.fields["number"]) for line in told if line.event == "chain.finalized"]
        return max(numbers, default=0)

    with running_command(output, *argv, "--bootnode", bootnode) as node:
        eventually(final_by_hand, lambda number: number > final, "finality at a node by hand")
        (started,) = (line for line in told if line.event == "node.started")
        assert started.fields["role"] == "full"
        assert "node: listens on /ip4/127.0.0.1/tcp/" in node.printed()
        assert node.end(signal.SIGTERM) == 0, node.printed()


def check_report(report: dict[str, Any]) -> None:
    """All that the report is to have is there."""
    assert report["boot_s"] > 0
    for para in report["paras"].values():
        assert 0 < para["first_included_s"] < para["first_finalized_s"]
        first = para["included"][0]
        assert first["head"].startswith("0x") and first["relay_block"] >= 1
        assert first["included_s"] == para["first_included_s"]
    assert report["relay_chain"]["best"] >= report["relay_chain"]["finalized"] > 0
    assert len(report["processes"]) == 6
    for used in report["processes"].values():
        assert 0 < used["peak_rss_mb"] < 200 and used["cpu_s"] > 0
    assert {name for name, used in report["processes"].items() if used["restarts"]} == {*VICTIMS}


def test_no_process_is_left_when_the_command_is_killed() -> None:
    with devnet(parachains=ADDERS) as network:
        network.command.wait_for("all 6 nodes are up")
        workers = network.wait_until(lambda: workers_of(network), what="a worker")
        network.command.kill()
        eventually(network.pids, lambda pids: not pids, "the end of all nodes")
        eventually(
            lambda: workers & processes_with("parahost.validation.worker").keys(),
            lambda left: not left,
            "the end of their workers",
        )


def workers_of(network: RunningDevnet) -> set[int]:
    """The nodes' processes that execute validation functions."""
    children = {child for node in network.pids().values() for child in children_of(node)}
    return children & processes_with("parahost.validation.worker").keys()


def test_a_node_that_cannot_start_ends_the_network_at_once(tmp_path: Path) -> None:
    damaged = tmp_path / "network/validator-3/db/data.mdb"
    damaged.parent.mkdir(parents=True)
    damaged.write_bytes(b"\x55" * 65536)
    argv = ("devnet", "--plain", "--parachain", "adder", "--base-path", str(tmp_path / "network"))
    with running_command(tmp_path / "out", *argv, "--until", "included=1") as command:
        assert command.process.wait(PATIENCE_S) == 2, command.printed()
    last = command.printed().splitlines()[-1]
    assert last.startswith("parahost: validator-3 cannot run: the database ")
    assert f"{damaged} is damaged" in last
    assert not processes_with(str(tmp_path))
