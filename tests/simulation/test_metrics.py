"""A node's metrics tell what the chain and the journals of a run tell."""

from __future__ import annotations

from typing import Any

import pytest

from parahost.metrics.samples import Samples
from parahost.node.overseer import Subsystem
from parahost.node.role import Role
from parahost.node.subsystems import SUBSYSTEMS
from parahost.node.tallies import TALLIES
from parahost.simulation import Scenario, Shape, Simulation
from parahost.simulation.journal import TraceEvent
from tests.docs.metrics import OF_EVERY_NODE

SCENARIO = Scenario(shape=Shape(validators=4, parachains=2, parathreads=0), blocks=8)


class Run:
    """A run that has ended, with what each node has recorded."""

    def __init__(self, seed: int) -> None:
        simulation = Simulation(SCENARIO, seed)
        self.told: list[TraceEvent] = []
        simulation.trace.watch(self.told.append)
        self.outcome = simulation.run()
        assert self.outcome.ok, self.outcome.verdicts
        self.nodes = simulation.nodes
        self.record = simulation.record

    def samples(self, node: str) -> Samples:
        return self.nodes[node].meter.samples()

    def recorded(self, node: str, event: str, **fields: Any) -> int:
        return sum(
            told.node == node and told.event == event and fields.items() <= told.fields.items()
            for told in self.told
        )


@pytest.fixture(scope="module")
def run() -> Run:
    return Run(5)


def test_heights_and_peers(run: Run) -> None:
    for name, node in run.nodes.items():
        samples = run.samples(name)
        best = max(
            block.number
            for block in run.record.blocks.values()
            if run.recorded(name, "chain.imported", block=block.hash, best=1)
        )
        assert samples.value("substrate_block_height", status="best") == best
        assert samples.value("substrate_block_height", status="finalized") == (
            run.record.final[name].number
        )
        assert samples.value("substrate_node_roles") == (
            4 if node.plan.role is Role.VALIDATOR else 1
        )


def test_what_the_journal_tells_is_counted(run: Run) -> None:
    for name in run.nodes:
        samples = run.samples(name)
        for event, stage in [("chain.backed", "backed"), ("chain.included", "included")]:
            counted = samples.total("parahost_parablocks_total", stage=stage)
            assert counted == run.recorded(name, event)
        assert samples.value("parahost_checks_total", verdict="valid") == run.recorded(
            name, "checking.valid"
        )
        assert samples.value("parahost_blocks_authored_total") == run.recorded(name, "author.made")
    included = run.samples("validator-1").total("parahost_parablocks_total", stage="included")
    assert included > 2


def test_a_validators_part_adds_up(run: Run) -> None:
    """What validators say of themselves is what others hear of them."""
    validators = [name for name in run.nodes if name.startswith("validator")]
    seconded = sum(
        run.samples(name).total("polkadot_parachain_candidate_backing_candidates_seconded_total")
        for name in validators
    )
    signed = sum(
        run.samples(name).total("polkadot_parachain_candidate_backing_signed_statements_total")
        for name in validators
    )
    said = {
        (told.event, told.fields["validator"], told.fields["candidate"])
        for told in run.told
        if told.event in ("backing.seconded", "backing.valid")
    }
    assert seconded == sum(event == "backing.seconded" for event, _, _ in said) > 0
    assert signed == len(said)
    for name in validators:
        samples = run.samples(name)
        assert samples.value("polkadot_node_is_active_validator") == 1
        assert (
            samples.value(
                "parahost_validator_stake",
            )
            == run.outcome.statistics["stakes"][name]
        )
        assert samples.total("substrate_finality_grandpa_prevotes_total") > 2
        assert samples.total("polkadot_parachain_approvals_produced_total", status="success") == (
            run.recorded(name, "approval.checked")
        )
        assert samples.total("polkadot_pvf_execution_time_count") > 0


def test_checks_of_all_are_counted_by_each(run: Run) -> None:
    for event, metric in (
        ("approval.assigned", "polkadot_parachain_assignments_imported_total"),
        ("approval.checked", "polkadot_parachain_approvals_imported_total"),
    ):
        counted = {name: run.samples(name).total(metric) for name in run.nodes}
        own = {name: run.recorded(name, event) for name in run.nodes}
        made = sum(own.values())
        assert all(own[name] <= counted[name] <= made for name in run.nodes)
        assert sum(counted.values()) > made > 0, "others' too"


def test_every_subsystem_is_seen_at_work(run: Run) -> None:
    samples = run.samples("validator-1")
    names = {
        labels["subsystem_name"]
        for labels, _ in samples.matching("parahost_subsystem_queue_length")
    }
    made = {kind.name for kind in SUBSYSTEMS if not getattr(kind, "__abstractmethods__", None)}
    assert names >= made - {"collation-generation"}
    relayed = samples.value("polkadot_parachain_messages_relayed_total")
    assert relayed == samples.total("parahost_subsystem_messages_total") > 100


def test_two_runs_count_the_same(run: Run) -> None:
    again = Run(5)
    assert again.outcome.digest == run.outcome.digest
    for name in run.nodes:
        assert again.samples(name) == run.samples(name)


def test_a_metric_is_declared_once() -> None:
    kinds: list[type[Subsystem]] = list(SUBSYSTEMS)
    declared = [metric.name for kind in kinds for metric in kind.metrics]
    assert len(declared) == len(set(declared))
    assert {tally.metric.name for tally in TALLIES}.isdisjoint(declared)


def test_a_node_declares_what_the_page_has(run: Run) -> None:
    for node in run.nodes.values():
        if node.plan.role is not Role.COLLATOR:
            declared = {metric.name for metric in node.meter.metrics}
            assert declared == {metric.name for metric in OF_EVERY_NODE}
