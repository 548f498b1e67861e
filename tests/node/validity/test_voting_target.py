"""What a validator votes for, of what its chain has and its voting limit allows (D27)."""

from __future__ import annotations

import pytest

from parahost.chain.chain import Chain
from parahost.consensus.grandpa import BlockRef
from parahost.consensus.grandpa.authorities import AuthorityState
from parahost.consensus.grandpa.target import VotingTarget
from parahost.node.validity.voting_limit import VotingLimit
from parahost.primitives.basic import FIRST_BLOCK, H256, U64, Hash, block_at
from parahost.primitives.header import Block
from tests.chain.world import Forge, open_chain


def ref(block: Block) -> BlockRef:
    return BlockRef(block.header.hash(), block.header.number)


class Scene:
    """Blocks 1 to 4, the best chain; and 2 and 3 of another fork on 1. All but what a test says is
    approved and undisputed."""

    def __init__(self) -> None:
        forge, self.chain = Forge(), open_chain()
        self.genesis = BlockRef(forge.genesis, FIRST_BLOCK)
        line = forge.line(forge.genesis, 4)
        beside = [forge.block(line[0].header.hash(), b"b2", primary=False, after=9)]
        beside.append(forge.block(beside[0].header.hash(), b"b3", primary=False))
        for block in (*line, *beside):
            self.chain.import_block(block)
        self.line, self.beside = [ref(each) for each in line], [ref(each) for each in beside]
        assert self.chain.best_hash == self.line[-1].hash

    def votes_for(self, base: BlockRef, limit: BlockRef) -> BlockRef | None:
        """With these surroundings of a round."""
        rule = VotingLimit(self.chain, limit).rule
        state = AuthorityState(U64(0), (), self.genesis)
        return VotingTarget(self.chain, lambda: state, rule).best_containing(base)


def leave(chain: Chain, number: int) -> None:
    """Nobody builds on the best chain from that block on."""
    chain.first_unviable = lambda state, above: block_at(number)
    chain.reconsider()


@pytest.mark.parametrize("stop", range(4))
def test_a_vote_goes_as_far_as_all_is_well_on_the_best_chain(stop: int) -> None:
    """Be what follows disputed, or not approved: its descendants are no better."""
    scene = Scene()
    assert scene.votes_for(scene.genesis, scene.line[stop]) == scene.line[stop]
    for base in scene.line[: stop + 1]:
        assert scene.votes_for(base, scene.line[stop]) == scene.line[stop]


def test_a_vote_never_goes_below_what_the_round_has_come_to() -> None:
    scene = Scene()
    assert scene.votes_for(scene.line[2], scene.line[0]) == scene.line[2]
    assert scene.votes_for(scene.line[3], scene.line[3]) == scene.line[3]


def test_on_another_fork_a_vote_goes_no_further_than_it_must() -> None:
    """Nothing is known of the checks there; but where the round has gone to, it is voted for."""
    scene = Scene()
    assert scene.votes_for(scene.beside[0], scene.line[3]) == scene.beside[0]
    assert scene.votes_for(scene.line[0], scene.beside[1]) == scene.line[0]


def test_for_an_unknown_block_nobody_votes() -> None:
    scene = Scene()
    unknown = BlockRef(Hash(H256(b"\x77" * 32)), block_at(2))
    assert scene.votes_for(unknown, scene.line[3]) is None


def test_on_a_fork_that_is_left_a_vote_goes_no_further_than_it_must() -> None:
    """Chain Selection finds a new limit later: till then the old one is of a fork that is left."""
    scene = Scene()
    leave(scene.chain, 2)
    assert scene.chain.best_hash == scene.line[0].hash
    assert scene.votes_for(scene.genesis, scene.line[2]) == scene.line[0]
    assert scene.votes_for(scene.line[1], scene.line[0]) == scene.line[1]
