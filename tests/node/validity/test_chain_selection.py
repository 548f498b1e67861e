"""Chain Selection: which forks are left, and what is said of what is final (D23, D27)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from parahost.consensus.grandpa import BlockRef
from parahost.node.messages.base import Message
from parahost.node.messages.validity import (
    ApprovalsMoved,
    ApprovedAncestor,
    DisputeMoved,
    UndisputedChain,
)
from parahost.node.validity.chain_selection import ChainSelection, Consequences
from parahost.node.validity.viability import Viability
from parahost.node.validity.voting_limit import VotingLimit
from parahost.primitives.basic import (
    FIRST_BLOCK,
    H256,
    BlockNumber,
    CandidateHash,
    Hash,
    block_at,
)
from parahost.primitives.disputes import DisputeOutcome
from parahost.primitives.events import BlockFinalizationEvent
from parahost.primitives.header import Block, Header
from parahost.primitives.runtime_api import IncludedCandidate
from parahost.runtime.storage import State
from tests.chain.world import Forge, open_chain
from tests.node.backing.world import Silent, Stage, on_stage
from tests.node.harness import scripted_leaf
from tests.runtime.parachains.test_disputes import (
    CONFIG,
    VALIDATORS,
    candidate,
    concluded_invalid,
    included_world,
    outsiders,
    state,
    votes,
)
from tests.runtime.parachains.world import World


def ref(block: Block) -> BlockRef:
    return BlockRef(block.header.hash(), block.header.number)


# What a state says


def test_nothing_is_held_against_a_fork_by_itself() -> None:
    assert Viability().first_unviable(included_world().state, FIRST_BLOCK) is None


@pytest.mark.guide("A57")
def test_a_frozen_fork_is_left_before_the_block_that_included_the_candidate() -> None:
    """The candidate was included by block 2, and found invalid by a supermajority in block 4."""
    world, record = concluded_invalid()
    assert record.included_in == 2
    assert Viability().first_unviable(world.state, FIRST_BLOCK) == 2
    world.add_block()
    assert Viability().first_unviable(world.state, FIRST_BLOCK) == 2


def test_a_fork_is_left_from_the_block_on_whose_candidate_is_held_against_it() -> None:
    world = included_world()
    before, record = world.state, candidate(world)
    world.include(1)
    later = max(world.api.included_candidates(world.state), key=lambda each: each.included_in)
    assert (record.included_in, later.included_in) == (2, 4)
    viability = Viability()
    assert viability.note(later.key(), towards_invalid=True)
    assert viability.first_unviable(world.state, FIRST_BLOCK) == 4
    assert viability.first_unviable(before, FIRST_BLOCK) is None
    assert viability.note(record.key(), towards_invalid=True)
    assert viability.first_unviable(world.state, FIRST_BLOCK) == 2
    assert not viability.note(record.key(), towards_invalid=True)
    assert viability.note(record.key(), towards_invalid=False)
    assert not viability.note(record.key(), towards_invalid=False)
    assert viability.first_unviable(world.state, FIRST_BLOCK) == 4


def test_what_is_bad_in_a_final_block_hides_nothing_above_it() -> None:
    """The candidates of blocks 2 and 4 are found invalid at once; the state keeps the lower."""
    world = World(
        validators=VALIDATORS, parachains=[1, 2, 3, 4], validity=CONFIG, acceptance_period=4
    )
    world.include(1)
    world.include(1)
    records = sorted(world.api.included_candidates(world.state), key=lambda each: each.key())
    assert {each.included_in for each in records} == {2, 4}
    sets = [votes(each.key(), against=outsiders(each)) for each in records]
    world.add_block(disputes=sets)
    assert {state(world, each).outcome for each in records} == {DisputeOutcome.INVALID}
    found = [Viability().first_unviable(world.state, block_at(above)) for above in (0, 1, 2, 3, 4)]
    assert found == [2, 2, 4, 4, None]


# Where votes stop


def test_votes_stop_at_the_limit_on_its_chain_and_nowhere_else() -> None:
    forge, chain = Forge(), open_chain()
    line = [forge.block(forge.genesis, b"a0")]
    for number in range(1, 4):
        line.append(forge.block(line[-1].header.hash(), b"a%d" % number))
    other = forge.block(line[0].header.hash(), b"b1", after=9)
    for block in (*line, other):
        chain.import_block(block)
    one, two, three, four = map(ref, line)
    limit = VotingLimit(chain, BlockRef(forge.genesis, FIRST_BLOCK))
    assert limit.rule(one, four) == limit.block, "nothing is known of what follows"
    limit.block = three
    assert limit.rule(one, four) == three
    assert limit.rule(one, two) == two, "the vote would not be for more"
    assert limit.rule(one, ref(other)) == one, "nothing is known of that fork"


# The subsystem


@dataclass
class Line:
    """A chain without forks: the blocks of a :class:`World`."""

    world: World
    final: int = 0
    headers: list[Header] = field(default_factory=list)
    states: dict[Hash, State] = field(default_factory=dict)
    reconsidered: int = 0
    told: int = 0
    """How often GRANDPA was told that the limit has moved."""

    def __post_init__(self) -> None:
        self.grow()

    def grow(self) -> None:
        self.headers.append(self.world.header)
        self.states[self.world.parent] = self.world.state

    @property
    def best(self) -> Header:
        return self.headers[-1]

    @property
    def best_hash(self) -> Hash:
        return self.best.hash()

    @property
    def finalized(self) -> Header:
        return self.headers[self.final]

    @property
    def finalized_hash(self) -> Hash:
        return self.finalized.hash()

    def state(self, block: Hash, /) -> State:
        return self.states[block]

    def is_ancestor(self, ancestor: Hash, block: Hash, /) -> bool:
        line = [header.hash() for header in self.headers]
        return line.index(ancestor) <= line.index(block)

    def ancestors(self, block: Hash, count: int, /) -> list[Hash]:
        line = [header.hash() for header in self.headers]
        at = line.index(block)
        return line[max(at - count, 0) : at][::-1]

    def ref(self, place: int) -> BlockRef:
        return BlockRef(self.headers[place].hash(), self.headers[place].number)

    def reconsider(self) -> None:
        self.reconsidered += 1

    def tell(self) -> None:
        self.told += 1


class Scene:
    """A :class:`Line`, of which others say what is approved and what is disputed."""

    def __init__(self, world: World, final: int = 0) -> None:
        self.line = Line(world, final)
        self.viability = Viability()
        self.limit = VotingLimit(self.line, self.line.ref(0))
        self.approved = 0
        self.disputed: set[CandidateHash] = set()

    def subsystem(self) -> ChainSelection:
        consequences = Consequences(self.line.reconsider, self.line.tell)
        return ChainSelection(self.line, self.viability, self.limit, consequences)

    def answers(self) -> dict[type[Message], Callable[[Any], Any]]:
        return {ApprovedAncestor: self._approved, UndisputedChain: self._undisputed}

    def _approved(self, asked: ApprovedAncestor) -> tuple[Hash, BlockNumber]:
        assert asked.target == (self.line.best_hash, self.line.best.number)
        highest = self.line.ref(max(self.approved, self.line.final))
        assert asked.base[1] <= highest.number, "what is approved stays so"
        return highest.hash, highest.number

    def _undisputed(self, asked: UndisputedChain) -> Hash:
        """As the coordinator does it."""
        last = asked.base
        for each in asked.blocks:
            if self.disputed.intersection(each.candidates):
                return last
            last = each.block
        return last


async def import_block(stage: Stage, scene: Scene) -> None:
    scene.line.grow()
    header = scene.line.best
    stage.overseer.block_imported(scripted_leaf(header.hash(), header.number, header.parent_hash))
    await stage.rest()


async def finalize(stage: Stage, scene: Scene, place: int) -> None:
    scene.line.final = place
    header = scene.line.finalized
    stage.overseer.block_finalized(BlockFinalizationEvent(header.hash(), header))
    await stage.rest()


def moved(record: IncludedCandidate, *, towards_invalid: bool) -> DisputeMoved:
    return DisputeMoved(*record.key(), towards_invalid)


async def test_forks_are_considered_again_when_a_dispute_moves() -> None:
    world = included_world()
    record = candidate(world)
    scene = Scene(World(validators=4, parachains=[1]))
    async with on_stage(scene.subsystem(), answers=scene.answers()) as stage:
        await stage.say(moved(record, towards_invalid=True))
        assert scene.line.reconsidered == 1
        assert scene.viability.first_unviable(world.state, FIRST_BLOCK) == 2
        await stage.say(moved(record, towards_invalid=True))
        assert scene.line.reconsidered == 1, "it is no news"
        await stage.say(moved(record, towards_invalid=False))
        assert scene.line.reconsidered == 2
        assert scene.viability.first_unviable(world.state, FIRST_BLOCK) is None
        assert stage.journal() == []


@pytest.mark.guide("A55")
async def test_votes_follow_what_is_approved() -> None:
    world = World(validators=4, parachains=[1])
    scene = Scene(world)
    async with on_stage(scene.subsystem(), answers=scene.answers()) as stage:
        for _ in range(3):
            world.add_block()
            await import_block(stage, scene)
        assert (scene.limit.block, scene.line.told) == (scene.line.ref(0), 0)
        scene.approved = 2
        await stage.say(ApprovalsMoved())
        assert (scene.limit.block, scene.line.told) == (scene.line.ref(2), 1)
        await stage.say(ApprovalsMoved())
        assert scene.line.told == 1, "it is no news"
        scene.approved = 3
        await finalize(stage, scene, 1)
        assert (scene.limit.block, scene.line.told) == (scene.line.ref(3), 2)
        assert stage.heard(UndisputedChain) == [], "there has been no dispute"


async def test_votes_stop_below_what_is_disputed_whoever_is_right() -> None:
    """The candidates of para 1 are included by blocks 2 and 4."""
    world = World(validators=VALIDATORS, parachains=[1, 2])
    scene = Scene(world)
    scene.line.headers.clear()
    world.add_block = _growing(scene, world.add_block)  # type: ignore[method-assign]
    scene.line.grow()
    world.include(1)
    world.include(1)
    first, second = sorted(
        world.api.included_candidates(world.state), key=lambda each: each.included_in
    )
    assert (first.included_in, second.included_in) == (2, 4)
    scene.approved = 4
    async with on_stage(scene.subsystem(), answers=scene.answers()) as stage:
        await stage.say(ApprovalsMoved())
        assert scene.limit.block.number == 4
        scene.disputed = {second.receipt.hash()}
        await stage.say(moved(second, towards_invalid=False))
        assert scene.limit.block == scene.line.ref(3)
        assert scene.line.reconsidered == 0, "it is built on still"
        scene.disputed |= {first.receipt.hash()}
        await stage.say(moved(first, towards_invalid=True))
        assert scene.limit.block == scene.line.ref(1)
        await finalize(stage, scene, 1)
        asked = stage.heard(UndisputedChain)[-1]
        assert [each.block for each in asked.blocks] == [
            header.hash() for header in scene.line.headers[2:5]
        ]
        scene.disputed = set()
        await stage.say(moved(first, towards_invalid=False))
        assert scene.limit.block == scene.line.ref(4)


async def test_only_what_the_chain_still_records_is_asked_about() -> None:
    """However long ago the last block became final."""
    world = World(validators=VALIDATORS, parachains=[1, 2], acceptance_period=3)
    scene = Scene(world)
    scene.line.headers.clear()
    world.add_block = _growing(scene, world.add_block)  # type: ignore[method-assign]
    scene.line.grow()
    world.include(1)
    for _ in range(40):
        world.add_block()
    world.include(1)
    scene.approved = len(scene.line.headers) - 1
    (record,) = world.api.included_candidates(world.state)
    async with on_stage(scene.subsystem(), answers=scene.answers()) as stage:
        await stage.say(moved(record, towards_invalid=False))
        (asked,) = stage.heard(UndisputedChain)
        assert [each.candidates for each in asked.blocks] == [(record.receipt.hash(),)]
        assert scene.limit.block == scene.line.ref(record.included_in)
        scene.disputed = {record.receipt.hash()}
        await stage.say(moved(record, towards_invalid=True))
        assert scene.limit.block == scene.line.ref(record.included_in - 1)
        for _ in range(5):
            world.add_block()
        scene.approved = len(scene.line.headers) - 1
        await stage.say(ApprovalsMoved())
        assert scene.limit.block == scene.line.ref(-1), "it was accepted, and its period is over"


def _growing(scene: Scene, add_block: Callable[..., State]) -> Callable[..., State]:
    """Each block of the world is the line's as well."""

    def add(*args: Any, **named: Any) -> State:
        state = add_block(*args, **named)
        scene.line.grow()
        return state

    return add


async def test_who_does_not_answer_is_asked_again() -> None:
    world = World(validators=4, parachains=[1])
    scene = Scene(world)

    def drop(asked: ApprovedAncestor) -> None:
        asked.reply.drop()
        raise Silent

    async with on_stage(scene.subsystem(), answers={ApprovedAncestor: drop}) as stage:
        world.add_block()
        await import_block(stage, scene)
        stage.neighbours.answers |= scene.answers()
        scene.approved = 1
        await stage.say(ApprovalsMoved())
        assert scene.limit.block == scene.line.ref(1)


async def test_an_invalid_candidate_that_is_final_raises_the_alarm_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    world, _ = concluded_invalid()
    scene = Scene(world)
    with caplog.at_level(logging.ERROR):
        async with on_stage(scene.subsystem(), answers=scene.answers()) as stage:
            await finalize(stage, scene, 0)
            world.add_block()
            await import_block(stage, scene)
            await finalize(stage, scene, 1)
            assert stage.journal() == ["chain.invalid_is_final"]
    (alarm,) = caplog.records
    assert alarm.levelno == logging.ERROR
    assert "block 2 is final" in alarm.getMessage()


async def test_a_dispute_about_what_is_final_raises_the_alarm() -> None:
    world = included_world()
    scene = Scene(world)
    unknown = CandidateHash(H256(bytes(32)))
    async with on_stage(scene.subsystem(), answers=scene.answers()) as stage:
        await stage.say(DisputeMoved(candidate(world).session, unknown, True))
        assert stage.journal() == []
        await stage.say(moved(candidate(world), towards_invalid=True))
        assert stage.journal() == ["chain.invalid_is_final"]
