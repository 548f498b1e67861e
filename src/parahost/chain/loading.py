"""Making the block tree of what the database holds, when a node starts."""

from __future__ import annotations

from parahost.chain.errors import DamagedDatabase
from parahost.chain.store import ChainStore
from parahost.chain.tree import BlockNode, BlockTree
from parahost.consensus.babe.digests import pre_digest_of
from parahost.consensus.babe.epochs import EpochView
from parahost.consensus.babe.verification import VerifiedHeader
from parahost.primitives.basic import Hash
from parahost.primitives.header import Header


def load_tree(store: ChainStore, genesis_hash: Hash) -> tuple[BlockTree, int]:
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
