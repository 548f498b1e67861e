"""The tree against a list of blocks and definitions applied to it word by word."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from parahost.chain.tree import BlockNode, BlockTree
from parahost.consensus.babe.verification import VerifiedHeader
from parahost.primitives.basic import H256, H512, U32, U64, ZERO_HASH, BlockNumber, Hash, Slot
from parahost.primitives.consensus import BabePreDigest, PrimaryPreDigest, SecondaryPlainPreDigest
from parahost.primitives.header import Header
from tests.consensus.babe.world import genesis_view


def claim(slot: int, primary: bool) -> BabePreDigest:
    if primary:
        return PrimaryPreDigest(U32(0), Slot(U64(slot)), H256(bytes(32)), H512(bytes(64)))
    return SecondaryPlainPreDigest(U32(0), Slot(U64(slot)))


@dataclass
class Plain:
    """A block as the naive model has it; ``way`` is the list from the first root to it."""

    hash: Hash
    primary: bool
    way: list[Plain] = field(default_factory=list)

    def __repr__(self) -> str:
        return self.hash.hex()[:8]


class TreeMachine(RuleBasedStateMachine):
    blocks = Bundle("blocks")

    @initialize(target=blocks)
    def start(self) -> Plain:
        header = Header(ZERO_HASH, BlockNumber(U32(0)), ZERO_HASH, ZERO_HASH)
        self.view = genesis_view()
        self.tree = BlockTree(BlockNode(VerifiedHeader(header, None, self.view)))
        self.root = Plain(header.hash(), False)
        self.root.way = [self.root]
        self.all = [self.root]
        self.left: list[Plain] = []
        return self.root

    def alive(self) -> list[Plain]:
        return [one for one in self.all if self.root in one.way]

    def weight(self, one: Plain) -> int:
        """Primary slots after the root."""
        return sum(step.primary for step in one.way[one.way.index(self.root) + 1 :])

    @rule(target=blocks, parent=blocks, primary=st.booleans())
    def insert(self, parent: Plain, primary: bool) -> Plain:
        if self.root not in parent.way:
            return parent
        order = len(self.all)
        number = BlockNumber(U32(len(parent.way)))
        header = Header(parent.hash, number, H256(order.to_bytes(32, "big")), ZERO_HASH)
        one = Plain(header.hash(), primary)
        one.way = [*parent.way, one]
        self.tree.insert(VerifiedHeader(header, claim(order, primary), self.view), order)
        self.all.append(one)
        return one

    @rule(blocks=st.lists(blocks, max_size=3))
    def leave(self, blocks: list[Plain]) -> None:
        self.left = [one for one in blocks if one in self.alive() and one is not self.root]
        nodes = [self.tree.get(one.hash) for one in self.left]
        self.tree.leave([node for node in nodes if node is not None])

    def viable(self, one: Plain) -> bool:
        """Whether no block on the way from the root, but for the root, is left."""
        return not any(step in self.left for step in one.way[one.way.index(self.root) + 1 :])

    @rule(block=blocks)
    def finalize(self, block: Plain) -> None:
        node = self.tree.get(block.hash)
        if node is None:
            assert self.root not in block.way
            return
        final, pruned = self.tree.pruning(node)
        before = block.way.index(self.root) + 1
        assert [one.hash for one in final] == [one.hash for one in block.way[before:]]
        gone = [one for one in self.alive() if block not in one.way and one not in block.way]
        assert [one.hash for one in pruned] == [one.hash for one in gone]
        self.tree.prune(node)
        self.root = block
        self.leave([one for one in self.left if one in self.alive()])

    @rule(block=blocks, data=st.data())
    def ancestor_of_a_number(self, block: Plain, data: st.DataObject) -> None:
        node = self.tree.get(block.hash)
        if node is None:
            return
        number = data.draw(st.integers(0, len(block.way)))
        found = self.tree.ancestor_at(node, number)
        kept = range(self.root.way.index(self.root), len(block.way))
        assert (None if found is None else found.hash) == (
            block.way[number].hash if number in kept else None
        )

    @rule(one=blocks, other=blocks)
    def ancestry(self, one: Plain, other: Plain) -> None:
        a, b = self.tree.get(one.hash), self.tree.get(other.hash)
        if a is None or b is None:
            return
        assert self.tree.is_ancestor(a, b) == (one in other.way)
        route = self.tree.route(a, b)
        common = [step for step in one.way if step in other.way][-1]
        assert route.common == common.hash
        back = one.way[one.way.index(common) + 1 :]
        forth = other.way[other.way.index(common) + 1 :]
        assert route.retracted == tuple(step.hash for step in reversed(back))
        assert route.enacted == tuple(step.hash for step in forth)

    @invariant()
    def same_blocks_and_same_best(self) -> None:
        alive = self.alive()
        assert len(self.tree) == len(alive)
        assert self.tree.root.hash == self.root.hash
        assert all(one.hash in self.tree for one in alive)
        parents = {one.way[-2].hash for one in alive if one is not self.root}
        leaves = {one.hash for one in alive} - parents
        assert {node.hash for node in self.tree.leaves()} == leaves
        viable = [one for one in alive if self.viable(one)]
        assert {one.hash for one in alive if self.tree.get(one.hash).viable} == {  # type: ignore[union-attr]
            one.hash for one in viable
        }
        assert self.tree.some_are_left is (viable != alive)
        best = max(viable, key=lambda one: (self.weight(one), len(one.way), -self.all.index(one)))
        assert self.tree.best.hash == best.hash
        heads = self.tree.heads()
        assert heads[0] is self.tree.best
        built_on = {one.way[-2].hash for one in viable if one is not self.root}
        assert {node.hash for node in heads} == {one.hash for one in viable} - built_on
        order = [node.viable for node in self.tree.leaves()]
        assert order == sorted(order, reverse=True)


TreeMachine.TestCase.settings = settings(max_examples=40, stateful_step_count=30, deadline=None)
TestTree = TreeMachine.TestCase


def test_what_stays_at_a_pruning_keeps_its_order() -> None:
    machine = TreeMachine()
    root = machine.start()
    first = machine.insert(parent=root, primary=False)
    machine.insert(parent=first, primary=False)
    machine.insert(parent=root, primary=False)
    machine.finalize(block=root)
    last = machine.insert(parent=first, primary=False)
    machine.finalize(block=last)
    machine.same_blocks_and_same_best()


@contextmanager
def steps_counted() -> Iterator[list[int]]:
    """Each look at a block's jump is a step of a way down."""
    looked: list[int] = []
    slot: Any = BlockNode.__dict__["jump"]

    class Watched:
        def __get__(self, node: BlockNode, owner: type[BlockNode]) -> Any:
            looked.append(node.number)
            return slot.__get__(node, owner)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BlockNode, "jump", Watched())
        yield looked


def test_the_way_down_a_long_chain_is_short_after_pruning_too() -> None:
    """A day without finality is 14,400 blocks, and ancestry is asked for many times in each."""
    machine = TreeMachine()
    machine.start()
    chain = [machine.root.hash]
    for order in range(1, 3001):
        number = BlockNumber(U32(order))
        header = Header(chain[-1], number, ZERO_HASH, ZERO_HASH)
        machine.tree.insert(VerifiedHeader(header, claim(order, True), machine.view), order)
        chain.append(header.hash())
    tree = machine.tree
    for root in (0, 1000, 1001):
        node = tree.get(chain[root])
        assert node is not None
        if root:
            tree.prune(node)
        for wanted in (root, root + 1, 1234, 2047, 2998):
            with steps_counted() as steps:
                found = tree.ancestor_at(tree.best, wanted)
            assert found is tree.get(chain[wanted])
            assert len(steps) <= 3 * math.log2(3000)
