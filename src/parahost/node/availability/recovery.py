"""Availability Recovery: a candidate's data from its backers, or from the chunks of a third of the
validators.

Each backer has all of the data. So the backers are asked first, one after another; what one gives
is encoded anew and held against the erasure root. When that takes too long, chunks are gathered
from random validators in parallel. Only chunks, each proven to be of the root, can show that the
root itself is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import trio

from parahost import erasure
from parahost.consensus.fanout import sample
from parahost.node.availability.chunk_request import ChunkRequest, fetch_chunk
from parahost.node.availability.data_request import AvailableDataRequest, fetch_data, root_of
from parahost.node.availability.encoding import Encoding
from parahost.node.gossip import COST_MALFORMED
from parahost.node.messages.availability import (
    DataRequested,
    ObtainChunk,
    QueryAvailableData,
    QueryChunk,
    QueryChunks,
    RecoverAvailableData,
    RecoveryFailure,
    StoreChunk,
)
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    RegisterRequestProducer,
    ReportPeer,
    ResolveValidators,
    SendRequest,
)
from parahost.node.overseer import Context, Subsystem
from parahost.node.protocols import AVAILABLE_DATA_REQUEST
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import (
    U32,
    CandidateHash,
    ChunkIndex,
    PeerId,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.candidates import AvailableData
from parahost.primitives.scale import ScaleDecodeError, decode, encode

FROM_BACKERS_S = 2.0
"""So long are the backers asked before chunks are gathered: a silent group does not hold up the
check of its own candidate."""
IN_FLIGHT = 50
"""Requests for chunks under way at a time for one candidate: if a third of 1,000 validators keep
silent, there are enough chunks within four of their timeouts."""
SPARE = 2
"""Requests beyond the chunks that are needed, so that a silent peer holds nobody up."""
ROUNDS = 3
"""How often everybody is asked before the data count as unavailable; peers and their records may
come late."""
BETWEEN_ROUNDS_S = 1.0
OBTAIN_S = 30.0
"""So long, and one round, are data looked for when only our own chunk is wanted: what nobody has
shall not keep everybody asking everybody. Who wants the chunk tries again."""

Peers = Mapping[ValidatorId, PeerId]


class AvailabilityRecovery(Subsystem):
    """One job per request."""

    name = "availability-recovery"
    receives = (RecoverAvailableData, ObtainChunk, DataRequested)
    sends: ClassVar[tuple[type[Message], ...]] = (
        RegisterRequestProducer,
        QueryAvailableData,
        QueryChunk,
        QueryChunks,
        StoreChunk,
        ResolveValidators,
        SendRequest,
        ReportPeer,
    )

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        ctx.send(RegisterRequestProducer(AVAILABLE_DATA_REQUEST, DataRequested))

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case RecoverAvailableData():
                self._on_recover(message)
            case ObtainChunk():
                self._on_obtain(message)
            case DataRequested():
                self._on_requested(message)

    def _on_recover(self, request: RecoverAvailableData) -> None:
        async def serve() -> None:
            request.reply.answer(await self._recover(request))

        self.ctx.spawn(None, serve, "recover")

    def _on_obtain(self, request: ObtainChunk) -> None:
        async def serve() -> None:
            request.reply.answer(await self._obtain(request))

        self.ctx.spawn(None, serve, "obtain own chunk")

    def _on_requested(self, message: DataRequested) -> None:
        try:
            wanted: AvailableDataRequest = decode(AvailableDataRequest, message.payload)
        except ScaleDecodeError:
            self.ctx.send(ReportPeer(message.peer, COST_MALFORMED))
            message.reply.answer(None)
            return

        async def answer_from_store() -> None:
            data = await self.ctx.ask(QueryAvailableData(wanted.candidate))
            message.reply.answer(None if data is None else encode(data))

        self.ctx.spawn(None, answer_from_store, "answer data request")

    # Jobs

    async def _obtain(self, request: ObtainChunk) -> bool:
        candidate, count = request.receipt.hash(), len(request.validators)
        if await self.ctx.ask(QueryChunk(candidate, ChunkIndex(request.own))) is not None:
            return True
        with trio.move_on_after(OBTAIN_S) as limit:
            data = await self._recover(request, rounds=1)
        if limit.cancelled_caught or isinstance(data, RecoveryFailure):
            return False
        made = await self.ctx.executor.run(lambda: Encoding.of(data, count))
        return await self.ctx.ask(StoreChunk(candidate, made.chunks[request.own]))

    async def _recover(
        self, request: RecoverAvailableData | ObtainChunk, rounds: int = ROUNDS
    ) -> AvailableData | RecoveryFailure:
        candidate = request.receipt.hash()
        recovery = Recovery(
            self.ctx,
            candidate,
            request.receipt.descriptor.erasure_root,
            request.validators,
            request.backers,
            rounds,
        )
        held = await recovery.own_data()
        if held is not None:
            return held
        found = await recovery.run()
        if isinstance(found, RecoveryFailure):
            chunks = len(recovery.chunks)
            self.ctx.journal.record(
                "recovery.failed", candidate=candidate, reason=found.value, chunks=chunks
            )
        else:
            self.ctx.journal.record("recovery.done", candidate=candidate)
        return found


def rebuild(
    chunks: Mapping[int, bytes], validators: int, erasure_root: bytes
) -> AvailableData | RecoveryFailure:
    """The data, encoded anew and held against the root. ``INVALID`` says that whoever made the
    root did not make it from any data: the chunks have been proven one by one."""
    try:
        return erasure.recover_value(AvailableData, chunks, validators, erasure_root)
    except (erasure.ErasureError, ScaleDecodeError):
        return RecoveryFailure.INVALID


@dataclass(slots=True)
class Recovery:
    """The recovery of one candidate's data."""

    ctx: Context
    candidate: CandidateHash
    erasure_root: bytes
    validators: tuple[ValidatorId, ...]
    backers: tuple[ValidatorIndex, ...]
    rounds: int
    chunks: dict[int, bytes] = field(default_factory=dict)
    """What has been gathered, proven."""

    @property
    def needed(self) -> int:
        """How many chunks are enough."""
        return erasure.threshold(len(self.validators))

    async def own_data(self) -> AvailableData | None:
        """What this node has on its disk, if it is still what the root is of: else damage would be
        found in the candidate, and come to a vote against a valid one."""
        data = await self.ctx.ask(QueryAvailableData(self.candidate))
        if data is None:
            return None
        form, validators = encode(data), len(self.validators)
        if await self.ctx.executor.run(lambda: root_of(form, validators)) == self.erasure_root:
            return data
        self.ctx.journal.record("recovery.damaged_data", candidate=self.candidate)
        return None

    async def run(self) -> AvailableData | RecoveryFailure:
        """Ask everybody, and again those who had nothing."""
        for chunk in await self.ctx.ask(QueryChunks(self.candidate)):
            self._keep_own(chunk)
        for number in range(self.rounds):
            if number:
                await self.ctx.clock.sleep(BETWEEN_ROUNDS_S)
            peers = await self.ctx.ask(ResolveValidators(self.validators))
            whole = await self._from_backers(peers)
            if whole is not None:
                return whole
            await self._gather(peers)
            if len(self.chunks) >= self.needed:
                return await self.ctx.executor.run(self._rebuilt)
        return RecoveryFailure.UNAVAILABLE

    def _keep_own(self, chunk: ErasureChunk) -> None:
        """A chunk of this node's disk, if it is proven still: else data that nobody made would come
        of it."""
        root, validators = self.erasure_root, len(self.validators)
        if erasure.verify_chunk(root, chunk.index, chunk.chunk, chunk.proof, validators):
            self.chunks[chunk.index] = chunk.chunk
        else:
            self.ctx.journal.record(
                "recovery.damaged_chunk", candidate=self.candidate, index=chunk.index
            )

    def _rebuilt(self) -> AvailableData | RecoveryFailure:
        return rebuild(self.chunks, len(self.validators), self.erasure_root)

    async def _from_backers(self, peers: Peers) -> AvailableData | None:
        """All data, from one backer after another in random order."""
        keys = [self.validators[index] for index in self.backers if index < len(self.validators)]
        holders = list(dict.fromkeys(peers[key] for key in keys if key in peers))
        request = AvailableDataRequest(self.candidate)
        with trio.move_on_after(FROM_BACKERS_S):
            for peer in sample(self.ctx.random, holders, len(holders)):
                data = await fetch_data(
                    self.ctx, peer, request, self.erasure_root, len(self.validators)
                )
                if data is not None:
                    return data
        return None

    async def _gather(self, peers: Peers) -> None:
        """Ask every validator whose chunk is missing, in random order, until there are enough."""
        lacking = [
            (ChunkIndex(U32(index)), peers[validator])
            for index, validator in enumerate(self.validators)
            if validator in peers and index not in self.chunks
        ]
        order = iter(sample(self.ctx.random, lacking, len(lacking)))
        under_way = 0

        async def ask_one_after_another() -> None:
            nonlocal under_way
            for index, peer in order:
                under_way += 1
                await self._ask_for(index, peer)
                under_way -= 1
                if len(self.chunks) >= self.needed:
                    nursery.cancel_scope.cancel()
                if len(self.chunks) + under_way >= self.needed + SPARE:
                    return

        if len(self.chunks) >= self.needed:
            return
        async with trio.open_nursery() as nursery:
            for _ in range(min(IN_FLIGHT, self.needed - len(self.chunks) + SPARE)):
                nursery.start_soon(ask_one_after_another)

    async def _ask_for(self, index: ChunkIndex, peer: PeerId) -> None:
        request = ChunkRequest(self.candidate, index)
        chunk = await fetch_chunk(self.ctx, peer, request, self.erasure_root, len(self.validators))
        if chunk is not None:
            self.chunks[chunk.index] = chunk.chunk
