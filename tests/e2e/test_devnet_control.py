"""A developer's hand on a running devnet: nodes told what to do, files followed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from parahost.cli.main import run
from parahost.client import ChainClient
from parahost.devnet.control_socket import ControlFailed, ask
from parahost.devnet.requests import (
    AddNode,
    ControlRequest,
    CutLink,
    HealLink,
    KillNode,
    PauseNode,
    RestartNode,
    SkewClock,
    TellStatus,
)
from parahost.parachains import example_code
from parahost.process.journal import parse_line
from parahost.testing.command import Command, processes_with, running_command
from parahost.testing.waiting import eventually

pytestmark = pytest.mark.devnet

COLLATOR = """from parahost.parachains.adder.collator import AdderCollator


class Mine(AdderCollator):
    pass
"""
TOML = 'id = 2500\ncode = "mine.wasm"\ncollator = "mine:Mine"\n'
CUSTOM_SECTION = b"\x00\x05\x04edit"
"""Another code, which does the same."""


class Devnet:
    """Two validators and a collator for a project of one's own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.base = root / "net"
        self.code = bytes(example_code("adder"))
        (root / "mine.wasm").write_bytes(self.code)
        (root / "mine.py").write_text(COLLATOR)
        (root / "mine.toml").write_text(TOML)

    def argv(self) -> tuple[str, ...]:
        shape = ("--validators", "2", "--slot", "1", "--epoch", "5", "--watch", "--plain")
        config = "validation_upgrade_delay=6,chain_availability_period=4"
        place = ("--parachain", str(self.root / "mine.toml"), "--base-path", str(self.base))
        return ("devnet", *shape, "--config", config, *place)

    def ask(self, request: ControlRequest) -> dict[str, Any]:
        return ask(self.base, request)

    def node(self, name: str) -> dict[str, Any]:
        (found,) = (one for one in self.ask(TellStatus())["nodes"] if one["name"] == name)
        return dict(found)

    def count(self, node: str, event: str, **fields: str) -> int:
        """How often the node has told that."""
        log = self.base / node / "node.log"
        lines = map(parse_line, log.read_text().splitlines() if log.exists() else ())
        return sum(
            line is not None and line.event == event and fields.items() <= line.fields.items()
            for line in lines
        )

    def peers(self, node: str) -> int:
        """With how many others the node has a connection, by its journal."""
        return self.count(node, "peer.connected") - self.count(node, "peer.disconnected")


def test_a_devnet_is_told_what_to_do_and_follows_files(tmp_path: Path) -> None:
    devnet = Devnet(tmp_path)
    with running_command(tmp_path / "out", *devnet.argv()) as command:
        eventually(lambda: devnet.count("validator-1", "chain.included") >= 1)
        edit(devnet, command)

        # Links: both ends lose each other, and find each other again.
        eventually(lambda: devnet.peers("validator-1") == 2)
        devnet.ask(CutLink("validator-1", "collator-2500"))
        eventually(lambda: devnet.peers("validator-1") == devnet.peers("collator-2500") == 1)
        assert devnet.node("validator-1")["cut_from"] == ["collator-2500"]
        devnet.ask(HealLink("validator-1", "collator-2500"))
        eventually(lambda: devnet.peers("validator-1") == devnet.peers("collator-2500") == 2)

        # A clock, and a node that stands still, is killed and comes again.
        devnet.ask(SkewClock("validator-2", -0.2))
        applied = {"clock_skew_s": "-0.200"}
        eventually(lambda: devnet.count("validator-2", "development.applied", **applied) == 1)
        pid = devnet.node("validator-2")["pid"]
        assert run(["devnet", "ctl", "pause", "validator-2", "--base-path", str(devnet.base)]) == 0
        stat = Path(f"/proc/{pid}/stat")
        eventually(lambda: stat.read_text().rpartition(")")[2].split()[0] == "T")
        with pytest.raises(ControlFailed, match="validator-2 is paused, not running"):
            devnet.ask(PauseNode("validator-2"))
        devnet.ask(KillNode("validator-2"))
        assert devnet.node("validator-2")["state"] == "down"
        devnet.ask(RestartNode("validator-2"))
        eventually(lambda: devnet.count("validator-2", "node.started") == 2)
        assert devnet.count("validator-2", "development.applied", **applied) == 2

        # A validator comes through the chain, and a full node.
        told = devnet.ask(AddNode("validator"))["text"]
        assert "validates from session" in told
        eventually(lambda: devnet.count("validator-3", "session.began", validators="3") >= 1)
        eventually(lambda: devnet.count("validator-3", "author.made") >= 1)

        settled(devnet)
        assert command.end() == 0, command.printed()
    assert not processes_with(str(devnet.base))
    assert not (devnet.base / "devnet.sock").exists()


def edit(devnet: Devnet, command: Command) -> None:
    """New code goes to the chain, a new collator to its node."""
    devnet.code += CUSTOM_SECTION
    (devnet.root / "mine.wasm").write_bytes(devnet.code)
    command.wait_for("para 2500: the chain has taken the new code")
    (devnet.root / "mine.py").write_text(COLLATOR + "\n# a new thought\n")
    command.wait_for("para 2500: its collator has changed; collator-2500 is started again")
    eventually(lambda: devnet.count("collator-2500", "node.started") == 2)


def settled(devnet: Devnet) -> None:
    """The new code judges the para's blocks, and they are included."""
    chain = ChainClient(devnet.node("validator-1")["rpc"].replace("ws:", "http:"))
    holds = lambda: chain.query("Paras", "ValidationCode", [2500]) == devnet.code  # noqa: E731
    eventually(holds, what="the new code")
    included = devnet.count("validator-1", "chain.included")
    eventually(lambda: devnet.count("validator-1", "chain.included") > included)
