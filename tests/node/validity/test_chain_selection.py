"""Chain Selection: which forks are left, and what is said of what is final (D23, D27)."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

import pytest

from parahost.node.messages.validity import DisputeMoved
from parahost.node.validity.chain_selection import ChainSelection
from parahost.node.validity.viability import Viability
from parahost.primitives.basic import H256, CandidateHash, Hash
from parahost.primitives.events import BlockFinalizationEvent
from parahost.primitives.header import Header
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.runtime.storage import State
from tests.node.backing.world import Stage, on_stage
from tests.runtime.parachains.test_disputes import (
    candidate,
    concluded_invalid,
    included_world,
)
from tests.runtime.parachains.world import World

# What a state says


def test_nothing_is_held_against_a_fork_by_itself() -> None:
    assert Viability().first_unviable(included_world().state) is None


@pytest.mark.guide("A57")
def test_a_frozen_fork_is_left_before_the_block_that_included_the_candidate() -> None:
    """The candidate was included by block 2, and found invalid by a supermajority in block 4."""
    world, record = concluded_invalid()
    assert record.included_in == 2
    assert Viability().first_unviable(world.state) == 2
    world.add_block()
    assert Viability().first_unviable(world.state) == 2


def test_a_fork_is_left_from_the_block_on_whose_candidate_is_held_against_it() -> None:
    world = included_world()
    before, record = world.state, candidate(world)
    world.include(1)
    later = max(world.api.included_candidates(world.state), key=lambda each: each.included_in)
    assert (record.included_in, later.included_in) == (2, 4)
    viability = Viability()
    assert viability.note(later.key(), towards_invalid=True)
    assert viability.first_unviable(world.state) == 4
    assert viability.first_unviable(before) is None
    assert viability.note(record.key(), towards_invalid=True)
    assert viability.first_unviable(world.state) == 2
    assert not viability.note(record.key(), towards_invalid=True)
    assert viability.note(record.key(), towards_invalid=False)
    assert not viability.note(record.key(), towards_invalid=False)
    assert viability.first_unviable(world.state) == 4


# The subsystem


@dataclass
class Forks:
    """A chain of which only the last final block matters."""

    states: dict[Hash, State] = field(default_factory=dict)
    finalized: Header = field(init=False)
    reconsidered: int = 0

    @property
    def finalized_hash(self) -> Hash:
        return self.finalized.hash()

    def state(self, block: Hash, /) -> State:
        return self.states[block]

    def reconsider(self) -> None:
        self.reconsidered += 1

    def finalize(self, world: World) -> None:
        self.finalized = world.header
        self.states[world.parent] = world.state


def moved(record: IncludedCandidate, *, towards_invalid: bool) -> DisputeMoved:
    return DisputeMoved(*record.key(), towards_invalid)


async def finalize(stage: Stage, forks: Forks, world: World) -> None:
    forks.finalize(world)
    stage.overseer.block_finalized(BlockFinalizationEvent(world.parent, world.header))
    await stage.rest()


async def test_forks_are_considered_again_when_a_dispute_moves() -> None:
    world = included_world()
    forks, record = Forks(), candidate(world)
    forks.finalize(World(validators=4, parachains=[1]))
    viability = Viability()
    async with on_stage(ChainSelection(viability, forks, forks.reconsider)) as stage:
        await stage.say(moved(record, towards_invalid=True))
        assert forks.reconsidered == 1
        assert viability.first_unviable(world.state) == 2
        await stage.say(moved(record, towards_invalid=True))
        assert forks.reconsidered == 1, "it is no news"
        await stage.say(moved(record, towards_invalid=False))
        assert forks.reconsidered == 2
        assert viability.first_unviable(world.state) is None
        assert stage.journal() == []


async def test_an_invalid_candidate_that_is_final_raises_the_alarm_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world, _ = concluded_invalid()
    forks = Forks()
    forks.finalize(included_world())
    with caplog.at_level(logging.ERROR):
        async with on_stage(ChainSelection(Viability(), forks, forks.reconsider)) as stage:
            await finalize(stage, forks, world)
            world.add_block()
            await finalize(stage, forks, world)
            assert stage.journal() == ["chain.invalid_is_final"]
    (alarm,) = caplog.records
    assert alarm.levelno == logging.ERROR
    assert "block 2 is final" in alarm.getMessage()


async def test_a_dispute_about_what_is_final_raises_the_alarm() -> None:
    world = included_world()
    forks = Forks()
    forks.finalize(world)
    unknown = CandidateHash(H256(bytes(32)))
    async with on_stage(ChainSelection(Viability(), forks, forks.reconsider)) as stage:
        await stage.say(DisputeMoved(candidate(world).session, unknown, True))
        assert stage.journal() == []
        await stage.say(moved(candidate(world), towards_invalid=True))
        assert stage.journal() == ["chain.invalid_is_final"]
