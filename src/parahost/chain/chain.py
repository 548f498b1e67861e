"""The chain, as the rest of the node uses it."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable

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
    DamagedDatabase,
    FutureSlot,
    KnownBad,
    UnknownBlock,
    UnknownParent,
)
from parahost.chain.states import States
from parahost.chain.store import ChainStore
from parahost.chain.tree import BlockNode, BlockTree, Route
from parahost.consensus.babe.digests import pre_digest_of
from parahost.consensus.babe.epochs import BabeParameters, Epoch, EpochView
from parahost.consensus.babe.equivocation import EquivocationDetector
from parahost.consensus.babe.verification import VerifiedHeader, verify_header
from parahost.ports import Clock, Database, Verifier
from parahost.primitives.basic import BabeId, BlockNumber, Hash, Slot
from parahost.primitives.consensus import BabeEquivocationProof
from parahost.primitives.events import BestBlockEvent, BlockFinalizationEvent, BlockImportEvent
from parahost.primitives.header import Block, Extrinsic, Header
from parahost.primitives.limits import MAX_HEADER_BYTES
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
FirstUnviable = Callable[[State], BlockNumber | None]
"""Told the state after a block, gives the first block on the way to it that is to be left: nobody
builds on it. ``None`` when there is none."""


def _none_is_left(state: State) -> None:
    """The rule of who knows nothing against any block."""


class Chain:
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
        self._store = store
        self._tree = tree
        self._states = states
        self._genesis_hash = genesis_hash
        self.execute = execute
        """How blocks are executed."""
        self._verifier = verifier
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
        tree, next_order = _load_tree(store, hash)
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

    # What there is

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

    def is_bad(self, block: Hash) -> bool:
        """Whether the block was lately found invalid."""
        return block in self._bad

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
        found: list[Hash] = []
        header = self.header(block)
        while header is not None and header.number > 0 and len(found) < count:
            found.append(header.parent_hash)
            header = self.header(header.parent_hash)
        return found

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
        moved = self._store.finalize(
            [(one.hash, one.number, one.order) for one in final],
            [(one.hash, one.order) for one in pruned],
            justification,
        )
        if moved is not None:
            self._states.move_base(moved)
        for one in pruned:
            self._states.drop(one.hash)
        best = self._tree.best
        self._tree.prune(node)
        if self._tree.some_are_left:  # what is final cannot be
            self._leave_forks()
        self._untold.append(BlockFinalizationEvent(block, node.header))
        self._note_best(best)
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
            self._leave_forks()
        new_best = self._tree.best is node
        self._untold.append(BlockImportEvent(block.hash, node.header, new_best))
        if not new_best:
            self._note_best(best)
        return Imported(block.hash, new_best)

    # Forks that are left

    def _leave_forks(self) -> None:
        left = map(self._first_left, self._tree.leaves())
        self._tree.leave([block for block in left if block is not None])

    def _first_left(self, head: BlockNode) -> BlockNode | None:
        """The first block on the way to a head that is to be left, if that is possible still."""
        number = self.first_unviable(self._states.get(head.hash))
        if number is None or number <= self._tree.root.number:
            return None
        return self._tree.ancestor_at(head, number)

    def _note_best(self, before: BlockNode) -> None:
        best = self._tree.best
        if best is not before:
            self._untold.append(BestBlockEvent(best.hash, best.header))

    def _remember_bad(self, hash: Hash) -> None:
        self._bad[hash] = None
        if len(self._bad) > _BAD_BLOCKS_KEPT:
            self._bad.popitem(last=False)

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

    def _node(self, block: Hash) -> BlockNode:
        node = self._tree.get(block)
        if node is None:
            raise UnknownBlock(block)
        return node


def _load_tree(store: ChainStore, genesis_hash: Hash) -> tuple[BlockTree, int]:
    """The block tree as the database has it, and the order of the next block."""
    root_hash = store.final_hash
    header = store.header(root_hash)
    if header is None:
        raise DamagedDatabase(f"the last final block {root_hash.hex()} has no header")
    claim = None if root_hash == genesis_hash else pre_digest_of(header)
    tree = BlockTree(BlockNode(VerifiedHeader(header, claim, _epochs_of(store, root_hash, header))))
    order = 0
    for order, block in store.open_blocks():
        header = store.header(block.hash)
        parent = None if header is None else tree.get(header.parent_hash)
        if header is None or parent is None:
            raise DamagedDatabase(f"the block {block.hash.hex()} has no header or no parent")
        epochs = store.epochs_begun_at(block.hash) or parent.verified.epochs
        verified = VerifiedHeader(header, pre_digest_of(header), epochs)
        if verified.hash != block.hash or verified.primary != bool(block.primary):
            raise DamagedDatabase(f"the block {block.hash.hex()} is kept with another's header")
        tree.insert(verified, order)
    return tree, order + 1


def _epochs_of(store: ChainStore, hash: Hash, header: Header) -> EpochView:
    """The view of a final block: that of the nearest block behind it that began an epoch."""
    while (epochs := store.epochs_begun_at(hash)) is None:
        hash = header.parent_hash
        parent = store.header(hash)
        if parent is None:
            raise DamagedDatabase(f"the block {hash.hex()} has no header, its child has one")
        header = parent
    return epochs
