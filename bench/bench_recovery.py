"""CPU time in which a node recovers a PoV of 5 MiB of 1,000 validators: all of it from one backer,
and from the chunks of a third of the validators (D22).

Run: ``python -m bench.bench_recovery``. The overseer and Availability Recovery are the real ones;
what peers and the store say lies ready. The bytes of answers are decoded and proven, the data
encoded anew and held against the erasure root. What the network takes is not in it.
"""

from __future__ import annotations

import random
import time
from statistics import median
from typing import ClassVar

import trio

from bench.figures import figure
from parahost import erasure
from parahost.node.availability.chunk_request import ChunkRequest
from parahost.node.availability.recovery import AvailabilityRecovery
from parahost.node.messages.availability import (
    QueryAvailableData,
    QueryChunk,
    QueryChunks,
    RecoverAvailableData,
    StoreChunk,
)
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    RegisterRequestProducer,
    ReportPeer,
    ResolveValidators,
    SendRequest,
)
from parahost.node.overseer import Overseer, Subsystem
from parahost.ports import RequestFailed
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    BlockNumber,
    ChunkIndex,
    CollatorId,
    CollatorSignature,
    Hash,
    HeadData,
    ParaId,
    PeerId,
    ValidationCodeHash,
    ValidatorId,
    ValidatorIndex,
)
from parahost.primitives.candidates import (
    AvailableData,
    CandidateDescriptor,
    CandidateReceipt,
    PersistedValidationData,
    PoV,
)
from parahost.primitives.scale import decode, encode
from parahost.process.executor import ThreadExecutor
from parahost.process.system import SystemClock, SystemRandom

POV_BYTES = 5 << 20
VALIDATORS = 1000
BACKERS = tuple(ValidatorIndex(U32(index)) for index in range(5))
ROUNDS = 15


class Peers(Subsystem):
    """All peers, and the own store, which has nothing."""

    name = "peers"
    receives: ClassVar[tuple[type[Message], ...]] = (
        QueryAvailableData,
        QueryChunk,
        QueryChunks,
        RegisterRequestProducer,
        ReportPeer,
        ResolveValidators,
        SendRequest,
        StoreChunk,
    )

    def __init__(self, whole: bytes, chunks: list[bytes]) -> None:
        self._whole, self._chunks = whole, chunks
        self.backers_answer = True

    def on_message(self, message: Message) -> None:
        match message:
            case QueryAvailableData():
                message.reply.answer(None)
            case QueryChunks():
                message.reply.answer(())
            case ResolveValidators(validators):
                message.reply.answer({each: PeerId(each.hex()) for each in validators})
            case SendRequest(peer, protocol, payload):
                if protocol.name == "req_chunk":
                    asked: ChunkRequest = decode(ChunkRequest, payload)
                    message.reply.answer(self._chunks[asked.index])
                elif self.backers_answer:
                    message.reply.answer(self._whole)
                else:
                    message.reply.answer(RequestFailed(peer, protocol.name, "refused"))
            case QueryChunk() | ReportPeer() | StoreChunk():
                raise AssertionError(message)


def receipt(erasure_root: bytes) -> CandidateReceipt:
    nothing = H256(bytes(32))
    descriptor = CandidateDescriptor(
        para_id=ParaId(U32(100)),
        relay_parent=Hash(nothing),
        collator=CollatorId(nothing),
        persisted_validation_data_hash=nothing,
        pov_hash=nothing,
        erasure_root=erasure_root,  # type: ignore[arg-type]
        signature=CollatorSignature(H512(bytes(64))),
        para_head=nothing,
        validation_code_hash=ValidationCodeHash(nothing),
    )
    return CandidateReceipt(descriptor, nothing)


class NoJournal:
    def record(self, event: str, **fields: object) -> None:
        pass


async def main() -> None:
    validation_data = PersistedValidationData(
        HeadData(b"head"), BlockNumber(U32(1)), H256(bytes(32)), U32(10 << 20)
    )
    data = AvailableData(PoV(random.Random(0).randbytes(POV_BYTES)), validation_data)
    whole = encode(data)
    chunks = erasure.encode(whole, VALIDATORS)
    root, proofs = erasure.root_and_proofs(chunks)
    peers = Peers(
        whole,
        [
            encode(ErasureChunk(chunk, ChunkIndex(U32(index)), proof))
            for index, (chunk, proof) in enumerate(zip(chunks, proofs, strict=True))
        ],
    )
    validators = tuple(ValidatorId(H256(index.to_bytes(32, "big"))) for index in range(VALIDATORS))
    clock = SystemClock()
    overseer = Overseer(
        [AvailabilityRecovery(), peers],
        clock=clock,
        random=SystemRandom(),
        journal=NoJournal(),
        executor=ThreadExecutor(),
    )
    async with trio.open_nursery() as nursery:
        await nursery.start(overseer.run, [])
        for answer, name, target in (
            (True, "5 MiB for 1,000 validators, from a backer", 0.05),
            (False, "the same, from chunks", 0.25),
        ):
            peers.backers_answer = answer
            taken = []
            for _ in range(ROUNDS):
                began = time.process_time()
                found = await overseer.ask(RecoverAvailableData(receipt(root), validators, BACKERS))
                taken.append(time.process_time() - began)
                assert found == data
            figure(name, median(taken) * 1e3, "ms CPU", f"{target * 1e3:.0f} ms")
            figure("  the fastest", min(taken) * 1e3, "ms CPU")
        nursery.cancel_scope.cancel()


if __name__ == "__main__":
    trio.run(main)
