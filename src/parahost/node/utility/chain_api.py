"""The Chain API: facts about blocks that do not depend on their state."""

from __future__ import annotations

from typing import Protocol

from parahost.node.messages.base import Message
from parahost.node.messages.utility import BlockExtrinsics, BlockHeader, FinalizedHash
from parahost.node.overseer import Subsystem
from parahost.primitives.basic import BlockNumber, Hash
from parahost.primitives.header import Extrinsic, Header


class ChainReader(Protocol):
    """What of the chain the node's subsystems read."""

    @property
    def finalized(self) -> Header: ...

    def header(self, block: Hash) -> Header | None: ...

    def body(self, block: Hash) -> tuple[Extrinsic, ...] | None: ...

    def hash_of(self, number: BlockNumber) -> Hash | None: ...


class ChainApi(Subsystem):
    """Answers from the chain as it is stored."""

    name = "chain-api"
    receives = (BlockHeader, BlockExtrinsics, FinalizedHash)

    def __init__(self, chain: ChainReader) -> None:
        self._chain = chain

    def on_message(self, message: Message) -> None:
        match message:
            case BlockHeader(block):
                message.reply.answer(self._chain.header(block))
            case BlockExtrinsics(block):
                message.reply.answer(self._chain.body(block))
            case FinalizedHash(number):
                final = self._chain.finalized
                known = number <= final.number
                message.reply.answer(self._chain.hash_of(number) if known else None)
