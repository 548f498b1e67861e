"""What is asked of a running devnet is done to its nodes."""

from __future__ import annotations

import os
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from parahost.devnet import control as control_module
from parahost.devnet import governing
from parahost.devnet import processes as processes_module
from parahost.devnet.base_path import clear
from parahost.devnet.control import DevnetControl
from parahost.devnet.layout import PlannedNode
from parahost.devnet.observer import Observer
from parahost.devnet.plan import DevnetOptions, make_plan
from parahost.devnet.plan_file import AddedNode, PlanFile
from parahost.devnet.ports import PortClaims
from parahost.devnet.processes import BAD_INPUT, NodeProcesses, NodeState
from parahost.devnet.requests import (
    AddNode,
    BadRequest,
    ChainRefused,
    ControlRequest,
    CutLink,
    HealLink,
    KillNode,
    NetworkStatus,
    NotNow,
    PauseNode,
    RequestRefused,
    RestartNode,
    ResumeNode,
    SkewClock,
    TellStatus,
    UnknownNode,
)
from parahost.parachains import load_specs
from parahost.primitives.errors import OperationalError
from parahost.process.development import Hardship
from parahost.process.journal import JournalLine
from tests.devnet.fake_launcher import FakeLauncher


class FakeGovernance:
    """A chain that does what it is asked, or says no."""

    acts: list[str]
    refusal = ""

    def __init__(self, url: str) -> None:
        self.acts.append(url)

    def admit(self, name: str) -> int:
        if self.refusal:
            raise OperationalError(self.refusal)
        self.acts.append(f"admit {name}")
        return 7

    def fund_collator(self, name: str) -> None:
        self.acts.append(f"fund {name}")


class Network:
    """Two validators and a collator, none of them real, and who controls them."""

    def __init__(self, root: Path, launcher: FakeLauncher, ports: PortClaims) -> None:
        options = DevnetOptions(2, tuple(load_specs(["adder"])), (), 1.0, root)
        self.launcher = launcher
        self.plan = make_plan(options, ports)
        made: Any = launcher
        self.processes = NodeProcesses(self.plan.commands, made, lambda line: None)
        self.observer = Observer(self.plan.paras, list(self.plan.logs), 0.0)
        self.control = DevnetControl(self.plan, self.processes, self.observer, self.watch)
        self.starts = True
        """Whether nodes that come later get so far."""

    def watch(self, node: PlannedNode) -> None:
        para = node.seat.para
        self.observer.add(node.name, None if para is None else (int(para.id), para.name))
        if self.starts:
            line = JournalLine(1.0, "node.started", {"best": "0", "final": "0"})
            self.observer.hear(node.name, line)

    async def asked(self, request: ControlRequest) -> str:
        with trio.fail_after(20):
            answer = await self.control.handle(request)
        assert not isinstance(answer, NetworkStatus)
        return answer.text

    async def status(self) -> NetworkStatus:
        answer = await self.control.handle(TellStatus())
        assert isinstance(answer, NetworkStatus)
        return answer

    def hardship(self, name: str) -> tuple[float, set[str]]:
        """The clock and the denied nodes that a node is told."""
        found = Hardship.read(self.plan.root / name / "development.json")
        names = {node.peer: node.name for node in self.plan.nodes}
        return found.clock_skew_s, {names[peer] for peer in found.denied_peers}


@asynccontextmanager
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Network]:
    launcher = FakeLauncher()
    monkeypatch.setattr(processes_module, "_signal", launcher.signal)
    monkeypatch.setattr(governing, "Governance", FakeGovernance)
    FakeGovernance.acts, FakeGovernance.refusal = [], ""
    root = tmp_path / "net"
    root.mkdir()
    with PortClaims(tmp_path / "claims") as ports:
        network = Network(root, launcher, ports)
        async with trio.open_nursery() as nursery:
            await nursery.start(network.processes.run)
            while len(launcher.running) < 3:
                await trio.sleep(0.01)
            await trio.sleep(0.01)
            yield network
            nursery.cancel_scope.cancel()


async def test_nodes_are_paused_killed_and_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch) as network:
        assert await network.asked(PauseNode("validator-2")) == "validator-2 stands still"
        with pytest.raises(NotNow, match="validator-2 is paused, not running"):
            await network.asked(PauseNode("validator-2"))
        assert await network.asked(ResumeNode("validator-2")) == "validator-2 goes on"
        with pytest.raises(NotNow, match="validator-2 is running, not paused"):
            await network.asked(ResumeNode("validator-2"))
        await network.asked(KillNode("validator-2"))
        for request in (KillNode, PauseNode, ResumeNode):
            with pytest.raises(NotNow, match="validator-2 is down, not "):
                await network.asked(request("validator-2"))
        assert (await network.status()).nodes[1].state == "down"
        text = await network.asked(RestartNode("validator-2"))
        assert text.startswith("validator-2 is started again as process ")
        assert (await network.status()).nodes[1].state == "running"


@pytest.mark.parametrize(
    "request_",
    [
        PauseNode("king"),
        ResumeNode("king"),
        KillNode("king"),
        RestartNode("king"),
        SkewClock("king", 1.0),
        CutLink("validator-1", "king"),
        HealLink("king", "validator-1"),
    ],
    ids=str,
)
async def test_a_node_that_is_not_there_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request_: ControlRequest
) -> None:
    async with running(tmp_path, monkeypatch) as network:
        with pytest.raises(UnknownNode) as raised:
            await network.asked(request_)
    known = "validator-1, validator-2, collator-2000"
    assert str(raised.value) == f"there is no node king; there are {known}"


async def test_links_and_clocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, monkeypatch) as network:
        await network.asked(CutLink("validator-1", "validator-2"))
        await network.asked(CutLink("collator-2000", "validator-2"))
        assert await network.asked(SkewClock("validator-2", -2.5)) == (
            "the clock of validator-2 is -2.5 s wrong"
        )
        assert network.hardship("validator-1") == (0.0, {"validator-2"})
        assert network.hardship("validator-2") == (-2.5, {"validator-1", "collator-2000"})
        node = (await network.status()).nodes[1]
        assert (node.clock_skew_s, node.cut_from) == (-2.5, ("collator-2000", "validator-1"))
        await network.asked(HealLink("validator-2", "validator-1"))
        assert network.hardship("validator-1") == (0.0, set())
        assert network.hardship("validator-2") == (-2.5, {"collator-2000"})
        assert await network.asked(SkewClock("validator-2", 0)) == (
            "the clock of validator-2 is right"
        )
        for odd, why in (
            (HealLink("validator-1", "validator-2"), "is not cut"),
            (CutLink("validator-1", "validator-1"), "a link has two ends"),
        ):
            with pytest.raises(RequestRefused, match=why):
                await network.asked(odd)


async def test_what_was_done_to_a_node_is_over_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch) as network:
        await network.asked(SkewClock("validator-2", 9.0))
    options = DevnetOptions(2, tuple(load_specs(["adder"])), (), 1.0, network.plan.root)
    with PortClaims(tmp_path / "claims") as ports:
        make_plan(options, ports)
    assert network.hardship("validator-2") == (0.0, set())


async def test_nodes_come_later_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, monkeypatch) as network:
        text = await network.asked(AddNode("validator"))
        assert text.startswith("validator-3 is started; it serves JSON-RPC on ws://127.0.0.1:")
        assert text.endswith("; it validates from session 7 on")
        assert "full-1 is started" in await network.asked(AddNode("full"))
        assert "full-2 is started" in await network.asked(AddNode("full"))
        assert "collator-2000-2 is started" in await network.asked(AddNode("collator", "2000"))
        assert "collator-2007 is started" in await network.asked(AddNode("collator", "load", 2007))
        rpc = network.plan.nodes[0].rpc.replace("ws:", "http:")
        assert FakeGovernance.acts == [
            *(rpc, "admit validator-3"),
            *(rpc, "fund collator-2000-2"),
            *(rpc, "fund collator-2007"),
        ]
        assert network.observer.paras.keys() == {2000, 2007}
        await network.asked(CutLink("full-1", "validator-1"))
        assert {node.state for node in (await network.status()).nodes} == {"running"}
    file = PlanFile.read(network.plan.root)
    assert file is not None and file.added == [
        AddedNode("validator-3", "validator"),
        AddedNode("full-1", "full"),
        AddedNode("full-2", "full"),
        AddedNode("collator-2000-2", "collator", 2000, "adder"),
        AddedNode("collator-2007", "collator", 2007, "load"),
    ]


async def test_a_para_that_is_none_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, monkeypatch) as network:
        for request in (AddNode("collator", "2001"), AddNode("collator", "no.toml")):
            with pytest.raises(BadRequest, match=str(request.parachain)):
                await network.asked(request)
        assert len((await network.status()).nodes) == 3


async def test_a_node_that_cannot_run_does_not_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch) as network, trio.open_nursery() as nursery:
        network.starts = False

        async def fail() -> None:
            while "full-1" not in network.launcher.running.values():
                await trio.sleep(0.01)
            output = network.plan.root / "full-1" / "output.log"
            output.parent.mkdir(exist_ok=True)
            output.write_text("parahost: the port is taken\n")
            network.launcher.end("full-1", BAD_INPUT)

        nursery.start_soon(fail)
        with pytest.raises(NotNow, match="full-1 cannot run: the port is taken"):
            await network.asked(AddNode("full"))
        assert network.plan.file.added == []
        assert network.processes.state("full-1") is NodeState.DOWN
    clear(network.plan.root)  # and goes with --fresh all the same
    assert not (network.plan.root / "full-1").exists()


async def test_a_validator_that_the_chain_does_not_take_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch) as network:
        FakeGovernance.refusal = "Session.BadValidatorSet: no"
        with pytest.raises(ChainRefused, match=r"validator-3 runs, but: Session\.BadValidatorSet"):
            await network.asked(AddNode("validator"))
        for name in ("validator-1", "validator-2", "validator-3", "collator-2000"):
            await network.asked(KillNode(name))
        with pytest.raises(NotNow, match="no node runs that could be asked"):
            await network.control.govern(lambda chain: chain.admit("no"), "it is so")


async def test_a_chain_that_stands_still_is_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(control_module, "_LEAST_PATIENCE_S", 0.2)
    monkeypatch.setattr(control_module, "_PATIENCE_SLOTS", 0)
    over = threading.Event()
    async with running(tmp_path, monkeypatch) as network:
        monkeypatch.setattr(FakeGovernance, "admit", lambda *_: over.wait(20))
        with pytest.raises(NotNow, match=r"validator-3 runs, but: .* its part in 0\.2 s"):
            await network.asked(AddNode("validator"))
        over.set()
        assert "full-1 is started" in await network.asked(AddNode("full"))


async def test_who_was_killed_is_no_collator_to_start_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with running(tmp_path, monkeypatch) as network:
        assert network.control.collators_of(2000) == ["collator-2000"]
        await network.asked(KillNode("collator-2000"))
        assert network.control.collators_of(2000) == []
        await network.asked(RestartNode("collator-2000"))
        (network.plan.root / "collator-2000" / "output.log").write_text("parahost: no module\n")
        network.launcher.end("collator-2000", BAD_INPUT)  # as one whose module is broken
        while network.processes.state("collator-2000") is not NodeState.DOWN:
            await trio.sleep(0.01)
        assert network.control.collators_of(2000) == ["collator-2000"]


async def test_the_status_of_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with running(tmp_path, monkeypatch) as network:
        status = await network.status()
        assert (status.pid, status.base_path) == (os.getpid(), str(network.plan.root))
        assert [(node.name, node.role, node.state) for node in status.nodes] == [
            ("validator-1", "validator", "running"),
            ("validator-2", "validator", "running"),
            ("collator-2000", "collator", "running"),
        ]
        (para,) = status.paras
        assert (para.para, para.name, para.included, para.head) == (2000, "adder", 0, None)
