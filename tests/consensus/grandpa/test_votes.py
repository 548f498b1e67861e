"""The counting of a round against the paper's definitions, taken literally."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.consensus.grandpa.blocks import BlockRef
from parahost.consensus.grandpa.graph import NotInGraph, Support, VoteGraph
from parahost.consensus.grandpa.messages import SignedMessage
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.grandpa.votes import Added, RoundState, RoundVotes, Stage
from parahost.primitives.basic import H256, H512, GrandpaId, GrandpaSignature
from parahost.primitives.consensus import Precommit, Prevote, PrimaryPropose
from parahost.primitives.header import Header
from tests.consensus.grandpa.world import GENESIS, Tree, chain_of, child, ref


def voter(index: int) -> GrandpaId:
    return GrandpaId(H256(bytes([index + 1]) * 32))


def vote(
    kind: type[Prevote] | type[Precommit] | type[PrimaryPropose], block: Header, index: int
) -> SignedMessage:
    message = kind(block.hash(), block.number)
    return SignedMessage(message, GrandpaSignature(H512(bytes(64))), voter(index))


class Naive:
    """The definitions, over all blocks of a tree and all sets of votes, without any cleverness."""

    def __init__(self, blocks: list[Header], weights: list[int]) -> None:
        self.tree = Tree()
        self.blocks = [ref(GENESIS), *map(ref, blocks)]
        for block in blocks:
            self.tree.add(block)
        self.weights = weights
        self.total = sum(weights)
        self.threshold = self.total - (self.total - 1) // 3
        self.votes: dict[type, dict[int, list[BlockRef]]] = {Prevote: {}, Precommit: {}}

    def at_or_below(self, block: BlockRef, ancestor: BlockRef) -> bool:
        return self.tree.is_ancestor(ancestor.hash, block.hash)

    def weight(self, kind: type, block: BlockRef) -> int:
        return sum(
            self.weights[index]
            for index, targets in self.votes[kind].items()
            if len(targets) > 1 or self.at_or_below(targets[0], block)
        )

    def highest(
        self, blocks: list[BlockRef], condition: Callable[[BlockRef], bool]
    ) -> BlockRef | None:
        return max(filter(condition, blocks), key=lambda block: block.number, default=None)

    def possible(self, block: BlockRef) -> bool:
        """Whether the block may still get a supermajority: everybody who has not precommitted for
        it does, as far as that takes no more equivocators than are tolerated."""
        votes = self.votes[Precommit]
        equivocating = sum(self.weights[i] for i, targets in votes.items() if len(targets) > 1)
        missing = sum(w for i, w in enumerate(self.weights) if i not in votes)
        behind = self.weight(Precommit, block)
        others = self.total - missing - behind
        budget = max(self.total - self.threshold - equivocating, 0)
        return behind + missing + min(others, budget) >= self.threshold

    def state(self) -> RoundState:
        prevoted = sum(self.weights[index] for index in self.votes[Prevote])
        if prevoted < self.threshold:
            return RoundState(None, None, None, False)
        ghost = self.highest(
            self.blocks, lambda block: self.weight(Prevote, block) >= self.threshold
        )
        assert ghost is not None
        above = [block for block in self.blocks if self.at_or_below(ghost, block)]
        below = [block for block in self.blocks if self.at_or_below(block, ghost)]
        if sum(self.weights[index] for index in self.votes[Precommit]) < self.threshold:
            return RoundState(ghost, None, ghost, False)
        final = self.highest(above, lambda block: self.weight(Precommit, block) >= self.threshold)
        estimate = self.highest(above, self.possible)
        completable = estimate is not None and (
            estimate != ghost or not any(self.possible(block) for block in below if block != ghost)
        )
        return RoundState(ghost, final, estimate, completable)


@st.composite
def trees(draw: st.DrawFn) -> list[Header]:
    blocks: list[Header] = []
    for salt in range(draw(st.integers(1, 9))):
        parent = draw(st.sampled_from([GENESIS, *blocks]))
        blocks.append(child(parent, salt))
    return blocks


@st.composite
def elections(draw: st.DrawFn) -> tuple[list[Header], list[int], list[SignedMessage]]:
    """A tree, weights, and votes of which at most f by weight equivocate of each kind."""
    blocks = draw(trees())
    weights = draw(st.lists(st.integers(1, 4), min_size=1, max_size=7))
    faults = (sum(weights) - 1) // 3
    votes: list[SignedMessage] = []
    for kind in (Prevote, Precommit):
        budget = faults
        for index, weight in enumerate(weights):
            count = draw(st.integers(0, 2 if weight <= budget else 1))
            budget -= weight if count == 2 else 0
            targets = draw(
                st.lists(
                    st.sampled_from([GENESIS, *blocks]), min_size=count, max_size=count, unique=True
                )
            )
            votes += [vote(kind, target, index) for target in targets]
    return blocks, weights, draw(st.permutations(votes))


@settings(max_examples=300, deadline=None)
@given(elections())
def test_every_state_is_as_the_definitions_say(
    election: tuple[list[Header], list[int], list[SignedMessage]],
) -> None:
    blocks, weights, votes = election
    naive = Naive(blocks, weights)
    voters = VoterSet((voter(index), weight) for index, weight in enumerate(weights))
    counted = RoundVotes(1, voters, ref(GENESIS), naive.tree)
    states = [counted.state]
    for one in votes:
        index = voters.index(one.id)
        assert index is not None
        earlier = naive.votes[type(one.message)].setdefault(index, [])
        earlier.append(one.target)
        expected = Added.COUNTED if len(earlier) == 1 else Added.EQUIVOCATION
        assert counted.add(one) is expected
        assert counted.add(one) is Added.DUPLICATE
        assert counted.state == naive.state()
        states.append(counted.state)
    for before, after in pairwise(states):
        if before.finalized is not None:
            assert after.finalized is not None
            assert naive.at_or_below(after.finalized, before.finalized)
        if before.completable:
            assert after.completable
            assert before.estimate is not None and after.estimate is not None
            assert naive.at_or_below(before.estimate, after.estimate)


def test_an_equivocator_counts_once_for_every_block() -> None:
    tree = Tree()
    left, right = chain_of(GENESIS, 2, 1), chain_of(GENESIS, 2, 2)
    for block in left + right:
        tree.add(block)
    votes = RoundVotes(1, VoterSet([(voter(i), 1) for i in range(4)]), ref(GENESIS), tree)
    votes.add(vote(Prevote, left[1], 0))
    votes.add(vote(Prevote, left[0], 1))
    assert votes.state.prevote_ghost is None
    assert votes.add(vote(Prevote, right[0], 2)) is Added.COUNTED
    assert votes.state.prevote_ghost == ref(GENESIS)
    assert votes.add(vote(Prevote, right[1], 2)) is Added.EQUIVOCATION
    assert votes.add(vote(Prevote, left[1], 2)) is Added.SUPERFLUOUS
    assert votes.state.prevote_ghost == ref(left[0])
    proof = votes.equivocation(voter(2), Stage.PREVOTE, 9)
    assert (proof.offender, proof.set_id, proof.round) == (voter(2), 9, 1)
    assert {proof.first.target_hash, proof.second.target_hash} == {b.hash() for b in right}


def test_only_the_primary_proposes() -> None:
    voters = VoterSet([(voter(i), 1) for i in range(4)])
    votes = RoundVotes(6, voters, ref(GENESIS), Tree())
    assert votes.add(vote(PrimaryPropose, GENESIS, 1)) is Added.SUPERFLUOUS
    assert votes.proposal is None
    assert votes.add(vote(PrimaryPropose, GENESIS, 2)) is Added.COUNTED
    assert votes.proposal is not None and votes.proposal.id == voter(2)


def test_votes_off_the_base_are_refused() -> None:
    tree = Tree()
    main, side = chain_of(GENESIS, 3, 1), chain_of(GENESIS, 3, 2)
    for block in main + side[:2]:
        tree.add(block)
    graph = VoteGraph(ref(main[0]), tree)
    wrong_number = BlockRef(main[2].hash(), main[1].number)
    for bad in (ref(GENESIS), ref(side[1]), ref(side[2]), wrong_number):
        with pytest.raises(NotInGraph) as error:
            graph.insert(bad, prevotes=1)
        assert error.value.target == bad
    assert graph.ghost(lambda support: support.prevotes != 0) is None
    graph.insert(ref(main[2]), prevotes=1)
    graph.insert(ref(main[1]), precommits=2)
    assert graph.ghost(lambda support: support == Support(1, 2)) == ref(main[1])


@given(st.lists(st.integers(0, 5), min_size=1, max_size=40).filter(any), st.randoms())
def test_weights_of_sets(weights: list[int], random: object) -> None:
    voters = VoterSet((voter(index), weight) for index, weight in enumerate(weights))
    heavy = [weight for weight in weights if weight]
    assert len(voters) == len(heavy)
    chosen = [index for index in range(len(heavy)) if random.random() < 0.5]  # type: ignore[attr-defined]
    assert voters.weight(sum(1 << index for index in chosen)) == sum(heavy[i] for i in chosen)
    tolerated = voters.total - voters.threshold
    assert 3 * tolerated < voters.total <= 3 * tolerated + 3
