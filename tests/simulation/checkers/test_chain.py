"""The checkers of the relay chain notice planted faults."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import pytest
import trio

from parahost.chain.blocks import Execute
from parahost.chain.chain import ChainEvent
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.node.availability.encoding import Encoding
from parahost.node.availability.store import AvailabilityStore
from parahost.node.messages.base import Message
from parahost.node.node import Node
from parahost.ports import Batch, KeyType
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import H256, U32, CandidateHash, ChunkIndex
from parahost.primitives.consensus import GrandpaMessage, Precommit, grandpa_payload
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.header import Block
from parahost.primitives.scale import encode
from parahost.runtime.balances import Balances
from parahost.runtime.errors import InvalidBlock
from parahost.runtime.executive import Executed
from parahost.runtime.origin import AccountId
from parahost.runtime.storage import Overlay, State
from parahost.simulation import (
    BadLinks,
    EquivocatingAuthor,
    FullDisk,
    Scenario,
    Shape,
    Simulation,
    at,
)
from parahost.simulation.build import Build
from parahost.simulation.checkers import OK, memory
from parahost.storage.memory import MemoryDatabase
from tests.simulation.checkers.planted import SMALL, Replace, bitten, run_with, secretly
from tests.simulation.hearing import Hearing

BARE = Shape(validators=4, parachains=0)


def test_an_honest_network_is_found_without_fault() -> None:
    outcome = run_with(
        scenario=Scenario(shape=Shape(validators=4, parachains=1, parathreads=1), blocks=16)
    )
    assert set(outcome.verdicts.values()) == {OK}, outcome.verdicts
    assert all(count >= 3 for count in outcome.statistics["included"].values())


def test_conflicting_finality() -> None:
    """Of two blocks that an author has made, a node holds the second for final."""

    async def finalize_rivals(node: Node) -> None:
        seen: dict[int, None] = {}

        def listen(event: ChainEvent) -> None:
            if isinstance(event, BlockImportEvent) and event.header.number in seen:
                node.chain.finalize(event.hash, None)
            seen[event.header.number] = None

        node.chain.subscribe(listen)
        await trio.sleep_forever()

    scenario = Scenario(
        shape=BARE, blocks=12, adversaries=(EquivocatingAuthor(who=("validator-1",)),)
    )
    outcome = run_with(
        lambda build: build.jobs.append(finalize_rivals),
        who=("validator-2",),
        scenario=scenario,
    )
    assert "conflicts with the final block" in bitten(outcome, "no_conflicting_finality")


def test_another_state() -> None:
    """A node comes to a state of its own and does not notice."""

    def mutate(build: Build) -> None:
        share = build.execute

        def execute(inner: Execute) -> Execute:
            shared = share(inner)

            def executed(parent: State, block: Block) -> Executed:
                right = shared(parent, block)
                return replace(right, state=right.state.apply({b"wrong": b"\x01"}))

            return executed

        build.execute = execute

    outcome = run_with(mutate, who=("validator-2",), scenario=Scenario(shape=BARE, blocks=3))
    assert "state" in bitten(outcome, "one_state_root")


@pytest.mark.parametrize(
    ("kept", "checker", "found"),
    [(True, "issuance_agrees", "accounts have"), (False, "stake_conserved", "are issued anew")],
)
def test_a_fee_that_gets_lost(
    monkeypatch: pytest.MonkeyPatch, kept: bool, checker: str, found: str
) -> None:
    """It is taken from who claims a parathread, and stays in the books; or it is given."""
    burn = Balances.burn

    def lose(self: Balances, store: Overlay, account: AccountId, amount: int) -> None:
        if kept:
            issued = self.total_issuance.get(store)
            burn(self, store, account, amount)
            self.total_issuance.put(store, issued)
        else:
            burn(self, store, account, -amount)

    monkeypatch.setattr(Balances, "burn", lose)
    shape = Shape(validators=2, parachains=0, parathreads=1)
    outcome = run_with(scenario=Scenario(shape=shape, blocks=8))
    assert found in bitten(outcome, checker)


def test_two_votes_in_one_stage() -> None:
    """A voter whose key store has forgotten what it promised."""

    def mutate(build: Build) -> None:
        (public,) = build.keys.public_keys(KeyType.GRANDPA)

        async def vote_twice(node: Node) -> None:
            for target in (b"\x01" * 32, b"\x02" * 32):
                vote = Precommit(target, 1)  # type: ignore[arg-type]
                payload = grandpa_payload(encode(vote, GrandpaMessage), 10_000, 0)
                build.ports.keystore.sign(KeyType.GRANDPA, public, payload, [])

        build.jobs.append(vote_twice)

    outcome = run_with(mutate, who=("validator-2",), scenario=Scenario(shape=BARE, blocks=1))
    assert bitten(outcome, "no_contradiction").startswith("validator-2 has signed two votes")


def test_two_blocks_in_one_slot_and_their_report() -> None:
    outcome = secretly(
        EquivocatingAuthor(who=("validator-1",)),
        ["validator-1"],
        Scenario(shape=BARE, blocks=8),
        seed=1,
    )
    assert "two blocks for one slot" in bitten(outcome, "no_contradiction")
    assert "validator-1: BabeEquivocationProof" in bitten(outcome, "no_honest_reported")


def test_one_key_on_two_machines() -> None:
    """A node works with another's keys, each with a record of promises of its own, and after a
    while it hears of everything late: so it sees a block and votes that it has not made, and the
    other one a vote. They are punished for both, and make no more blocks."""
    slow = BadLinks(who=("validator-2",), at=at(30.0), lasts_s=60.0, latency=(2.0, 3.0))
    simulation = Simulation(Scenario(shape=BARE, blocks=14, faults=(slow,)), seed=1)
    first = next(node for node in simulation.plan.validators if node.name == "validator-1")

    def mutate(build: Build) -> None:
        build.with_ports(keystore=ProtectedKeyStore(KeyRing.of(first.keys), MemoryDatabase()))

    simulation.nodes["validator-2"].alterations.append(mutate)
    heard = Hearing(simulation)
    outcome = simulation.run()
    assert "says that its key signs a" in bitten(outcome, "no_false_alarm")
    told = {(each.node, each.fields["what"]) for each in heard.of("keys.used_elsewhere")}
    assert told == {
        ("validator-1", "vote"),
        ("validator-2", "block"),
        ("validator-2", "vote"),
    }


def test_finality_stands_still() -> None:
    """Voters that never vote for more than they must."""

    def mutate(build: Build) -> None:
        build.voting_rule = lambda base, target: base

    outcome = run_with(mutate, scenario=Scenario(shape=BARE, blocks=15))
    assert "holds block 0 for final" in bitten(outcome, "finality_catches_up")


def test_the_chain_stands_still() -> None:
    """Nobody takes a block any more after the third."""

    def mutate(build: Build) -> None:
        share = build.execute

        def execute(inner: Execute) -> Execute:
            shared = share(inner)

            def executed(parent: State, block: Block) -> Executed:
                if block.header.number > 3:
                    raise InvalidBlock("no more")
                return shared(parent, block)

            return executed

        build.execute = execute

    outcome = run_with(mutate, scenario=Scenario(shape=BARE, blocks=5))
    assert bitten(outcome, "chain_grows").startswith("no block for")
    assert "block 5 did not come" in bitten(outcome, "reached_its_end")


def test_a_node_goes_down() -> None:
    async def fail(node: Node) -> None:
        await trio.sleep(3)
        raise RuntimeError("a bug")

    outcome = run_with(
        lambda build: build.jobs.append(fail),
        who=("validator-3",),
        scenario=Scenario(shape=BARE, blocks=3),
    )
    assert "validator-3 went down: RuntimeError: a bug" in bitten(outcome, "nodes_stay_up")


def test_a_node_fails_at_what_a_peer_sends() -> None:
    """It goes on without that connection, and yet it is a fault of an honest node."""

    def fail(*_: object) -> None:
        raise RuntimeError("a bug")

    async def plant(node: Node) -> None:
        node.sync._on_announcement = fail  # type: ignore[method-assign,assignment]

    outcome = run_with(
        lambda build: build.jobs.append(plant),
        who=("validator-3",),
        scenario=Scenario(shape=BARE, blocks=3),
    )
    verdict = bitten(outcome, "nodes_stay_up")
    assert "validator-3 failed at a peer: RuntimeError: a bug" in verdict


def test_a_node_that_does_not_come_back_from_a_full_disk() -> None:
    """It may go down while there is no room, and must find back when there is."""
    scenario = Scenario(
        shape=BARE, blocks=16, faults=(FullDisk(who=("validator-2",), at=at(9.0), lasts_s=6.0),)
    )
    simulation = Simulation(scenario, 1)
    node = simulation.nodes["validator-2"]

    async def fail(_: Node) -> None:
        raise RuntimeError("a bug")

    def mutate(build: Build) -> None:
        if node.lives > 1:
            build.jobs.append(fail)

    node.alterations.append(mutate)
    outcome = simulation.run()
    assert outcome.verdicts["nodes_stay_up"] == OK
    assert bitten(outcome, "finality_catches_up").startswith("validator-2 holds block")


@pytest.mark.parametrize("faults", [(), (FullDisk(who=("validator-2",), at=at(9.0)),)])
@pytest.mark.parametrize("table", ["headers", "canonical", "deltas"])
def test_an_illegal_database(table: str, faults: tuple[FullDisk, ...]) -> None:
    """Something deletes a row of the chain's. That there was no room is no excuse."""

    async def delete(node: Node) -> None:
        await trio.sleep_until(20)
        disk = node.ports.database
        rows = list(disk.scan(table))
        batch = Batch()
        batch.delete(table, rows[-1][0])
        disk.write(batch, durable=True)
        await trio.sleep_forever()

    simulation = Simulation(Scenario(shape=BARE, blocks=5, faults=faults), 1)
    simulation.nodes["validator-2"].alterations.append(lambda build: build.jobs.append(delete))
    assert bitten(simulation.run(), "legal_databases").startswith("validator-2")


@pytest.mark.parametrize("table", ["availability.blocks", "availability.records"])
def test_stores_that_grow(table: str) -> None:
    """A node that never forgets what finality has settled, and one that keeps all that it hears."""

    async def hoard(node: Node) -> None:
        batch = Batch()
        for number in range(10_000):
            batch.put(table, number.to_bytes(36, "big"), b"")
        node.ports.database.write(batch, durable=True)

    outcome = run_with(
        lambda build: build.jobs.append(hoard),
        who=("collator-2000",),
        scenario=Scenario(shape=SMALL, blocks=2),
    )
    assert f"rows in table {table}" in bitten(outcome, "bounded_stores")


def test_memory_that_grows() -> None:
    """A node that keeps each message that its bridge hears."""

    def mutate(build: Build) -> None:
        kept: list[Message] = []

        def keep(sender: str, message: Message) -> Iterable[Message]:
            if sender == "network-bridge":
                kept.append(message)
            return (message,)

        async def have(node: Node) -> None:
            vars(node.sync)["kept"] = kept

        build.interceptors.append(Replace(keep))
        build.jobs.append(have)

    outcome = run_with(mutate, who=("validator-2",), scenario=Scenario(shape=SMALL, blocks=36))
    verdict = bitten(outcome, "bounded_memory")
    assert verdict.startswith("validator-2 holds") and "in sync.kept" in verdict


@pytest.mark.parametrize("limit", [1 << 20, 1 << 10])
def test_chunks_that_wait_to_be_handed_on_have_a_limit_of_their_own(
    monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    monkeypatch.setattr(memory, "BYTES_MADE", {"availability-store._made": limit})
    root = H256(bytes(32))
    chunk = ErasureChunk(bytes(1 << 20), ChunkIndex(U32(0)), ())

    def mutate(build: Build) -> None:
        async def have(node: Node) -> None:
            for subsystem, _, _ in node.overseer.contents():
                if isinstance(subsystem, AvailabilityStore):
                    subsystem._made.put(CandidateHash(root), Encoding(root, (chunk,)))

        build.jobs.append(have)

    scenario = Scenario(shape=SMALL, blocks=4)
    outcome = run_with(mutate, who=("validator-2",), scenario=scenario)
    if limit == 1 << 20:
        assert outcome.verdicts["bounded_memory"] == OK
    else:
        assert "in availability-store._made" in bitten(outcome, "bounded_memory")
