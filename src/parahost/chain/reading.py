"""What may be asked of a chain: its blocks, how they stand to one another, and their states."""

from __future__ import annotations

from itertools import islice

from parahost.chain.errors import UnknownBlock
from parahost.chain.states import States
from parahost.chain.store import ChainStore
from parahost.chain.tree import BlockNode, BlockTree, Route
from parahost.consensus.babe.digests import pre_digest_of
from parahost.consensus.babe.epochs import BabeParameters, Epoch
from parahost.consensus.babe.verification import verify_header
from parahost.ports import Verifier
from parahost.primitives.basic import BabeId, BlockNumber, Hash, Slot
from parahost.primitives.header import Extrinsic, Header
from parahost.runtime.errors import InvalidBlock
from parahost.runtime.storage import State


class ReadableChain:
    """The chain as it is: nothing here changes it."""

    def __init__(
        self,
        store: ChainStore,
        tree: BlockTree,
        states: States,
        genesis_hash: Hash,
        verifier: Verifier,
    ) -> None:
        self._store = store
        self._tree = tree
        self._states = states
        self._genesis_hash = genesis_hash
        self._verifier = verifier

    @property
    def genesis_hash(self) -> Hash:
        return self._genesis_hash

    @property
    def parameters(self) -> BabeParameters:
        return self._tree.root.verified.epochs.parameters

    @property
    def best(self) -> Header:
        """The best block by BABE's fork choice, of the forks that are not left."""
        return self._tree.best.header

    @property
    def best_hash(self) -> Hash:
        return self._tree.best.hash

    @property
    def finalized(self) -> Header:
        """The last final block."""
        return self._tree.root.header

    @property
    def finalized_hash(self) -> Hash:
        return self._tree.root.hash

    def __contains__(self, block: Hash) -> bool:
        return block in self._tree or self._store.header(block) is not None

    def header(self, block: Hash) -> Header | None:
        """A block's header, with its seal. Blocks on forks that finality has left are gone."""
        node = self._tree.get(block)
        return self._store.header(block) if node is None else node.header

    def body(self, block: Hash) -> tuple[Extrinsic, ...] | None:
        return self._store.body(block)

    def encoded_body(self, block: Hash) -> bytes | None:
        """The SCALE form of :meth:`body`, at the cost of a look-up."""
        return self._store.encoded_body(block)

    def number(self, block: Hash) -> BlockNumber | None:
        header = self.header(block)
        return None if header is None else header.number

    def justification(self, block: Hash) -> bytes | None:
        """The justification with which the block became final, if there was one for itself."""
        return self._store.justification(block)

    def state(self, block: Hash) -> State:
        """The state after a block.

        :raises UnknownBlock: when there is no such block.
        :raises StateUnavailable: when it is older than the last 256 final blocks, and this is no
            archive.
        """
        return self._states.get(block)

    def hash_of(self, number: BlockNumber) -> Hash | None:
        """The block of that number on the best chain."""
        if number <= self._tree.root.number:
            return self._store.canonical(number)
        node = self._tree.ancestor_at(self._tree.best, number)
        return None if node is None else node.hash

    def is_final(self, block: Hash) -> bool:
        """Whether the block is final; one that is not known is not."""
        number = self.number(block)
        return (
            number is not None
            and number <= self._tree.root.number
            and self._store.canonical(number) == block
        )

    def leaves(self) -> list[Hash]:
        """The blocks without children that descend from the final block, the best first; those on
        forks that are left come last."""
        return [node.hash for node in self._tree.leaves()]

    def heads(self) -> list[Hash]:
        """The blocks that may be built on, and on which nothing is built that may be; the best
        first."""
        return [node.hash for node in self._tree.heads()]

    def is_viable(self, block: Hash) -> bool:
        """Whether the block may be built on: it is in the block tree, and on no fork that is
        left."""
        node = self._tree.get(block)
        return node is not None and node.viable

    def children(self, block: Hash) -> list[Hash]:
        """The blocks on this one, in the order in which they came.

        :raises UnknownBlock: when there is no such block.
        """
        node = self._tree.get(block)
        if node is not None:
            return [child.hash for child in node.children]
        number = self.number(block)
        if number is None:
            raise UnknownBlock(block)
        child = self._store.canonical(number + 1)
        return [] if child is None else [child]

    def is_ancestor(self, ancestor: Hash, block: Hash) -> bool:
        """Whether ``ancestor`` is ``block`` itself or one of its ancestors. Blocks that are not
        known are nobody's."""
        node = self._tree.get(block)
        older = self._tree.get(ancestor)
        if node is not None and older is not None:
            return self._tree.is_ancestor(older, node)
        if not self.is_final(ancestor):
            return False
        if node is not None:
            return True
        number, at = self.number(ancestor), self.number(block)
        return number is not None and at is not None and number <= at

    def ancestors(self, block: Hash, count: int) -> list[Hash]:
        """Up to ``count`` ancestors of a block, the parent first; fewer when genesis comes
        before, none when the block is not known."""
        number, node = self.number(block), self._tree.get(block)
        if number is None:
            return []
        not_final = [] if node is None else islice(node.ancestry(), 1, count + 1)
        found = [ancestor.hash for ancestor in not_final]
        rest = range(number - len(found) - 1, max(number - count, 0) - 1, -1)
        final = (self._store.canonical(number) for number in rest)
        return [*found, *(hash for hash in final if hash is not None)]

    def path(self, start: Hash, end: Hash) -> Route:
        """How to get from one block to another, both of them final or later.

        :raises UnknownBlock: when one of them is not in the block tree: only the last final block
            and its descendants are.
        """
        return self._tree.route(self._node(start), self._node(end))

    def epoch_of_child(self, parent: Hash, slot: Slot) -> Epoch:
        """The epoch of a block to be made on ``parent`` in ``slot``.

        :raises UnknownBlock: when the parent is not in the block tree.
        """
        return self._node(parent).verified.epochs.epoch_at(slot)

    def slot(self, block: Hash) -> Slot | None:
        """The slot of a block; ``None`` for the genesis block and for blocks not known."""
        node = self._tree.get(block)
        if node is not None:
            return node.verified.slot
        header = self._store.header(block)
        return None if header is None or header.number == 0 else pre_digest_of(header).slot

    def author(self, block: Hash) -> tuple[BabeId, Slot]:
        """Who made a block, and for which slot.

        :raises UnknownBlock: when it is not in the block tree, or is the genesis block.
        """
        verified = self._node(block).verified
        if verified.author is None or verified.slot is None:
            raise UnknownBlock(block)
        return verified.author, verified.slot

    def sealed_by(self, header: Header) -> tuple[BabeId, Slot] | None:
        """Which authority has sealed a header whose parent need not be known, and for which slot,
        as far as the epochs after our best block tell; ``None`` when none has."""
        try:
            claim = pre_digest_of(header)
            epoch = self._tree.best.verified.epochs.epoch_at(claim.slot)
            author = verify_header(header, claim, epoch, self._verifier, parent_slot=None)
        except InvalidBlock:
            return None
        return author, claim.slot

    def _node(self, block: Hash) -> BlockNode:
        node = self._tree.get(block)
        if node is None:
            raise UnknownBlock(block)
        return node
