"""Adversaries who hold data and do not give it, or give something else."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import ClassVar

from parahost.node.availability.chunk_gossip import ChunkGossip
from parahost.node.messages.availability import ChunkRequested, DataRequested, DistributeBitfield
from parahost.node.messages.backing import PoVRequested
from parahost.node.messages.base import Message, Reply
from parahost.node.messages.network import SendMessage
from parahost.node.node import Node
from parahost.node.protocols import AVAILABILITY_DISTRIBUTION
from parahost.primitives.availability import ErasureChunk
from parahost.primitives.candidates import AvailableData, PoV
from parahost.primitives.runtime_api import OccupiedCore
from parahost.primitives.scale import BitVec, decode, encode
from parahost.runtime import api
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.adversaries.insider import Insider
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World


@dataclass(frozen=True, kw_only=True)
class WithholdsPoV(Adversary):
    """Gives nobody a PoV. The others ask whoever else vouches for the candidate (A88, D12)."""

    kind: ClassVar[str] = "withholds_pov"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            build.interceptors.append(_PoVMiser())

        return alter


@dataclass(frozen=True, kw_only=True)
class WithholdsChunks(Adversary):
    """Gives nobody a chunk, nor all of the data. While no more than f do so, the others have enough
    (A43, D7)."""

    kind: ClassVar[str] = "withholds_chunks"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            build.interceptors.append(_ChunkMiser())

        return alter


@dataclass(frozen=True, kw_only=True)
class SendsWrongChunks(Adversary):
    """Sends chunks that their proofs do not fit, and data that are not the candidate's. None are
    kept, and each costs reputation (A90)."""

    kind: ClassVar[str] = "sends_wrong_chunks"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            build.interceptors.append(_ChunkForger())

        return alter


@dataclass(frozen=True, kw_only=True)
class ClaimsUnseen(Adversary):
    """Votes for the availability of whatever is pending, with its chunk or without. So f votes may
    be lies, and n - f are needed (A43, D7)."""

    kind: ClassVar[str] = "claims_unseen"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _Boaster(build)

        return alter


class _PoVMiser:
    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        if isinstance(message, PoVRequested):
            message.reply.answer(None)
            return ()
        return (message,)


class _ChunkMiser:
    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        match message:
            case ChunkRequested() | DataRequested():
                message.reply.answer(None)
                return ()
            case SendMessage(protocol=protocol) if protocol == AVAILABILITY_DISTRIBUTION:
                return ()
        return (message,)


class _ChunkForger:
    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        match message:
            case ChunkRequested(peer, payload, reply):
                return (ChunkRequested(peer, payload, _SpoiledReply(reply, _spoiled_chunk)),)
            case DataRequested(peer, payload, reply):
                return (DataRequested(peer, payload, _SpoiledReply(reply, _spoiled_data)),)
            case SendMessage(peers, protocol, payload) if protocol == AVAILABILITY_DISTRIBUTION:
                gossip: ChunkGossip = decode(ChunkGossip, payload)
                wrong = replace(gossip, chunk=_spoiled(gossip.chunk))
                return (SendMessage(peers, protocol, encode(wrong)),)
        return (message,)


class _SpoiledReply(Reply[bytes | None]):
    """Hands an answer on, but not as it was."""

    def __init__(self, asker: Reply[bytes | None], spoil: Callable[[bytes], bytes]) -> None:
        super().__init__()
        self._asker = asker
        self._spoil = spoil

    def answer(self, value: bytes | None) -> None:
        super().answer(value)
        if value is not None:
            value = self._spoil(value)
        self._asker.answer(value)

    def drop(self) -> None:
        super().drop()
        self._asker.drop()


def _spoiled_chunk(encoded: bytes) -> bytes:
    return encode(_spoiled(decode(ErasureChunk, encoded)))


def _spoiled_data(encoded: bytes) -> bytes:
    data: AvailableData = decode(AvailableData, encoded)
    return encode(replace(data, pov=PoV(data.pov.block_data + b"spoiled")))


def _spoiled(chunk: ErasureChunk) -> ErasureChunk:
    return replace(chunk, chunk=bytes(byte ^ 0xFF for byte in chunk.chunk))


class _Boaster(Insider):
    def twist(self, node: Node, message: Message) -> Iterable[Message]:
        if not isinstance(message, DistributeBitfield):
            return (message,)
        head, own = message.relay_parent, message.bitfield.validator_index
        cores = api.availability_cores(node.chain.state(head))
        everything = BitVec.of(isinstance(core, OccupiedCore) for core in cores)
        return (DistributeBitfield(head, self.claim(node, head, everything, own)),)
