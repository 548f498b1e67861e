"""Each fault does what it says, and an honest network gets over it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import trio

from parahost.node.node import Node
from parahost.ports import Batch
from parahost.simulation import (
    BadLinks,
    BadSimulation,
    BadWorkers,
    Crash,
    CrashAtStep,
    CrashAtWrite,
    DamagedRows,
    Fault,
    FullDisk,
    Geography,
    LinkQuality,
    LongTail,
    Partition,
    Scenario,
    SecondsTwo,
    Shape,
    Simulation,
    Stall,
    TinyQueues,
    WrongClock,
    at,
    at_block,
)
from parahost.simulation.build import Build
from parahost.simulation.faults.machines import TABLES
from parahost.simulation.journal import TraceEvent
from parahost.simulation.network import LinkConditions

BARE = Shape(validators=4, parachains=0)
PARA = Shape(validators=4, parachains=1)


class Run:
    """A run with its trace."""

    def __init__(self, *faults: Fault, shape: Shape = BARE, blocks: int = 8, seed: int = 1) -> None:
        self.events: list[TraceEvent] = []
        self.simulation = Simulation(Scenario(shape=shape, blocks=blocks, faults=faults), seed)
        self.simulation.trace.watch(self.events.append)
        self.outcome = self.simulation.run()
        assert self.outcome.ok, self.outcome.verdicts

    def of(self, event: str, node: str | None = None) -> Sequence[TraceEvent]:
        return [each for each in self.events if each.event == event and node in (None, each.node)]


@pytest.mark.guide("A66", "A69")
def test_a_crashed_node_starts_again_and_finds_back() -> None:
    run = Run(Crash(who=("validator-2",), at=at(15.0), lasts_s=9.0, lose=5))
    (crash,) = run.of("node.crashed")
    assert (crash.node, crash.at) == ("validator-2", 15.0)
    first, second = run.of("node.started", "validator-2")
    assert (first.fields["life"], second.fields["life"]) == (1, 2)
    assert second.at == 24.0
    down = [each for each in run.events if each.node == "validator-2" and 15.0 < each.at < 24.0]
    assert not down
    imported: list[Any] = [
        each.fields["number"] for each in run.of("chain.imported", "validator-2")
    ]
    assert max(imported) >= 7
    assert run.outcome.statistics["faults"] == {"crash": 1}


@pytest.mark.parametrize(
    "fault",
    [
        CrashAtWrite(who=("validator-1", "validator-3"), at=at_block(2), write=2, lose=3),
        CrashAtStep(who=("validator-1", "validator-3"), at=at_block(2), step=40, lose=3),
    ],
    ids=lambda fault: fault.kind,
)
def test_a_node_struck_in_the_midst_of_its_work(fault: Fault) -> None:
    run = Run(fault, shape=PARA)
    assert {each.node for each in run.of("node.crashed")} == {"validator-1", "validator-3"}
    assert run.outcome.statistics["faults"] == {fault.kind: 2}
    assert len(run.of("node.started", "validator-1")) == 2


@pytest.mark.parametrize("lose", [0, 10])
def test_what_was_not_synced_is_lost_with_the_power(lose: int) -> None:
    fault = Crash(who=("validator-2",), at=at(17.0), lasts_s=2.0, lose=lose)
    simulation = Simulation(Scenario(shape=BARE, blocks=5, faults=(fault,)), 1)
    node = simulation.nodes["validator-2"]

    async def write(_: Node) -> None:
        await trio.sleep_until(16.99)
        batch = Batch()
        batch.put("scratch", b"key", b"value")
        node.disk.write(batch, durable=False)

    def alter(build: Build) -> None:
        if node.lives == 1:
            build.jobs.append(write)

    node.alterations.append(alter)
    assert simulation.run().ok
    assert node.lives == 2
    assert node.disk.get("scratch", b"key") == (None if lose else b"value")


def test_all_crash_at_once() -> None:
    everybody = ("validator-1", "validator-2", "validator-3", "validator-4", "collator-2000")
    run = Run(Crash(who=everybody, at=at(20.0), lasts_s=6.0, lose=30), shape=PARA)
    assert len(run.of("node.started")) == 10


def test_a_partition_breaks_connections_and_heals() -> None:
    run = Run(Partition(who=("validator-1",), at=at(10.0), lasts_s=24.0), blocks=12)
    broken = run.of("network.disconnected")
    assert len(broken) >= 3
    assert all("validator-1" in (each.fields["from"], each.fields["to"]) for each in broken)
    assert all(each.fields["reason"] == "nothing got through" for each in broken)
    meanwhile = [
        each
        for each in run.of("chain.imported", "validator-2")
        if 15.0 < each.at < 34.0 and each.fields["number"]
    ]
    assert meanwhile, "the others go on"
    alone = run.of("chain.imported", "validator-1")
    assert not [each for each in alone if 20.0 < each.at < 34.0], "nobody authors alone"
    assert [each for each in alone if each.at > 34.0]


def test_half_and_half_makes_no_finality_until_it_heals() -> None:
    run = Run(Partition(who=("validator-1", "validator-2"), at=at(10.0), lasts_s=30.0), blocks=14)
    assert not [each for each in run.of("chain.finalized") if 14.0 < each.at < 40.0]
    assert run.outcome.statistics["finalized"] > 7


def test_a_deaf_node_is_still_heard() -> None:
    run = Run(Partition(who=("validator-1",), at=at(6.5), lasts_s=7.0, one_way=True))
    heard = [each.at for each in run.of("chain.imported", "validator-1") if 6.6 < each.at < 13.5]
    authored = [each.at for each in run.of("chain.imported", "validator-2")]
    assert len(authored) > len(heard)


def test_a_short_stall_breaks_nothing() -> None:
    run = Run(Stall(who=("validator-1",), at=at(13.0), lasts_s=5.0))
    assert not run.of("network.disconnected")
    assert [each for each in run.of("chain.imported", "validator-1") if 18.0 <= each.at < 18.2]


def test_a_bad_link_is_slow() -> None:
    slow = BadLinks(who=("validator-1",), at=at(6.0), lasts_s=40.0, latency=(1.0, 1.0))
    run = Run(slow)
    first = {
        name: {each.fields["block"]: each.at for each in run.of("chain.imported", name)}
        for name in ("validator-1", "validator-2", "validator-3")
    }
    late = [
        first["validator-1"][block] - at_
        for block, at_ in first["validator-2"].items()
        if 7.0 < at_ < 40.0 and block in first["validator-1"]
    ]
    assert late
    assert all(abs(each) > 0.9 for each in late), "either way it takes a second and more"


def test_a_link_that_loses_everything() -> None:
    lossy = BadLinks(who=("validator-1",), at=at(6.0), lasts_s=20.0, loss=1.0)
    run = Run(lossy, blocks=12)
    alone = [each.at for each in run.of("chain.imported", "validator-1") if 7.0 < each.at < 26.0]
    others = [each.at for each in run.of("chain.imported", "validator-2") if 7.0 < each.at < 26.0]
    assert len(alone) < len(others)


def test_what_is_not_said_of_a_link_stays_as_it_is() -> None:
    """Also over a long distance, and while other faults come and go."""
    conditions = LinkConditions(LinkQuality(loss=0.25))
    far = LinkQuality(latency=LongTail(0.1), loss=0.25)
    conditions.set_distance("a", "b", far)
    narrow, lossy = replace(far, bytes_per_s=9.0), replace(far, loss=0.5)
    conditions.worsen("a", "b", narrow)
    conditions.worsen("a", "b", lossy)
    assert conditions.quality("a", "b") == lossy
    conditions.recover("a", "b", narrow)
    assert conditions.quality("a", "b") == lossy
    conditions.recover("a", "b", lossy)
    assert conditions.quality("a", "b") == far

    scenario = Scenario(
        shape=BARE,
        blocks=5,
        geography=Geography(("europe", "asia")),
        faults=(BadLinks(who=("validator-1",), at=at(6.0), lasts_s=10.0, loss=0.5),),
    )
    simulation = Simulation(scenario, 1)
    ways: list[LinkQuality] = []

    def listen(event: TraceEvent) -> None:
        if 6.0 < event.at < 16.0:
            ways.append(simulation.switch.conditions.quality("validator-1", "validator-2"))

    simulation.trace.watch(listen)
    simulation.run()
    assert ways
    assert all(way == LinkQuality(latency=LongTail(0.12), loss=0.5) for way in ways)


def test_bad_links() -> None:
    everybody = ("validator-1", "validator-2", "validator-3", "validator-4")
    worst = BadLinks(
        who=everybody,
        at=at(6.0),
        lasts_s=24.0,
        latency=(0.1, 0.5),
        loss=0.05,
        duplication=0.2,
        reordering=0.3,
    )
    Run(worst, blocks=12)


def test_a_full_disk() -> None:
    run = Run(FullDisk(who=("validator-2",), at=at(12.5), lasts_s=9.0), blocks=10)
    during = [each for each in run.of("chain.imported", "validator-2") if 12.5 < each.at < 21.5]
    assert not during
    assert run.of("chain.imported", "validator-2")[-1].fields["number"] >= 9  # type: ignore[operator]


def test_damaged_chunks_are_not_believed() -> None:
    fault = DamagedRows(who=("validator-2",), at=at_block(5), count=2)
    simulation = Simulation(Scenario(shape=PARA, blocks=8, faults=(fault,)), 1)
    node = simulation.nodes["validator-2"]
    before: dict[bytes, bytes] = {}

    def listen(event: TraceEvent) -> None:
        if event.event == "fault.damaged_rows":
            before.update(node.disk.scan(fault.table))

    simulation.trace.watch(listen)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    after = dict(node.disk.scan(fault.table))
    assert sum(after[key] != value for key, value in before.items()) == 2
    assert outcome.statistics["included"]["2000"] >= 5


def test_a_full_disk_takes_damage_too() -> None:
    who = ("validator-2",)
    run = Run(
        FullDisk(who=who, at=at(1.2), lasts_s=6.9),
        DamagedRows(who=who, at=at(3.4), count=4),
        shape=Shape(parachains=1),
        blocks=1,
        seed=1939,
    )
    assert len(run.of("fault.damaged_rows")) == 1


def test_each_table_that_may_be_damaged_is_known() -> None:
    scenario = Scenario(
        shape=Shape(validators=4, parachains=1, epoch_slots=4),
        blocks=9,
        adversaries=(SecondsTwo(who=("validator-1",)),),
    )
    simulation = Simulation(scenario, 1)
    simulation.run()
    empty = [
        table
        for table in TABLES
        if not any(list(node.disk.scan(table)) for node in simulation.nodes.values())
    ]
    assert not empty
    with pytest.raises(BadSimulation, match="there is no table nothing"):
        Scenario(faults=(DamagedRows(who=("validator-1",), at=at(1.0), table="nothing"),))


@pytest.mark.parametrize("seconds", [4.0, -20.0])
def test_a_wrong_clock(seconds: float) -> None:
    fault = WrongClock(who=("validator-2",), at=at(13.0), lasts_s=20.0, seconds=seconds)
    simulation = Simulation(Scenario(shape=BARE, blocks=8, faults=(fault,)), 1)
    clock, wrong = simulation.nodes["validator-2"].clock, [0.0]

    def listen(event: TraceEvent) -> None:
        if 13.0 < event.at < 33.0:
            wrong.append(clock.offset_s)

    simulation.trace.watch(listen)
    outcome = simulation.run()
    assert outcome.ok, outcome.verdicts
    assert set(wrong) == {0.0, seconds}
    assert clock.offset_s == 0.0


@pytest.mark.guide("A102")
@pytest.mark.parametrize("trouble", ["dies", "hangs", "late"])
def test_bad_workers(trouble: str) -> None:
    """A node whose workers fail judges nothing, accuses nobody, and the others get on."""
    run = Run(
        BadWorkers(who=("validator-1",), at=at(0.0), lasts_s=20.0, trouble=trouble),
        shape=PARA,
        blocks=6,
    )
    judged = [each for each in run.of("backing.judged_valid", "validator-1") if each.at < 20.0]
    assert bool(judged) == (trouble == "late")
    assert not run.of("backing.judged_invalid")
    assert run.outcome.statistics["included"]["2000"] >= 3


def test_queues_of_one() -> None:
    everybody = ("validator-1", "validator-2", "validator-3", "validator-4")
    run = Run(TinyQueues(who=everybody), shape=PARA, blocks=6)
    assert run.outcome.statistics["included"]["2000"] >= 2


def test_the_tightest_queues_count() -> None:
    faults = (
        TinyQueues(who=("validator-1",), capacity=2),
        TinyQueues(who=("validator-1",), capacity=5),
    )
    simulation = Simulation(Scenario(shape=BARE, blocks=1, faults=faults), 1)
    capacities: list[int] = []
    simulation.nodes["validator-1"].alterations.append(
        lambda build: capacities.append(build.capacity)
    )
    assert simulation.run().ok
    assert capacities == [2]


def test_a_strike_comes_although_the_disk_was_full_meanwhile() -> None:
    who = ("validator-2",)
    run = Run(
        CrashAtWrite(who=who, at=at(6.0), write=12),
        FullDisk(who=who, at=at(7.0), lasts_s=1.0),
        blocks=14,
    )
    assert run.outcome.statistics["faults"] == {"crash_at_write": 1, "full_disk": 1}
    assert run.of("node.crashed", *who)


def test_two_strikes_on_one_node() -> None:
    who = ("validator-2",)
    run = Run(CrashAtStep(who=who, at=at(6.0), step=9), CrashAtStep(who=who, at=at(6.0), step=60))
    assert len(run.of("node.crashed", *who)) == 2


def test_a_node_stays_down_until_its_last_crash_is_over() -> None:
    who = ("validator-2",)
    run = Run(
        Crash(who=who, at=at(9.0), lasts_s=20.0),
        Crash(who=who, at=at(12.0), lasts_s=3.0),
        FullDisk(who=who, at=at(13.0), lasts_s=16.0),
        blocks=10,
    )
    _, second = run.of("node.started", *who)
    assert second.at == 29.0


def test_the_last_of_several_troubles_of_workers_counts() -> None:
    who = ("validator-1",)
    run = Run(
        BadWorkers(who=who, at=at(0.0), lasts_s=10.0, trouble="dies"),
        BadWorkers(who=who, at=at(5.0), lasts_s=25.0, trouble="dies"),
        shape=PARA,
        blocks=8,
    )
    judged = [each.at for each in run.of("backing.judged_valid", *who)]
    assert judged
    assert min(judged) > 30.0
