"""What a developer edits is noticed: at the start of a network, and while it runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from parahost.devnet.editions import ParaChanges
from parahost.devnet.following import Follower
from parahost.devnet.governing import Governance
from parahost.devnet.opening import opening_lines
from parahost.devnet.plan import DevnetOptions, Plan, make_plan
from parahost.devnet.plan_file import PlanFile
from parahost.devnet.ports import PortClaims
from parahost.devnet.requests import ChainRefused, ControlRequest, NotNow, RestartNode
from parahost.parachains import ParachainSpec, example_code, load_specs

TOML = 'id = 2500\ncode = "c.wasm"\ncollator = "parahost.parachains.adder.collator:AdderCollator"\n'
OTHER_CODE = bytes(example_code("ledger"))


class Project:
    """A developer's folder, and a devnet of it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "c.wasm").write_bytes(example_code("adder"))
        self.toml = root / "mine.toml"
        self.toml.write_text(TOML)
        self.net = root / "net"
        self.net.mkdir()

    def plan(self) -> Plan:
        specs = tuple(load_specs([str(self.toml)]))
        with PortClaims(self.root / "claims") as ports:
            return make_plan(DevnetOptions(1, specs, (), 1.0, self.net), ports)

    def change(self, name: str) -> None:
        match name:
            case "code":
                (self.root / "c.wasm").write_bytes(OTHER_CODE)
            case "genesis_head":
                self.toml.write_text('genesis_head = "0x0102"\n' + self.toml.read_text())
            case "collator":
                self.toml.write_text(self.toml.read_text() + "[args]\nadd = 2\n")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


# At the start


@pytest.mark.parametrize("what", ["code", "genesis_head", "collator"])
def test_what_has_changed_is_told_at_the_start(project: Project, what: str) -> None:
    assert not project.plan().changes
    assert not project.plan().changes
    project.change(what)
    plan = project.plan()
    assert plan.changes == {2500: replace(ParaChanges(False, False, False), **{what: True})}
    told = [line for line in opening_lines(plan) if line.startswith("para 2500: its ")]
    (line,) = told
    assert {
        "code": "the chain goes on with the code that it has",
        "genesis_head": "does not heed: --fresh begins anew",
        "collator": "its collator has changed, and the new one runs",
    }[what] in line
    if what == "code":
        url = plan.rpc["validator-1"]
        assert f"`parahost para upgrade {project.toml} --id 2500 --url {url}`" in line
        assert "--watch" in line and "--fresh" in line
    # What the chain still lacks is told again; the collator runs by now.
    assert bool(project.plan().changes) == (what != "collator")


def test_nothing_is_said_to_have_changed_in_a_network_of_an_earlier_version(
    project: Project,
) -> None:
    project.plan()
    file = PlanFile.read(project.net)
    assert file is not None
    file.paras.clear()
    file.write(project.net)
    project.change("code")
    assert not project.plan().changes


# While it runs


class FakeGovernance:
    """A chain that has some code, and takes another when it is ready for it."""

    def __init__(self) -> None:
        self.code = bytes(example_code("adder"))
        self.refusals: list[Exception] = []
        self.asked = 0

    def has_code(self, para: int, code: bytes) -> bool:
        return code == self.code

    def upgrade(self, para: int, code: bytes) -> None:
        self.asked += 1
        if self.refusals:
            raise self.refusals.pop(0)
        self.code = code


class FakeControl:
    """One para with two collators."""

    def __init__(self, plan: Plan) -> None:
        (node,) = (node for node in plan.nodes if node.seat.para is not None)
        assert node.seat.para is not None
        self.spec: ParachainSpec = node.seat.para
        self.chain = FakeGovernance()
        self.restarted: list[str] = []

    def paras(self) -> dict[int, ParachainSpec]:
        return {2500: self.spec}

    def collators_of(self, para: int) -> list[str]:
        return ["collator-2500", "collator-2500-2"]

    async def handle(self, request: ControlRequest) -> None:
        assert isinstance(request, RestartNode)
        self.restarted.append(request.node)

    async def govern(self, act: Callable[[Governance], Any], otherwise: str) -> Any:
        chain: Any = self.chain
        return act(chain)


class Bench:
    """A follower with the devnet that it follows for."""

    def __init__(self, project: Project, *, upgrades: bool = True) -> None:
        self.plan = project.plan()
        self.control = FakeControl(self.plan)
        self.told: list[str] = []
        control: Any = self.control
        self.follower = Follower(self.plan, control, self.told.append, upgrades=upgrades)

    async def looks(self, times: int = 1) -> None:
        for _ in range(times):
            await self.follower.look()


async def test_new_code_goes_to_the_chain(project: Project) -> None:
    bench = Bench(project)
    await bench.looks(3)
    project.change("code")
    await bench.looks()
    await bench.follower.settle()
    assert bench.control.chain.asked == 0  # it may be half written
    await bench.looks()
    await bench.follower.settle()
    assert bench.control.chain.code == OTHER_CODE
    assert bench.told == [
        "para 2500: its validation function has changed",
        "para 2500: the chain has taken the new code, and plans with it",
    ]
    assert bench.control.restarted == []
    await bench.looks(3)
    await bench.follower.settle()
    assert bench.control.chain.asked == 1
    assert not project.plan().changes  # nor is it told at the next start


async def test_what_is_still_written_is_not_read(project: Project) -> None:
    bench = Bench(project)
    await bench.looks()
    for length in (100, 200, 300):
        (project.root / "c.wasm").write_bytes(OTHER_CODE[:length])
        await bench.looks()
    project.change("code")
    await bench.looks(2)
    await bench.follower.settle()
    assert bench.control.chain.code == OTHER_CODE
    assert bench.told[0] == "para 2500: its validation function has changed"


async def test_an_upgrade_waits_for_another(project: Project) -> None:
    bench = Bench(project)
    await bench.looks()
    project.change("code")
    await bench.looks(2)
    planned = "the code is not upgraded, but: another is under way"
    bench.control.chain.refusals = [
        ChainRefused(planned, by_chain=True, error="Registrar.UpgradePlanned") for _ in range(3)
    ]
    bench.control.chain.refusals.append(NotNow("no node runs that could be asked"))
    for _ in range(5):
        await bench.follower.settle()
    assert bench.control.chain.code == OTHER_CODE
    assert bench.told[1:] == [
        f"para 2500: {planned}; it is tried again",
        "para 2500: no node runs that could be asked; it is tried again",
        "para 2500: the chain has taken the new code, and plans with it",
    ]


async def test_what_the_chain_never_takes_is_told_once(project: Project) -> None:
    bench = Bench(project)
    await bench.looks()
    project.change("code")
    await bench.looks(2)
    why = "the code is not upgraded, but: it is too large, and no matter of UpgradePlanned"
    bench.control.chain.refusals = [ChainRefused(why, by_chain=True, error="Registrar.InvalidCode")]
    await bench.follower.settle()
    await bench.follower.settle()
    assert bench.control.chain.asked == 1
    assert bench.told[1:] == [f"para 2500: {why}"]
    assert project.plan().changes[2500].code


async def test_a_new_collator_is_started(project: Project) -> None:
    bench = Bench(project)
    await bench.looks()
    project.change("collator")
    await bench.looks(4)
    await bench.follower.settle()
    assert bench.control.restarted == ["collator-2500", "collator-2500-2"]
    assert bench.control.chain.asked == 0


async def test_a_file_that_cannot_be_used_changes_nothing(project: Project) -> None:
    bench = Bench(project)
    await bench.looks()
    for text in ("id = ", TOML.replace("2500", "2501"), TOML.replace("c.wasm", "no.wasm")):
        project.toml.write_text(text)
        await bench.looks(3)
    (project.root / "c.wasm").write_text("no Wasm")
    project.toml.write_text(TOML)
    await bench.looks(3)
    await bench.follower.settle()
    assert len(bench.told) == 4 and all("; all stays as it is" in line for line in bench.told)
    assert (bench.control.chain.asked, bench.control.restarted) == (0, [])
    project.change("code")
    await bench.looks(2)
    await bench.follower.settle()
    assert bench.control.chain.code == OTHER_CODE


@pytest.mark.parametrize("upgrades", [False, True])
async def test_code_that_changed_before_the_start(project: Project, upgrades: bool) -> None:
    project.plan()
    project.change("code")
    bench = Bench(project, upgrades=upgrades)
    await bench.follower.settle()
    assert (bench.control.chain.code == OTHER_CODE) == upgrades
    assert bool(project.plan().changes) != upgrades


async def test_code_that_somebody_else_has_upgraded(project: Project) -> None:
    project.plan()
    project.change("code")
    bench = Bench(project, upgrades=False)
    bench.control.chain.code = OTHER_CODE
    await bench.follower.run()  # it ends: there is nothing to follow
    assert bench.told == ["para 2500: the chain has that code already"]
    assert not project.plan().changes
