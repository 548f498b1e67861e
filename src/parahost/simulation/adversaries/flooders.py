"""Adversaries who say too much."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import trio

from parahost.node.availability.bitfield_rules import BitfieldGossip
from parahost.node.backing.assignments import assign
from parahost.node.backing.statement_wire import StatementOnWire, messages
from parahost.node.messages.network import MAX_VIEW_HEADS, PeerSet, ProtocolId, View
from parahost.node.node import Node
from parahost.node.protocols import BITFIELD_DISTRIBUTION, NOTIFICATIONS, STATEMENT_DISTRIBUTION
from parahost.node.role import Role
from parahost.node.utility.network_bridge import ProtocolMessage, ViewUpdate, WireMessage
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    BlockNumber,
    CollatorId,
    CollatorSignature,
    Hash,
    HeadData,
    ParaId,
    ValidationCodeHash,
)
from parahost.primitives.candidates import (
    CandidateCommitments,
    CandidateDescriptor,
    CommittedCandidateReceipt,
)
from parahost.primitives.scale import BitVec, encode
from parahost.primitives.statements import Seconded
from parahost.runtime import api
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.adversaries.insider import Insider, heads_of
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World


@dataclass(frozen=True, kw_only=True)
class Flooder(Adversary):
    """Sends ``per_block`` messages more to everybody at each new block."""

    per_block: int = 50

    def check(self, roles: dict[str, Role]) -> None:
        super().check(roles)
        if self.per_block < 1:
            raise ValueError(f"{self.kind}: per_block is at least 1")

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _Flood(build, self)

        return alter

    @abstractmethod
    def messages(self, flood: _Flood, node: Node, head: Hash) -> Iterator[bytes]:
        """Bytes for the validation peer set, without end."""


@dataclass(frozen=True, kw_only=True)
class FloodsStatements(Flooder):
    """Seconds one candidate after the other, each signed as it should be.

    Two of them prove its guilt: they are reported as a ``DoubleVote``. Of more, each costs
    reputation, until it is banned, and nobody keeps or spreads them (A84, A87).
    """

    kind: ClassVar[str] = "floods_statements"

    def messages(self, flood: _Flood, node: Node, head: Hash) -> Iterator[bytes]:
        state = node.chain.state(head)
        own = flood.own_index(api.validators(state))
        paras = assign(api.validator_groups(state), api.availability_cores(state))
        para = next((p for p, each in paras.items() if own in each.group), ParaId(U32(0)))
        while own is not None:
            candidate = invented(para, head, flood.random.bytes(32))
            signed = flood.state(node, head, Seconded(candidate), own)
            for payload in messages(head, [StatementOnWire.of(signed)]):
                yield gossip(STATEMENT_DISTRIBUTION, payload)


@dataclass(frozen=True, kw_only=True)
class FloodsBitfields(Flooder):
    """Votes on availability again and again, always otherwise, signed as it should be.

    The first vote of a validator at a head counts; who sends more loses reputation (A94).
    """

    kind: ClassVar[str] = "floods_bitfields"

    def messages(self, flood: _Flood, node: Node, head: Hash) -> Iterator[bytes]:
        state = node.chain.state(head)
        own, cores = flood.own_index(api.validators(state)), len(api.availability_cores(state))
        while own is not None:
            bits = BitVec.of(flood.random.below(2) == 1 for _ in range(cores))
            signed = flood.claim(node, head, bits, own)
            yield gossip(BITFIELD_DISTRIBUTION, encode(BitfieldGossip(head, (signed,))))


@dataclass(frozen=True, kw_only=True)
class FloodsViews(Flooder):
    """Claims to work on heads that nobody has heard of, other ones each time.

    A view replaces the one before and has 5 heads at most (A105): nothing piles up.
    """

    kind: ClassVar[str] = "floods_views"

    def messages(self, flood: _Flood, node: Node, head: Hash) -> Iterator[bytes]:
        while True:
            heads = tuple(Hash(H256(flood.random.bytes(32))) for _ in range(MAX_VIEW_HEADS))
            view = View(heads, node.chain.finalized.number)
            yield encode(ViewUpdate(view), WireMessage)


class _Flood(Insider):
    """One flooder's life."""

    def __init__(self, build: Build, flooder: Flooder) -> None:
        super().__init__(build)
        self.random = build.streams.stream(flooder.kind)
        self._flooder = flooder
        build.jobs.append(self._flood)

    async def _flood(self, node: Node) -> None:
        network, protocol = node.ports.network, NOTIFICATIONS[PeerSet.VALIDATION].name
        async for head in heads_of(node):
            # Others have heard of the block by now.
            await trio.sleep(node.parameters.slot_duration_s / 4)
            messages = self._flooder.messages(self, node, head)
            for _, payload in zip(range(self._flooder.per_block), messages, strict=False):
                network.notify(network.connected(), protocol, payload)


def gossip(protocol: ProtocolId, payload: bytes) -> bytes:
    """A subsystem's message, for the bridge."""
    return encode(ProtocolMessage(protocol, payload), WireMessage)


def invented(para: ParaId, head: Hash, salt: bytes) -> CommittedCandidateReceipt:
    """A candidate that says nothing true but where it belongs."""
    nothing = H256(salt)
    descriptor = CandidateDescriptor(
        para_id=para,
        relay_parent=head,
        collator=CollatorId(nothing),
        persisted_validation_data_hash=nothing,
        pov_hash=nothing,
        erasure_root=nothing,
        signature=CollatorSignature(H512(salt + salt)),
        para_head=nothing,
        validation_code_hash=ValidationCodeHash(nothing),
    )
    outputs = CandidateCommitments((), (), None, HeadData(salt), U32(0), BlockNumber(U32(0)))
    return CommittedCandidateReceipt(descriptor, outputs)
