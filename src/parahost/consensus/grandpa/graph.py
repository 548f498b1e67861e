"""The vote graph: which voters stand behind each block, and the blocks that enough stand behind.

A vote for a block is a vote for its ancestors. Only blocks where the weight can change are
nodes: the base, the blocks voted for, and where their branches part. The blocks on the way from
a node to its parent have the node's weight, so every highest block that meets a condition on
weights is a node; a vote costs as many steps as there are nodes above it, and the way between
two nodes is walked once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field

from parahost.consensus.grandpa.blocks import BlockRef, HeaderSource
from parahost.primitives.basic import U32, ZERO_HASH, BlockNumber, Hash
from parahost.primitives.values import dataclass


class NotInGraph(Exception):
    """A vote's target is not known, or not under that number, or not at or below the base."""

    def __init__(self, target: BlockRef, why: str) -> None:
        super().__init__(f"vote for {target}: {why}")
        self.target = target


@dataclass(frozen=True, slots=True)
class Support:
    """Those who voted for a block or its descendants, as sets of voters."""

    prevotes: int
    precommits: int


Condition = Callable[[Support], bool]
"""Holds for a block's ancestors if it holds for the block."""


@dataclass(slots=True)
class _Node:
    block: BlockRef
    parent: _Node | None
    prevotes: int = 0
    precommits: int = 0
    children: list[_Node] = field(default_factory=list)

    def meets(self, condition: Condition) -> bool:
        return condition(Support(self.prevotes, self.precommits))


@dataclass(slots=True)
class _Place:
    """A block walked once. It may leave the block tree later, but not this graph."""

    number: int
    parent: Hash
    node: _Node
    """The node at the block or next below it."""


class VoteGraph:
    """Votes at and below a base block. Voters count once for each block, however they vote."""

    def __init__(self, base: BlockRef, headers: HeaderSource) -> None:
        self.base = base
        self._headers = headers
        root = _Node(base, None)
        self._root = root
        self._places: dict[Hash, _Place] = {base.hash: _Place(base.number, ZERO_HASH, root)}

    def insert(self, target: BlockRef, *, prevotes: int = 0, precommits: int = 0) -> None:
        """Add voters to a block and its ancestors.

        :raises NotInGraph: when the target does not descend from the base.
        """
        node: _Node | None = self._node(target)
        while node is not None:
            node.prevotes |= prevotes
            node.precommits |= precommits
            node = node.parent

    def ghost(self, condition: Condition) -> BlockRef | None:
        """The highest block that meets the condition, going down from the base; ``None`` when
        the base does not. Where two branches do, the one voted for first."""
        if not self._root.meets(condition):
            return None
        node, going_down = self._root, True
        while going_down:
            below = next((child for child in node.children if child.meets(condition)), None)
            node, going_down = (below, True) if below is not None else (node, False)
        return node.block

    def highest_ancestor(self, of: BlockRef, condition: Condition) -> BlockRef | None:
        """The highest of a voted-for block and its ancestors that meets the condition."""
        node: _Node | None = self._node(of)
        while node is not None and not node.meets(condition):
            node = node.parent
        return node.block if node is not None else None

    def any_below(self, block: BlockRef, condition: Condition) -> bool:
        """Whether some voted-for descendant of the block meets the condition."""
        return any(child.meets(condition) for child in self._node(block).children)

    def descends(self, block: BlockRef, ancestor: BlockRef) -> bool:
        """Whether a block is another or descends from it.

        :raises NotInGraph: when one of them does not descend from the base.
        """
        upper, node = self._node(ancestor), self._node(block)
        while node is not upper and node.parent is not None:
            node = node.parent
        return node is upper

    def _node(self, target: BlockRef) -> _Node:
        walked: list[tuple[Hash, Hash]] = []
        at = target.hash
        while (place := self._places.get(at)) is None:
            if target.number - len(walked) <= self.base.number:
                raise NotInGraph(target, f"does not descend from the base {self.base}")
            header = self._headers.header(at)
            if header is None:
                raise NotInGraph(target, f"block {at.hex()} is not known")
            walked.append((at, header.parent_hash))
            at = header.parent_hash
        if place.number + len(walked) != target.number:
            raise NotInGraph(target, f"its number is {place.number + len(walked)}")
        joint = place.node if place.node.block.hash == at else self._split(at, place)
        if not walked:
            return joint
        node = _Node(target, joint)
        joint.children.append(node)
        for distance, (block, parent) in enumerate(walked):
            self._places[block] = _Place(target.number - distance, parent, node)
        return node

    def _split(self, at: Hash, place: _Place) -> _Node:
        """Make a node of a block between a node and its parent."""
        lower = place.node
        upper = lower.parent
        assert upper is not None, "the root stands for no block but itself"
        block = BlockRef(at, BlockNumber(U32(place.number)))
        middle = _Node(block, upper, lower.prevotes, lower.precommits, [lower])
        upper.children[upper.children.index(lower)] = middle
        lower.parent = middle
        while at != upper.block.hash:
            self._places[at].node = middle
            at = self._places[at].parent
        return middle
