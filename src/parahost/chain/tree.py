"""The block tree since the final block, and fork choice.

The best block is the head with the most primary slots on its way from the final block; among
those the longest chain; among those the one that was seen first. That is BABE's rule as
Substrate applies it. Forks that are left are not among them, however long they are.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from parahost.consensus.babe.verification import VerifiedHeader
from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.header import Header


@dataclass(slots=True, eq=False)
class BlockNode:
    """One block of the tree.

    ``weight`` counts primary slots from the tree's first root; ``order`` counts blocks as they
    were imported; ``parent`` is ``None`` at the root.
    """

    verified: VerifiedHeader
    weight: int = 0
    order: int = 0
    parent: BlockNode | None = None
    viable: bool = True
    """Whether it may be built on: neither it nor an ancestor is to be left."""
    children: list[BlockNode] = field(default_factory=list)
    jump: BlockNode | None = None
    """An ancestor further down, ``None`` at the root. By jumps and parents the way down to any
    ancestor takes a few steps for each binary digit of its length."""
    header: Header = field(init=False)
    hash: Hash = field(init=False)
    number: BlockNumber = field(init=False)

    def __post_init__(self) -> None:
        self.header = self.verified.header
        self.hash, self.number = self.header.hash(), self.header.number
        self.place()

    def place(self) -> None:
        """Find the jump of a node whose parent has its own: over the parent's two next jumps where
        these are of one length, else to the parent."""
        self.jump = self.parent
        if self.parent is None or (near := self.parent.jump) is None or (far := near.jump) is None:
            return
        if self.parent.number - near.number == near.number - far.number:
            self.jump = far

    @property
    def merit(self) -> tuple[int, int, int]:
        """What fork choice compares; the greatest is best."""
        return self.weight, self.number, -self.order

    def ancestry(self) -> Iterator[BlockNode]:
        """The block itself and then its ancestors, down to the root."""
        node: BlockNode | None = self
        while node is not None:
            yield node
            node = node.parent


@dataclass(frozen=True, slots=True)
class Route:
    """The way from one block to another: back over ``retracted`` (descending) to ``common``, then
    forward over ``enacted`` (ascending). The last of ``enacted`` is where the way leads."""

    retracted: tuple[Hash, ...]
    common: Hash
    enacted: tuple[Hash, ...]


class BlockTree:
    """All known blocks that descend from the final block, which is the root."""

    def __init__(self, root: BlockNode) -> None:
        assert root.parent is None, "the root of a tree has no parent"
        self._root = root
        self._best = root
        self._nodes = {root.hash: root}
        self._leaves = {root.hash: root}

    @property
    def root(self) -> BlockNode:
        return self._root

    @property
    def best(self) -> BlockNode:
        return self._best

    @property
    def some_are_left(self) -> bool:
        """Whether there are blocks on which nobody builds any more."""
        return not all(node.viable for node in self._nodes.values())

    def __contains__(self, hash: object) -> bool:
        return hash in self._nodes

    def __len__(self) -> int:
        return len(self._nodes)

    def get(self, hash: Hash) -> BlockNode | None:
        return self._nodes.get(hash)

    def leaves(self) -> list[BlockNode]:
        """The blocks without children, best first; those on forks that are left come last."""
        return sorted(
            self._leaves.values(), key=lambda node: (node.viable, node.merit), reverse=True
        )

    def leaves_by_merit(self) -> list[BlockNode]:
        """The blocks without children, those of most merit first, be they left or not."""
        return sorted(self._leaves.values(), key=lambda node: node.merit, reverse=True)

    def heads(self) -> list[BlockNode]:
        """The blocks that may be built on, and on which nothing is built that may be; best
        first."""
        found = {leaf.hash: leaf for leaf in self._leaves.values() if leaf.viable}
        for leaf in self._leaves.values():
            if not leaf.viable:
                head = next(node for node in leaf.ancestry() if node.viable)
                if not any(child.viable for child in head.children):
                    found[head.hash] = head
        return sorted(found.values(), key=lambda node: node.merit, reverse=True)

    def insert(self, verified: VerifiedHeader, order: int) -> BlockNode:
        """Add a block whose parent is in the tree and which is not."""
        assert verified.hash not in self._nodes, "a block is added once"
        parent = self._nodes[verified.header.parent_hash]
        weight = parent.weight + verified.primary
        node = BlockNode(verified, weight, order, parent, parent.viable)
        parent.children.append(node)
        self._nodes[verified.hash] = node
        self._leaves.pop(parent.hash, None)
        self._leaves[node.hash] = node
        if node.viable and node.merit > self._best.merit:
            self._best = node
        return node

    def leave(self, blocks: Iterable[BlockNode]) -> None:
        """Nobody builds on these blocks and their descendants any more, and on all others again.
        The root is none of them: it is final."""
        for node in self._nodes.values():
            node.viable = True
        for block in blocks:
            assert block is not self._root, "the root cannot be left"
            for node in _subtree(block).values():
                node.viable = False
        self._best = self._find_best()

    def is_ancestor(self, ancestor: BlockNode, node: BlockNode) -> bool:
        """Whether ``ancestor`` is ``node`` or is on the way from it to the root."""
        return self.ancestor_at(node, ancestor.number) is ancestor

    def ancestor_at(self, node: BlockNode, number: int) -> BlockNode | None:
        """The block of that number on the way from ``node`` (inclusive) to the root."""
        one: BlockNode | None = node
        while one is not None and one.number > number:
            far = one.jump
            one = far if far is not None and far.number >= number else one.parent
        return one if one is not None and one.number == number else None

    def route(self, start: BlockNode, end: BlockNode) -> Route:
        """How to get from one block of the tree to another."""
        retracted: list[Hash] = []
        enacted: list[Hash] = []
        while start is not end:
            if start.number >= end.number:
                retracted.append(start.hash)
                assert start.parent is not None, "all blocks of a tree meet at its root"
                start = start.parent
            else:
                enacted.append(end.hash)
                assert end.parent is not None, "all blocks of a tree meet at its root"
                end = end.parent
        return Route(tuple(retracted), start.hash, tuple(reversed(enacted)))

    def pruning(self, new_root: BlockNode) -> tuple[list[BlockNode], list[BlockNode]]:
        """What making a block the root would bring about: the blocks that become final
        (ascending, the new root last), and those on other forks, which leave the tree."""
        final = [node for node in new_root.ancestry() if node is not self._root][::-1]
        staying = _subtree(new_root).keys() | {node.hash for node in final}
        pruned = [
            node
            for hash, node in self._nodes.items()
            if hash not in staying and node is not self._root
        ]
        return final, pruned

    def prune(self, new_root: BlockNode) -> None:
        """Make a block of the tree its root. What stays keeps the order in which it came."""
        staying = _subtree(new_root)
        self._nodes = {hash: node for hash, node in self._nodes.items() if hash in staying}
        self._leaves = {hash: node for hash, node in self._leaves.items() if hash in staying}
        self._root = new_root
        new_root.parent = None
        for node in staying.values():  # parents come before their children
            node.place()
        self._best = self._find_best()

    def _find_best(self) -> BlockNode:
        viable = [node for node in self._nodes.values() if node.viable]
        return max(viable, key=lambda node: node.merit, default=self._root)


def _subtree(root: BlockNode) -> dict[Hash, BlockNode]:
    """A block and its descendants, parents before children."""
    found = {root.hash: root}
    queue = [root]
    for node in queue:
        for child in node.children:
            found[child.hash] = child
            queue.append(child)
    return found
