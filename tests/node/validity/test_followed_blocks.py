"""Which blocks approval voting follows: by what the chain records, on each fork, and finality."""

from __future__ import annotations

from parahost.node.validity.checked_block import CheckedBlock
from parahost.node.validity.followed_blocks import FORKS_WITHIN, FollowedBlocks
from parahost.primitives.basic import FIRST_BLOCK, BlockNumber, Hash
from tests.node.validity.world import GENESIS, Parents, checked
from tests.runtime.parachains.world import block as block_number

PERIOD = 50
"""Blocks for which the chain records an included candidate."""


class Followed:
    """The set, with a chain of bare blocks."""

    def __init__(self) -> None:
        self.chain = Parents()
        self.blocks = FollowedBlocks(self.chain, FIRST_BLOCK)

    def meets(self, number: int, parent: Hash, fork: str = "") -> CheckedBlock:
        block = checked(f"block {number} {fork}", number, parent)
        self.chain.of[block.hash] = parent
        assert self.blocks.meet(block)
        return block

    def forgets(self, best: int, recorded: set[BlockNumber]) -> list[int]:
        past = self.blocks.past(block_number(best), recorded)
        for block in past:
            self.blocks.forget(block)
        return [block.number for block in past]

    def numbers(self) -> list[int]:
        return sorted(block.number for block in self.blocks)


def recorded_at(best: int) -> set[BlockNumber]:
    return {block_number(n) for n in range(max(best - PERIOD, 1), best + 1)}


def test_without_finality_as_many_are_followed_after_thousands_of_blocks_as_after_some() -> None:
    """Each third block has a rival."""
    it, parent = Followed(), GENESIS
    for number in range(1, 3001):
        block = it.meets(number, parent)
        if number % 3 == 0:
            it.meets(number, parent, "rival")
        gone = it.forgets(number, recorded_at(number))
        parent = block.hash
        if number > PERIOD + FORKS_WITHIN + 1:
            assert set(gone) == {number - PERIOD - FORKS_WITHIN - 1}
    oldest = 3000 - PERIOD - FORKS_WITHIN
    assert set(it.numbers()) == set(range(oldest, 3001))
    assert it.blocks.knows(parent)
    assert not it.blocks.knows(it.blocks.on_fork(parent)[0].hash)


def test_what_the_chain_goes_on_recording_is_followed_and_nothing_else() -> None:
    it, parent = Followed(), GENESIS
    stuck = {block_number(3), block_number(40)}
    for number in range(1, 501):
        parent = it.meets(number, parent).hash
        it.forgets(number, recorded_at(number) | stuck)
    assert it.numbers()[:3] == [3, 40, 500 - PERIOD - FORKS_WITHIN]


def test_a_head_that_records_a_block_again_begins_its_time_anew() -> None:
    it = Followed()
    it.meets(1, GENESIS)
    assert it.forgets(10, set()) == []
    assert it.forgets(10 + FORKS_WITHIN - 1, set()) == []
    assert it.forgets(10 + FORKS_WITHIN, {block_number(1)}) == []
    assert it.forgets(11 + FORKS_WITHIN, set()) == []
    assert it.forgets(11 + 2 * FORKS_WITHIN, set()) == [1]


def test_a_head_far_behind_ends_nothing() -> None:
    """The best block only rises; what is above a head of a fork is not past by that."""
    it, parent = Followed(), GENESIS
    for number in range(1, 31):
        parent = it.meets(number, parent).hash
    it.forgets(30, recorded_at(30))
    assert it.forgets(3, recorded_at(3)) == []


def test_finality_ends_other_forks_and_what_is_final_is_for_others_to_end() -> None:
    it = Followed()
    one = it.meets(1, GENESIS)
    rival = it.meets(1, GENESIS, "rival")
    two, on_rival = it.meets(2, one.hash), it.meets(2, rival.hash, "rival")
    lost = it.blocks.lost_to(one.hash, one.number)
    assert lost == [rival, on_rival]
    for block in lost:
        it.blocks.forget(block)
    assert it.blocks.final == 1
    assert it.forgets(100, set()) == []
    assert it.forgets(200, set()) == [2], "that is final, and waits for the chain to accept"
    assert it.blocks.lost_to(two.hash, two.number) == []
    assert it.numbers() == [1]
