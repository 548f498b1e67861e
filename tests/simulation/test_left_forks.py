"""Whole nodes leave a fork, and take it up again (D23)."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from parahost.node.messages.validity import DisputeMoved
from parahost.node.node import Node
from parahost.primitives.basic import Hash
from parahost.runtime import api
from parahost.simulation import Scenario, Shape, Simulation
from parahost.simulation.checkers import OK


@dataclass(frozen=True)
class Sighting:
    """What one node builds on, and works on."""

    best: Hash
    leaves: tuple[Hash, ...]

    @classmethod
    def of(cls, node: Node) -> Sighting:
        return cls(node.chain.best_hash, tuple(node.overseer.leaves.all))


def test_each_node_goes_back_and_comes_back_and_the_chain_goes_on() -> None:
    """Within one slot each hears that the candidate of its best block becomes invalid, and then
    that it does not."""
    seen: list[tuple[Sighting, Sighting, Sighting, Sighting]] = []

    async def doubt(node: Node) -> None:
        while node.chain.best.number < 6:
            await trio.sleep(0.5)
        header, state = node.chain.best, node.chain.state(node.chain.best_hash)
        included = api.included_candidates(state)
        (record,) = [each for each in included if each.included_in == header.number]
        before = Sighting.of(node)
        node.overseer.send(DisputeMoved(*record.key(), towards_invalid=True))
        await trio.sleep(0.2)
        left = Sighting.of(node)
        parent = Sighting(header.parent_hash, (header.parent_hash,))
        node.overseer.send(DisputeMoved(*record.key(), towards_invalid=False))
        await trio.sleep(0.2)
        seen.append((before, left, parent, Sighting.of(node)))

    simulation = Simulation(
        Scenario(shape=Shape(validators=4, parachains=1, parathreads=0), blocks=12), seed=1
    )
    for validator in simulation.plan.validators:
        simulation.nodes[validator.name].alterations.append(lambda build: build.jobs.append(doubt))
    outcome = simulation.run()
    assert len(seen) == 4
    for before, left, parent, again in seen:
        assert left == parent
        assert again == before
    assert set(outcome.verdicts.values()) == {OK}, outcome.verdicts
