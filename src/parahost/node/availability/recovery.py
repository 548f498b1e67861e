"""Availability Recovery: a candidate's data from the chunks of a third of the validators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import trio

from parahost import erasure
from parahost.consensus.fanout import sample
from parahost.node.availability.chunk_request import ChunkRequest, fetch_chunk
from parahost.node.messages.availability import (
    QueryAvailableData,
    QueryChunks,
    RecoverAvailableData,
    RecoveryFailure,
)
from parahost.node.messages.base import Message
from parahost.node.messages.network import ReportPeer, ResolveValidators, SendRequest
from parahost.node.overseer import Context, Subsystem
from parahost.primitives.basic import U32, CandidateHash, ChunkIndex, ValidatorId
from parahost.primitives.candidates import AvailableData
from parahost.primitives.scale import ScaleDecodeError

IN_FLIGHT = 16
"""Requests under way at a time for one candidate."""
SPARE = 2
"""Requests beyond the chunks that are needed, so that a silent peer holds nobody up."""
ROUNDS = 3
"""How often every validator whose chunk is missing is asked before the data count as unavailable;
peers and their records may come late."""
BETWEEN_ROUNDS_S = 1.0

RecoveryOutcome = AvailableData | RecoveryFailure


class AvailabilityRecovery(Subsystem):
    """One job per request."""

    name = "availability-recovery"
    receives = (RecoverAvailableData,)
    sends: ClassVar[tuple[type[Message], ...]] = (
        QueryAvailableData,
        QueryChunks,
        ResolveValidators,
        SendRequest,
        ReportPeer,
    )

    def on_message(self, message: Message) -> None:
        assert isinstance(message, RecoverAvailableData)
        request = message

        async def serve() -> None:
            request.reply.answer(await self._recover(request))

        self.ctx.spawn(None, serve, "recover")

    async def _recover(self, request: RecoverAvailableData) -> RecoveryOutcome:
        candidate, validators = request.receipt.hash(), request.validators
        held = await self.ctx.ask(QueryAvailableData(candidate))
        if held is not None:
            return held
        root = request.receipt.descriptor.erasure_root
        gathering = Gathering(self.ctx, candidate, root, validators)
        chunks = await gathering.run()
        if len(chunks) < gathering.needed:
            outcome: RecoveryOutcome = RecoveryFailure.UNAVAILABLE
        else:
            count = len(validators)
            outcome = await self.ctx.executor.run(lambda: rebuild(chunks, count, root))
        if isinstance(outcome, RecoveryFailure):
            self.ctx.journal.record(
                "recovery.failed", candidate=candidate, reason=outcome.value, chunks=len(chunks)
            )
        else:
            self.ctx.journal.record("recovery.done", candidate=candidate)
        return outcome


def rebuild(chunks: dict[int, bytes], validators: int, erasure_root: bytes) -> RecoveryOutcome:
    """The data, encoded anew and held against the root. ``INVALID`` says that whoever made the
    root did not make it from any data: the chunks have been proven one by one."""
    try:
        return erasure.recover_value(AvailableData, chunks, validators, erasure_root)
    except (erasure.ErasureError, ScaleDecodeError):
        return RecoveryFailure.INVALID


@dataclass(slots=True)
class Gathering:
    """Collects proven chunks of one candidate, as many as are needed."""

    ctx: Context
    candidate: CandidateHash
    erasure_root: bytes
    validators: tuple[ValidatorId, ...]

    @property
    def needed(self) -> int:
        return erasure.threshold(len(self.validators))

    async def run(self) -> dict[int, bytes]:
        """Chunks by index; fewer than needed when no more could be had."""
        held = await self.ctx.ask(QueryChunks(self.candidate))
        chunks: dict[int, bytes] = {chunk.index: chunk.chunk for chunk in held}
        for number in range(ROUNDS):
            if number:
                await self.ctx.clock.sleep(BETWEEN_ROUNDS_S)
            await self._round(chunks)
            if len(chunks) >= self.needed:
                break
        return chunks

    async def _round(self, chunks: dict[int, bytes]) -> None:
        """Ask every validator whose chunk is missing, in random order, until there are enough."""
        peers = await self.ctx.ask(ResolveValidators(self.validators))
        lacking = [
            (ChunkIndex(U32(index)), peers[validator])
            for index, validator in enumerate(self.validators)
            if validator in peers and index not in chunks
        ]
        order = iter(sample(self.ctx.random, lacking, len(lacking)))

        under_way = 0

        async def ask_one_after_another() -> None:
            nonlocal under_way
            for index, peer in order:
                request = ChunkRequest(self.candidate, index)
                under_way += 1
                chunk = await fetch_chunk(
                    self.ctx, peer, request, self.erasure_root, len(self.validators)
                )
                under_way -= 1
                if chunk is not None:
                    chunks[chunk.index] = chunk.chunk
                if len(chunks) >= self.needed:
                    nursery.cancel_scope.cancel()
                if len(chunks) + under_way >= self.needed + SPARE:
                    return

        if len(chunks) >= self.needed:
            return
        async with trio.open_nursery() as nursery:
            for _ in range(min(IN_FLIGHT, self.needed - len(chunks) + SPARE)):
                nursery.start_soon(ask_one_after_another)
