"""Somebody within a node: knows what it knows, and signs with its bare keys."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import trio

from parahost.chain.chain import ChainEvent
from parahost.crypto import sr25519
from parahost.node.messages.base import Message
from parahost.node.node import Node
from parahost.ports import KeyType
from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import (
    H512,
    U32,
    Hash,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.scale import BitVec
from parahost.primitives.statements import (
    SignedStatement,
    SigningContext,
    Statement,
    statement_payload,
)
from parahost.runtime import api
from parahost.runtime.storage import State
from parahost.simulation.build import Build


class Insider:
    """Stands between the node's parts, and lets everything pass; derive from it.

    For one life of a node: made of its ``Build``, at home once the node runs.
    """

    def __init__(self, build: Build) -> None:
        self._keys = build.keys
        self._node: Node | None = None
        build.interceptors.append(self)
        build.jobs.append(self._settle_in)

    async def _settle_in(self, node: Node) -> None:
        self._node = node

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        """See ``overseer.Interceptor``."""
        return (message,) if self._node is None else self.twist(self._node, message)

    def twist(self, node: Node, message: Message) -> Iterable[Message]:
        """What the node says instead."""
        return (message,)

    # Signing what the protection log would refuse

    def state(
        self, node: Node, head: Hash, statement: Statement, own: ValidatorIndex
    ) -> SignedStatement:
        """A statement at a head, whatever was stated before."""
        state = node.chain.state(head)
        payload = statement_payload(
            type(statement), statement.candidate_hash(), _signing(state, head)
        )
        return SignedStatement(statement, own, self._sign(state, own, payload))

    def claim(
        self, node: Node, head: Hash, bitfield: BitVec, own: ValidatorIndex
    ) -> SignedAvailabilityBitfield:
        """A vote on availability at a head, whatever was voted before."""
        state = node.chain.state(head)
        unsigned = SignedAvailabilityBitfield(bitfield, own, ValidatorSignature(H512(bytes(64))))
        signature = self._sign(state, own, unsigned.payload(_signing(state, head)))
        return SignedAvailabilityBitfield(bitfield, own, signature)

    def sign_as(self, public: ValidatorId, payload: bytes) -> ValidatorSignature:
        """With one of its validator keys, whatever it signs."""
        key = self._keys.get(KeyType.PARACHAIN, public)
        assert isinstance(key, sr25519.Keypair), "validators' keys are"
        return ValidatorSignature(H512(sr25519.sign(key, payload)))

    def own_index(self, validators: Sequence[ValidatorId]) -> ValidatorIndex | None:
        """Who it is among these."""
        own = self._keys.public_keys(KeyType.PARACHAIN)
        for index, key in enumerate(validators):
            if bytes(key) in own:
                return ValidatorIndex(U32(index))
        return None

    def _sign(self, state: State, own: ValidatorIndex, payload: bytes) -> ValidatorSignature:
        return self.sign_as(api.validators(state)[own], payload)


def _signing(state: State, head: Hash) -> SigningContext:
    return SigningContext(api.session_index_for_child(state), head)


def heads_of(node: Node) -> trio.MemoryReceiveChannel[Hash]:
    """The blocks that a node imports from now on."""
    send, receive = trio.open_memory_channel[Hash](64)

    def listen(event: ChainEvent) -> None:
        if isinstance(event, BlockImportEvent):
            send.send_nowait(event.hash)

    node.chain.subscribe(listen)
    return receive
