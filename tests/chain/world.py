"""A chain for tests of the tree, the store and sync: real keys, real BABE, real databases, and a
state machine so small that thousands of blocks cost nothing. An extrinsic is one storage key byte
and the value to put there; no value removes it. Blocks of the real runtime are in
``test_real_runtime``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import trio

from parahost.chain.chain import Chain
from parahost.consensus.babe.claims import claim_slot, seal
from parahost.consensus.babe.digests import pre_digest_item
from parahost.consensus.babe.epochs import EpochView
from parahost.ports import Database
from parahost.primitives.basic import H256, U64, BlockNumber, Hash, Slot
from parahost.primitives.consensus import BabeConsensusLog, NextEpochData, PrimaryPreDigest
from parahost.primitives.header import BABE_ENGINE, Block, Consensus, DigestItem, Extrinsic, Header
from parahost.primitives.scale import encode
from parahost.runtime.errors import InvalidBlock, WrongExtrinsicsRoot, WrongStateRoot
from parahost.runtime.executive import Executed, extrinsics_root
from parahost.runtime.genesis import genesis_header
from parahost.runtime.storage import State
from parahost.storage.memory import MemoryDatabase
from tests.consensus.babe.world import (
    AUTHORITIES,
    NAMES,
    PARAMETERS,
    genesis_view,
    key_store,
)
from tests.verifying import VERIFIER

T = TypeVar("T")

GENESIS = State.from_raw({b"alpha": b"1", b"beta": b"2"})
FIRST_SLOT = 1000
POISON = Extrinsic(b"!")
"""An extrinsic that no block may hold."""


@dataclass
class ManualClock:
    """Stands still unless it is set; whoever sleeps sets it."""

    time: float = 10.0**6

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += max(seconds, 0.0)


class HeldExecutor:
    """Works when it is let go."""

    def __init__(self) -> None:
        self.asked = 0
        self.let_go = trio.Event()

    async def run(self, work: Callable[[], T]) -> T:
        self.asked += 1
        await self.let_go.wait()
        return work()


def transition(state: State, extrinsics: Sequence[Extrinsic]) -> Executed:
    delta: dict[bytes, bytes | None] = {}
    for extrinsic in extrinsics:
        if extrinsic == POISON:
            raise InvalidBlock("poison")
        delta[extrinsic[:1]] = extrinsic[1:] or None
    return Executed(state.apply(delta), delta)


def execute(state: State, block: Block) -> Executed:
    root = extrinsics_root(block.extrinsics)
    if root != block.header.extrinsics_root:
        raise WrongExtrinsicsRoot(block.header.extrinsics_root, root)
    outcome = transition(state, block.extrinsics)
    if outcome.state.root != block.header.state_root:
        raise WrongStateRoot(block.header.state_root, H256(outcome.state.root))
    return outcome


def open_chain(database: Database | None = None, *, archive: bool = False) -> Chain:
    return Chain.open(
        MemoryDatabase() if database is None else database,
        GENESIS,
        genesis_view(),
        execute=execute,
        verifier=VERIFIER,
        clock=ManualClock(),
        archive=archive,
    )


@dataclass
class Forge:
    """Makes valid blocks on any block that it has made. Knows no chain."""

    headers: dict[Hash, Header] = field(default_factory=dict)
    states: dict[Hash, State] = field(default_factory=dict)
    views: dict[Hash, tuple[EpochView, int]] = field(default_factory=dict)
    blocks: dict[Hash, Block] = field(default_factory=dict)

    def __post_init__(self) -> None:
        genesis = genesis_header(GENESIS)
        self.genesis = genesis.hash()
        self.headers[self.genesis] = genesis
        self.states[self.genesis] = GENESIS
        self.views[self.genesis] = (genesis_view(), FIRST_SLOT - 1)

    def block(
        self,
        parent: Hash,
        *extrinsics: bytes,
        primary: bool | None = None,
        after: int = 1,
        poisoned: bool = False,
    ) -> Block:
        """A sealed block in the first slot, at least ``after`` behind the parent's, that somebody
        wins as wanted: as primary, as secondary, or as it comes."""
        view, parent_slot = self.views[parent]
        slot = parent_slot + after
        while True:
            epoch = view.epoch_at(Slot(U64(slot)))
            for keys in _STORES:
                claim = claim_slot(Slot(U64(slot)), epoch, keys)
                if claim is None:
                    continue
                if primary in (None, isinstance(claim.pre_digest, PrimaryPreDigest)):
                    body = tuple(Extrinsic(one) for one in extrinsics)
                    outcome = transition(self.states[parent], body)
                    digest: list[DigestItem] = [pre_digest_item(claim.pre_digest)]
                    if view.current is None or view.current.index != epoch.index:
                        digest.append(_announcement(parent))
                    header = Header(
                        parent,
                        BlockNumber(self.headers[parent].number + 1),  # type: ignore[arg-type]
                        H256(outcome.state.root),
                        extrinsics_root(body),
                        tuple(digest),
                    )
                    if poisoned:
                        body = (*body, POISON)
                        header = replace(header, extrinsics_root=extrinsics_root(body))
                    block = seal(Block(header, body), claim, key_store(NAMES[_STORES.index(keys)]))
                    hash = block.header.hash()
                    self.blocks[hash] = block
                    self.headers[hash] = block.header
                    self.states[hash] = outcome.state
                    self.views[hash] = (view.after(header, epoch), slot)
                    return block
            slot += 1

    def line(self, parent: Hash, count: int) -> list[Block]:
        """That many blocks on top of one another."""
        made = []
        for number in range(count):
            block = self.block(parent, bytes([number % 7]) + number.to_bytes(4, "big"))
            made.append(block)
            parent = block.header.hash()
        return made


_STORES = [key_store(name) for name in NAMES]


def _announcement(parent: Hash) -> Consensus:
    data = NextEpochData(AUTHORITIES, H256(parent))
    return Consensus(BABE_ENGINE, encode(data, BabeConsensusLog))


def hashes(blocks: Sequence[Block]) -> list[Hash]:
    return [block.header.hash() for block in blocks]


__all__ = ["FIRST_SLOT", "PARAMETERS", "Forge", "ManualClock", "execute", "hashes", "open_chain"]
