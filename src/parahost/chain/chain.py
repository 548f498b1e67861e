"""The chain, as the rest of the node uses it: what it knows, and what happens to it."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection
from itertools import takewhile

from parahost.chain.blocks import (
    AlreadyKnown,
    Execute,
    ExecutedBlock,
    Imported,
    RefusedBlock,
    VerifiedBlock,
)
from parahost.chain.errors import (
    BelowFinality,
    FutureSlot,
    KnownBad,
    UnknownBlock,
    UnknownParent,
)
from parahost.chain.loading import load_tree
from parahost.chain.reading import ReadableChain
from parahost.chain.states import States
from parahost.chain.store import ChainStore
from parahost.chain.tree import BlockNode, BlockTree
from parahost.consensus.babe.digests import pre_digest_of
from parahost.consensus.babe.epochs import EpochView
from parahost.consensus.babe.equivocation import EquivocationDetector
from parahost.consensus.babe.verification import VerifiedHeader, verify_header
from parahost.ports import Clock, Database, Verifier
from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.consensus import BabeEquivocationProof
from parahost.primitives.events import BestBlockEvent, BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.header import Block, Extrinsic, Header
from parahost.primitives.limits import MAX_HEADER_BYTES, is_outgrown
from parahost.runtime.errors import (
    HeaderTooLong,
    InvalidBlock,
    WrongExtrinsicsRoot,
    WrongNumber,
)
from parahost.runtime.genesis import genesis_header
from parahost.runtime.storage import State

_BAD_BLOCKS_KEPT = 1024
SLOTS_AHEAD = 1
"""So far may a block's slot lie in the future."""


ChainEvent = BlockImportEvent | BestBlockEvent | BlockFinalizationEvent
Listener = Callable[[ChainEvent], None]
FirstUnviable = Callable[[State, BlockNumber], BlockNumber | None]
"""Told the state after a block and the number of the final one, gives the first block between them
that is to be left: nobody builds on it. ``None`` when there is none."""


def is_of_best(event: ChainEvent) -> bool:
    """Whether the best block is another one now: the event's."""
    if isinstance(event, BlockImportEvent):
        return event.new_best
    return isinstance(event, BestBlockEvent)


def _none_is_left(state: State, above: BlockNumber) -> None:
    """The rule of who knows nothing against any block."""


class Chain(ReadableChain):
    """Blocks, fork choice, finality and states.

    Everything is synchronous: a call that returns has happened, in memory and in the database,
    and a call that raises has changed nothing. An ``Importer`` does what takes long of an import
    elsewhere. Listeners are called when what they are told is
    stored, in the order in which it came about; what a listener itself brings about is told after
    what is being told.
    """

    def __init__(
        self,
        store: ChainStore,
        tree: BlockTree,
        states: States,
        *,
        genesis_hash: Hash,
        execute: Execute,
        verifier: Verifier,
        clock: Clock,
        next_order: int,
    ) -> None:
        super().__init__(store, tree, states, genesis_hash, verifier)
        self.execute = execute
        """How blocks are executed."""
        self._clock = clock
        self._next_order = next_order
        self._bad: OrderedDict[Hash, None] = OrderedDict()
        self._listeners: list[Listener] = []
        self._untold: deque[ChainEvent] = deque()
        self._telling = False
        self._equivocations = EquivocationDetector()
        self.on_equivocation: Callable[[BabeEquivocationProof], None] = lambda proof: None
        """Called with each proof that an author made two blocks for one slot, once."""
        self.first_unviable: FirstUnviable = _none_is_left
        """Which forks are to be left. When it says something else, :meth:`reconsider`."""

    @classmethod
    def open(
        cls,
        database: Database,
        genesis: State,
        epochs: EpochView,
        *,
        execute: Execute,
        verifier: Verifier,
        clock: Clock,
        archive: bool = False,
    ) -> Chain:
        """Open the chain that a database holds, or begin it there.

        :param genesis: the state of the genesis block.
        :param epochs: ``EpochView.at_genesis`` of the chain.
        :param archive: keep what every block has changed, so that every state can be made again.
        :raises ForeignDatabase: when it holds a chain with another genesis block.
        :raises DamagedDatabase: when it contradicts itself.
        :raises DatabaseError: when it cannot be read or written.
        """
        header = genesis_header(genesis)
        hash = header.hash()
        store = ChainStore(database, archive=archive)
        if store.is_new(hash):
            store.create(header, genesis.items_raw(), epochs)
        states = States(store, hash, genesis)
        tree, next_order = load_tree(store, hash)
        states.get(tree.root.hash)
        return cls(
            store,
            tree,
            states,
            genesis_hash=hash,
            execute=execute,
            verifier=verifier,
            clock=clock,
            next_order=next_order,
        )

    # What happens

    def import_block(
        self, block: Block, *, justification: bytes | None = None
    ) -> Imported | AlreadyKnown:
        """Verify a sealed block, execute it and add it to the tree.

        :param justification: a GRANDPA justification for the block, which the caller has
            verified: the block is final then.
        :raises UnknownParent: when the parent must be imported first.
        :raises BelowFinality: when the block does not descend from the last final one.
        :raises FutureSlot: when its slot has not come by our clock, with one slot of grace.
        :raises InvalidBlock: when it breaks a rule; it is remembered as bad.
        """
        verified = self.verify(block)
        imported = (
            verified
            if isinstance(verified, AlreadyKnown)
            else self.insert(verified.executed(self.execute))
        )
        if justification is not None:
            self.finalize(imported.hash, justification)
        return imported

    def verify(self, block: Block) -> VerifiedBlock | AlreadyKnown:
        """The part of an import before its execution: where the block belongs, and its header.

        :raises ImportRefused: or ``InvalidBlock``, as :meth:`import_block`.
        """
        hash = block.header.hash()
        if hash in self:
            return AlreadyKnown(hash)
        if hash in self._bad:
            raise KnownBad(hash)
        parent = self._parent_of(hash, block.header)
        try:
            header = self._verify_header(parent, block.header)
        except InvalidBlock:
            self._remember_bad(hash)
            raise
        return VerifiedBlock(header, block.extrinsics, self._states.get(parent.hash))

    def insert(self, block: ExecutedBlock | RefusedBlock) -> Imported | AlreadyKnown:
        """The part after its execution: all that may have changed meanwhile is looked at again.

        :raises ImportRefused: when finality has left its parent.
        :raises InvalidBlock: when its execution was refused.
        """
        if isinstance(block, RefusedBlock):
            # With a body that is not the header's, whoever sent it is bad; the block may be good.
            if not isinstance(block.why, WrongExtrinsicsRoot):
                self._remember_bad(block.hash)
            raise block.why
        if block.hash in self:
            return AlreadyKnown(block.hash)
        imported = self._insert(block)
        self._tell()
        return imported

    def finalize(self, block: Hash, justification: bytes | None) -> None:
        """Make a block final, and its ancestors with it; durable when this returns. For a block
        that is final already, only a missing justification is kept.

        :raises UnknownBlock: when it is not known. That includes blocks on forks that finality
            has left: they are forgotten, so finality is never reverted (D27).
        """
        node = self._tree.get(block)
        if node is None or node is self._tree.root:
            self._justify(block, justification)
            return
        final, pruned = self._tree.pruning(node)
        best = self._tree.best
        forgotten = self._extrinsics_on(best, {one.hash for one in pruned})
        moved = self._store.finalize(
            [(one.hash, one.number, one.order) for one in final],
            [(one.hash, one.order) for one in pruned],
            justification,
        )
        if moved is not None:
            self._states.move_base(moved)
        for one in pruned:
            self._states.drop(one.hash)
        self._tree.prune(node)
        if self._tree.some_are_left:  # what is final cannot be
            self._leave_forks()
        self._untold.append(BlockFinalizationEvent(block, node.header))
        self._note_best(best, forgotten)
        self._tell()

    def reconsider(self) -> None:
        """Ask of all forks anew whether they are to be left."""
        best = self._tree.best
        self._leave_forks()
        self._note_best(best)
        self._tell()

    def subscribe(self, listener: Listener) -> Callable[[], None]:
        """Tell a listener of every block that is imported or becomes final from now on; gives the
        function that ends it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # Import, step by step

    def _parent_of(self, hash: Hash, header: Header) -> BlockNode:
        parent = self._tree.get(header.parent_hash)
        if parent is not None:
            return parent
        final = self._tree.root
        if header.number <= final.number or self._store.header(header.parent_hash) is not None:
            raise BelowFinality(hash, header.number, final.number)
        raise UnknownParent(hash, header.parent_hash)

    def _verify_header(self, parent: BlockNode, header: Header) -> VerifiedHeader:
        """Judge a header by its place and BABE's rules, and note what its author has done."""
        if (size := len(header.encoded())) > MAX_HEADER_BYTES:
            raise HeaderTooLong(size, MAX_HEADER_BYTES)
        if header.number != parent.number + 1:
            raise WrongNumber(header.number, parent.number)
        claim, before = pre_digest_of(header), parent.verified
        now = before.epochs.parameters.slot_at(self._clock.now())
        if claim.slot > now + SLOTS_AHEAD:
            raise FutureSlot(header.hash(), claim.slot, now)
        epoch = before.epochs.epoch_at(claim.slot)
        author = verify_header(header, claim, epoch, self._verifier, parent_slot=before.slot)
        proof = self._equivocations.note(claim.slot, author, header)
        if proof is not None:
            self.on_equivocation(proof)
        return VerifiedHeader(header, claim, before.epochs.after(header, epoch))

    def _insert(self, block: ExecutedBlock) -> Imported:
        parent = self._parent_of(block.hash, block.header.header)
        begins_epoch = block.header.epochs is not parent.verified.epochs
        self._store.add_block(block, order=self._next_order, begins_epoch=begins_epoch)
        self._states.put(block.hash, block.state)
        best = self._tree.best
        node = self._tree.insert(block.header, self._next_order)
        self._next_order += 1
        if node.viable is not (self._first_left(node) is None):
            self._leave_forks(node)
        new_best = self._tree.best is node
        self._untold.append(BlockImportEvent(block.hash, node.header, new_best))
        if not new_best:
            self._note_best(best)
        return Imported(block.hash, new_best)

    # What was found invalid

    def is_bad(self, block: Hash) -> bool:
        """Whether the block was lately found invalid."""
        return block in self._bad

    def _remember_bad(self, hash: Hash) -> None:
        self._bad[hash] = None
        if len(self._bad) > _BAD_BLOCKS_KEPT:
            self._bad.popitem(last=False)

    # Forks that are left

    def _leave_forks(self, inserted: BlockNode | None = None) -> None:
        """Judge the heads, the best first, by their states; and a block that has just come. Heads
        that are outgrown by one that may be built on are let be: they are not best, and nobody
        works on them, but each state would have to be made from changes since the last final
        block."""
        left, best = [], 0
        for head in self._tree.leaves_by_merit():
            if head is inserted or not is_outgrown(head.number, best):
                block = self._first_left(head)
                if block is not None:
                    left.append(block)
                else:
                    best = max(best, head.number)
        self._tree.leave(left)

    def _first_left(self, head: BlockNode) -> BlockNode | None:
        """The first block on the way to a head that is to be left and is not final."""
        final = self._tree.root.number
        number = self.first_unviable(self._states.get(head.hash), final)
        return None if number is None else self._tree.ancestor_at(head, number)

    def _note_best(self, before: BlockNode, forgotten: tuple[Extrinsic, ...] = ()) -> None:
        best = self._tree.best
        if best is not before:
            self._untold.append(BestBlockEvent(best.hash, best.header, forgotten))

    def _extrinsics_on(self, head: BlockNode, pruned: Collection[Hash]) -> tuple[Extrinsic, ...]:
        """What those blocks have that are pruned with a head, the oldest first. Their descendants
        are pruned too, so that there are none below one that stays."""
        way = [one.hash for one in takewhile(lambda one: one.hash in pruned, head.ancestry())]
        return tuple(extrinsic for block in reversed(way) for extrinsic in self.body(block) or ())

    # Helpers

    def _justify(self, block: Hash, justification: bytes | None) -> None:
        if self._store.header(block) is None:
            raise UnknownBlock(block)
        assert self.is_final(block), "a block that is kept outside the tree is final"
        if justification is not None and self._store.justification(block) is None:
            self._store.add_justification(block, justification)

    def _tell(self) -> None:
        if self._telling:
            return
        self._telling = True
        try:
            while self._untold:
                event = self._untold.popleft()
                for listener in tuple(self._listeners):
                    listener(event)
        finally:
            self._telling = False
