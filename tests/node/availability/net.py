"""Several nodes of validators, with what makes, moves and recovers chunks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import ClassVar

import trio
import trio.testing
from trio.testing import wait_all_tasks_blocked

from parahost import erasure
from parahost.node.availability.distribution import (
    AvailabilityDistribution,
)
from parahost.node.availability.recovery import AvailabilityRecovery
from parahost.node.availability.store import AvailabilityStore
from parahost.node.messages.availability import (
    BitfieldNetwork,
    ObtainChunk,
    QueryChunk,
    RecoverAvailableData,
    RecoveryFailure,
    StoreAvailableData,
    StoreChunk,
    Stored,
)
from parahost.node.messages.backing import PoVRequested, StatementNetwork
from parahost.node.messages.base import Message
from parahost.node.messages.collation import CollationNetwork, CollationRequested
from parahost.node.messages.network import (
    PeerSetNetwork,
)
from parahost.node.messages.validity import ApprovalNetwork, DisputeRequested
from parahost.node.overseer import Overseer, Subsystem
from parahost.node.utility.chain_api import ChainApi
from parahost.node.utility.network_bridge import (
    NetworkBridge,
)
from parahost.node.utility.runtime_api import RuntimeApi
from parahost.ports import ObservedRole
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import (
    U32,
    ChunkIndex,
    PeerId,
    ValidatorIndex,
)
from parahost.primitives.candidates import AvailableData
from parahost.primitives.header import Header
from parahost.primitives.scale import encode
from parahost.primitives.statements import BackedCandidate
from parahost.storage.memory import MemoryDatabase
from tests.memory_network import MemoryNetwork, MemoryPort
from tests.node.availability.world import RelayChain, hash_of, key_store, plain
from tests.node.directory import Directory
from tests.node.harness import make_overseer
from tests.runtime.parachains.world import World, validator_ids

VALIDATORS = 6


class Elsewhere(Subsystem):
    """Receives what the bridge may send to subsystems that are not under test."""

    name = "elsewhere"
    receives: ClassVar[tuple[type[Message], ...]] = (
        StatementNetwork,
        BitfieldNetwork,
        CollationNetwork,
        PeerSetNetwork,
        PoVRequested,
        CollationRequested,
        DisputeRequested,
        ApprovalNetwork,
    )

    def on_message(self, message: Message) -> None:
        raise AssertionError(f"nobody registered for {message!r}")


def peer(index: int) -> PeerId:
    return PeerId(f"peer {index}")


@dataclass
class Node:
    index: int
    port: MemoryPort
    overseer: Overseer
    chain: RelayChain

    def import_(self, *headers: Header) -> None:
        for header in headers:
            self.overseer.block_imported(self.chain.leaf(header))

    async def store(self, candidate: BackedCandidate, data: AvailableData) -> None:
        root = candidate.candidate.descriptor.erasure_root
        own = ValidatorIndex(U32(self.index))
        request = StoreAvailableData(hash_of(candidate), data, root, VALIDATORS, own)
        assert await self.overseer.ask(request) is Stored.KEPT

    async def store_chunk(self, candidate: BackedCandidate, chunk: ErasureChunk) -> None:
        assert await self.overseer.ask(StoreChunk(hash_of(candidate), chunk))

    async def chunk(self, candidate: BackedCandidate, index: int | None = None) -> bool:
        wanted = ChunkIndex(U32(self.index if index is None else index))
        return await self.overseer.ask(QueryChunk(hash_of(candidate), wanted)) is not None

    async def recover(
        self, candidate: BackedCandidate, backers: Iterable[int] = ()
    ) -> AvailableData | RecoveryFailure:
        return await self.overseer.ask(
            RecoverAvailableData(
                plain(candidate),
                validator_ids(VALIDATORS),
                tuple(ValidatorIndex(U32(index)) for index in backers),
            )
        )

    async def obtain(self, candidate: BackedCandidate, backers: Iterable[int] = ()) -> bool:
        return await self.overseer.ask(
            ObtainChunk(
                plain(candidate),
                validator_ids(VALIDATORS),
                tuple(ValidatorIndex(U32(index)) for index in backers),
                ValidatorIndex(U32(self.index)),
            )
        )


@dataclass
class Net:
    chain: RelayChain
    network: MemoryNetwork
    directory: dict[bytes, PeerId]
    nodes: list[Node] = field(default_factory=list)

    def import_(self, *headers: Header) -> None:
        for node in self.nodes:
            node.import_(*headers)

    async def lacking(self, candidate: BackedCandidate) -> list[int]:
        """Validators without their chunk."""
        return [node.index for node in self.nodes if not await node.chunk(candidate)]

    def costs(self) -> list[tuple[PeerId, int, str]]:
        return [cost for node in self.nodes for cost in node.port.costs()]


@asynccontextmanager
async def net(
    chain: RelayChain, links: Iterable[tuple[int, int]] | None = None, count: int = VALIDATORS
) -> AsyncIterator[Net]:
    """That many validators' nodes; all connected unless the links are given."""
    network = MemoryNetwork()
    directory = {v: peer(i) for i, v in enumerate(validator_ids(count))}
    made = Net(chain, network, directory)  # type: ignore[arg-type]
    async with trio.open_nursery() as nursery:
        for index in range(count):
            port = network.port(peer(index))
            overseer = make_overseer(
                [
                    NetworkBridge(port, ObservedRole.AUTHORITY),
                    Directory(directory),
                    RuntimeApi(chain.state_of),
                    ChainApi(chain),
                    AvailabilityStore(MemoryDatabase()),
                    AvailabilityDistribution(key_store(index)),
                    AvailabilityRecovery(),
                    Elsewhere(),
                ]
            )
            await nursery.start(overseer.run, [chain.leaf(chain.genesis)])
            made.nodes.append(Node(index, port, overseer, chain))
        nursery.start_soon(network.run)
        if links is None:
            links = [(a, b) for a in range(count) for b in range(a)]
        for a, b in links:
            network.connect(peer(a), peer(b))
        await wait_all_tasks_blocked()
        yield made
        nursery.cancel_scope.cancel()


def relay_chain() -> RelayChain:
    return RelayChain(World(validators=VALIDATORS, parachains=[100, 101]))


def chunks_of(data: AvailableData) -> list[ErasureChunk]:
    chunks = erasure.encode(encode(data), VALIDATORS)
    _, proofs = erasure.root_and_proofs(chunks)
    return [ErasureChunk(chunks[i], ChunkIndex(U32(i)), proofs[i]) for i in range(VALIDATORS)]


def wrong(chunk: ErasureChunk) -> ErasureChunk:
    return replace(chunk, chunk=bytes([chunk.chunk[0] ^ 1]) + chunk.chunk[1:])
