"""What one node tells who runs it: about its keys, its bootnodes, its log."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from parahost.cli.main import run
from parahost.process.journal import JournalLine, parse_line
from parahost.testing.command import running_command
from parahost.testing.waiting import eventually

pytestmark = pytest.mark.devnet

NOBODY = "12D3KooWEyoppNCUx8Yx66oV9fJnriXwCcXwDDUA2kj6vnc6iDEp"


def lines(log: Path) -> list[JournalLine]:
    return [line for line in map(parse_line, log.read_text().splitlines()) if line is not None]


def named(log: Path, event: str) -> list[JournalLine]:
    return [line for line in lines(log) if line.event == event]


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "spec.json"
    assert run(["chain-spec", "new", "--output", str(path)]) == 0
    return path


def test_a_validator_without_keys_behind_nat_with_a_dead_bootnode(
    spec: Path, tmp_path: Path
) -> None:
    base, output = tmp_path / "node", tmp_path / "output.txt"
    log, moved = base / "node.log", base / "node.log.1"
    node = ("node", "--chain", str(spec), "--base-path", str(base), "--role", "validator")
    bootnode = f"/ip4/127.0.0.1/tcp/1/p2p/{NOBODY}"
    public = "/ip4/198.51.100.7/tcp/30333"
    with running_command(
        output, *node, "--rpc-port", "0", "--bootnode", bootnode, "--public-address", public
    ) as command:
        command.wait_for("serves JSON-RPC")
        eventually(lambda: bool(named(log, "log.warning")))
        assert "a validator signs with its babe key, and there is none" in command.printed()
        assert f"listens on {public}/p2p/" in command.printed()

        log.rename(moved)
        command.process.send_signal(signal.SIGHUP)
        eventually(log.exists)
        assert command.end(signal.SIGTERM) == 0
    purposes = [line.fields["purpose"] for line in named(moved, "keys.lacking")]
    assert purposes == ["babe", "grandpa", "parachain"]
    assert [line.fields["text"] for line in named(moved, "log.warning")] == [
        f"bootnode or reserved peer {NOBODY} is not reached:"
        " all attempts to connect to 127.0.0.1:1 failed"
    ]
    assert [line.event for line in lines(log)] == ["node.stopped"], "in the new file"
