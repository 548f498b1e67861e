"""Adversaries of finality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from parahost.consensus.grandpa.messages import (
    PROTOCOL,
    GossipMessage,
    SignedMessage,
    VoteMessage,
    payload_of,
)
from parahost.crypto import ed25519
from parahost.node.node import Node
from parahost.ports import KeyType
from parahost.primitives.basic import H512, U32, BlockNumber, GrandpaSignature, PeerId
from parahost.primitives.consensus import GrandpaMessage, Precommit, Prevote
from parahost.primitives.scale import decode, encode
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.adversaries.altered_network import AlteredNetwork
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World


@dataclass(frozen=True, kw_only=True)
class EquivocatingVoter(Adversary):
    """Prevotes and precommits twice in each round: for its block, and for that block's parent.

    Who hears both votes reports them in a ``GrandpaEquivocationProof``. While no more than f do
    so, no two conflicting blocks become final, and finality goes on (the GRANDPA paper; D27).
    """

    kind: ClassVar[str] = "equivocating_voter"

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _DoubleVoice(build)

        return alter


class _DoubleVoice(AlteredNetwork):
    """Sends a rival after each vote of our own."""

    def __init__(self, build: Build) -> None:
        super().__init__(build.ports.network)
        self._keys = build.keys
        self._node: Node | None = None
        build.with_ports(network=self)
        build.jobs.append(self._settle_in)

    async def _settle_in(self, node: Node) -> None:
        self._node = node

    def notify(self, peers: Sequence[PeerId], protocol: str, payload: bytes) -> None:
        super().notify(peers, protocol, payload)
        if protocol != PROTOCOL or self._node is None:
            return
        message: GossipMessage = decode(GossipMessage, payload)
        if isinstance(message, VoteMessage):
            rival = self._rival(self._node, message)
            if rival is not None:
                super().notify(peers, protocol, encode(rival, GossipMessage))

    def _rival(self, node: Node, message: VoteMessage) -> VoteMessage | None:
        vote = message.vote
        is_ours = bytes(vote.id) in self._keys.public_keys(KeyType.GRANDPA)
        if not is_ours or not isinstance(vote.message, Prevote | Precommit):
            return None
        header = node.chain.header(vote.message.target_hash)
        if header is None or header.number == 0:
            return None
        other: GrandpaMessage = replace(
            vote.message,
            target_hash=header.parent_hash,
            target_number=BlockNumber(U32(header.number - 1)),
        )
        key = self._keys.get(KeyType.GRANDPA, vote.id)
        assert isinstance(key, ed25519.Keypair), "GRANDPA keys are"
        signature = ed25519.sign(key, payload_of(other, message.round, message.set_id))
        signed = SignedMessage(other, GrandpaSignature(H512(signature)), vote.id)
        return replace(message, vote=signed)
