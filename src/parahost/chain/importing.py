"""Import, cut where it takes long: before and after belong to the chain and its loop, the execution
between them to an executor."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import trio

from parahost.chain.store import BlockForms
from parahost.consensus.babe.epochs import EpochView
from parahost.consensus.babe.verification import Verified
from parahost.ports import Executor
from parahost.primitives.basic import H256, Hash
from parahost.primitives.header import Block
from parahost.runtime.errors import InvalidBlock, WrongExtrinsicsRoot
from parahost.runtime.executive import Executed, extrinsics_root
from parahost.runtime.storage import State

if TYPE_CHECKING:
    from parahost.chain.chain import Chain

Execute = Callable[[State, Block], Executed]
"""Executes a block, given without its seal, on its parent's state; raises ``InvalidBlock``. A
pure function: the nodes of one simulation may share a cache around it."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The block was executed and is stored. ``new_best``: it is the best block now."""

    hash: Hash
    new_best: bool


@dataclass(frozen=True, slots=True)
class AlreadyKnown:
    """The block had been imported before; nothing has changed."""

    hash: Hash


@dataclass(frozen=True, slots=True)
class Result:
    """What executing a block has given, ready to be stored."""

    state: State
    forms: BlockForms


@dataclass(frozen=True, slots=True)
class Begun:
    """A block with a good header, on a parent that was known when its import began."""

    hash: Hash
    block: Block
    verified: Verified
    epochs: EpochView
    parent_state: State
    execute: Execute

    def result(self) -> Result | InvalidBlock:
        """Execute the block: as long as its weight says. A function of values, for any thread."""
        header, body = self.block.header, self.block.extrinsics
        root = extrinsics_root(body)
        if root != header.extrinsics_root:
            return WrongExtrinsicsRoot(header.extrinsics_root, H256(root))
        unsealed, _ = header.without_seal()
        try:
            executed = self.execute(self.parent_state, Block(unsealed, body))
        except InvalidBlock as why:
            return why
        return Result(executed.state, BlockForms.of(header, body, executed.changes))


class Importer:
    """Imports blocks, one at a time, while everything else goes on."""

    def __init__(self, chain: Chain, executor: Executor) -> None:
        self._chain = chain
        self.executor = executor
        self._turn = trio.Lock()

    async def import_block(self, block: Block) -> Imported | AlreadyKnown:
        """As ``Chain.import_block``, with the same errors."""
        async with self._turn:
            begun = self._chain.begin_import(block)
            if isinstance(begun, AlreadyKnown):
                return begun
            return self._chain.end_import(begun, await self.executor.run(begun.result))

    async def settled(self) -> None:
        """Wait until what is being imported now is in the chain, or refused."""
        async with self._turn:
            pass
