"""Collators who waste validators' time, or deceive them (A82, A97, D17).

Whatever they do, no honest validator is reported, and other paras go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import trio

from parahost.crypto import sr25519
from parahost.node.backing.assignments import assign
from parahost.node.collation.generation import data_root, make_collation
from parahost.node.collation.wire import Advertise, CollationFetch, CollationGossip
from parahost.node.messages.base import Message
from parahost.node.messages.collation import CollationRequested, DistributeCollation
from parahost.node.messages.network import SendMessage
from parahost.node.node import Node
from parahost.node.protocols import COLLATION, COLLATION_REQUEST
from parahost.node.role import Role
from parahost.parachains import Collator
from parahost.parachains.adder.collator import AdderCollator
from parahost.parachains.collator import Services
from parahost.ports import BuildContext, KeyType, ParachainBlock
from parahost.ports.network import RequestHandler, RequestProtocol
from parahost.primitives.basic import H256, U32, Hash, HeadData, PeerId
from parahost.primitives.candidates import Collation
from parahost.primitives.scale import decode, encode
from parahost.runtime import api
from parahost.simulation.adversaries.adversary import Adversary
from parahost.simulation.adversaries.altered_network import AlteredNetwork
from parahost.simulation.adversaries.insider import Insider
from parahost.simulation.build import Alteration, Build
from parahost.simulation.faults import World
from parahost.simulation.random import SeededRandom


@dataclass(frozen=True, kw_only=True)
class SlowCollator(Adversary):
    """Advertises in time, and delivers ``late_s`` seconds late. Who waits gives up after a second
    and asks others (D17)."""

    kind: ClassVar[str] = "slow_collator"
    role: ClassVar[Role] = Role.COLLATOR

    late_s: float = 2.0
    boasts: bool = False
    """Advertise the most bytes that there can be: for these, validators have most patience."""

    def check(self, roles: dict[str, Role]) -> None:
        super().check(roles)
        if self.late_s < 0:
            raise ValueError(f"{self.kind}: late_s is not below 0")

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            build.with_ports(network=_SlowNetwork(build, self.late_s))
            if self.boasts:
                build.interceptors.append(_Boast())

        return alter


@dataclass(frozen=True, kw_only=True)
class SpamsAdvertisements(Adversary):
    """Advertises each collation ``copies`` times more, and as many that there are not.

    One advertisement per relay parent is heard; each other costs reputation (D17).
    """

    kind: ClassVar[str] = "spams_advertisements"
    role: ClassVar[Role] = Role.COLLATOR

    copies: int = 20

    def check(self, roles: dict[str, Role]) -> None:
        super().check(roles)
        if self.copies < 1:
            raise ValueError(f"{self.kind}: copies is at least 1")

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            random = build.streams.stream(self.kind)
            build.interceptors.append(_Spam(self.copies, random))

        return alter


@dataclass(frozen=True, kw_only=True)
class InvalidCollator(Adversary):
    """Promises heads that its blocks do not lead to. Validators who judge one ban the collator
    (A79, A82), and none of its blocks is backed."""

    kind: ClassVar[str] = "invalid_collator"
    role: ClassVar[Role] = Role.COLLATOR

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            assert build.collator is not None, "collators have one"
            build.collator = _Liar(build.collator)

        return alter


@dataclass(frozen=True, kw_only=True)
class TwoCollations(Adversary):
    """Makes two good collations for each relay parent, and gives each to every other validator.
    Only for adders, whose blocks it knows to vary.

    Each validator seconds the one that it got, and may find the other valid (A77). At most one of
    them becomes pending, and nobody has done wrong (A109).
    """

    kind: ClassVar[str] = "two_collations"
    role: ClassVar[Role] = Role.COLLATOR

    def conspire(self, world: World) -> Alteration:
        def alter(build: Build) -> None:
            _Twins(build)

        return alter


class _SlowNetwork(AlteredNetwork):
    def __init__(self, build: Build, late_s: float) -> None:
        super().__init__(build.ports.network)
        self._late_s = late_s

    def on_request(self, protocol: RequestProtocol, handler: RequestHandler) -> None:
        async def answer_late(peer: PeerId, payload: bytes) -> bytes | None:
            await trio.sleep(self._late_s)
            return await handler(peer, payload)

        super().on_request(protocol, answer_late if protocol == COLLATION_REQUEST else handler)


class _Boast:
    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        if isinstance(message, SendMessage) and message.protocol == COLLATION:
            gossip: CollationGossip = decode(CollationGossip, message.payload)
            if isinstance(gossip, Advertise):
                most = replace(gossip, size=U32(COLLATION_REQUEST.max_response))
                message = replace(message, payload=encode(most, CollationGossip))
        yield message


class _Spam:
    def __init__(self, copies: int, random: SeededRandom) -> None:
        self._copies = copies
        self._random = random

    def intercept(self, sender: str, message: Message) -> Iterable[Message]:
        yield message
        if not (isinstance(message, SendMessage) and message.protocol == COLLATION):
            return
        gossip: CollationGossip = decode(CollationGossip, message.payload)
        if isinstance(gossip, Advertise):
            for _ in range(self._copies):
                nowhere = replace(gossip, relay_parent=Hash(H256(self._random.bytes(32))))
                payload = encode(nowhere, CollationGossip)
                yield message
                yield SendMessage(message.peers, message.protocol, payload)


class _Wrapped(Collator):
    """A collator with somebody around it."""

    def __init__(self, honest: Collator) -> None:
        self._honest = honest

    async def start(self, services: Services) -> None:
        await super().start(services)
        await self._honest.start(services)

    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock | None:
        return await self._honest.build(parent_head, context)

    def on_included(self, head: HeadData) -> None:
        self._honest.on_included(head)

    def on_finalized(self, head: HeadData) -> None:
        self._honest.on_finalized(head)


class _Liar(_Wrapped):
    """Its blocks promise what they do not do."""

    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock | None:
        block = await super().build(parent_head, context)
        return None if block is None else replace(block, head=HeadData(block.head[::-1]))


class _Doubling(_Wrapped):
    """Has a second block for each that it builds: one that adds something else."""

    def __init__(self, honest: Collator) -> None:
        super().__init__(honest)
        self._other = AdderCollator(add=7)
        self.twins: dict[Hash, ParachainBlock] = {}
        """By relay parent."""

    async def start(self, services: Services) -> None:
        await super().start(services)
        await self._other.start(services)

    async def build(self, parent_head: HeadData, context: BuildContext) -> ParachainBlock | None:
        block = await super().build(parent_head, context)
        # The counter at the parent is in the store that both share.
        twin = await self._other.build(parent_head, context)
        if twin is not None:
            self.twins[context.relay_parent] = twin
        return block


class _Twins(Insider):
    """Answers every second request with the twin of what was asked for."""

    def __init__(self, build: Build) -> None:
        super().__init__(build)
        assert build.collator is not None, "collators have one"
        self._collator = build.collator = _Doubling(build.collator)
        self._twins: dict[Hash, Collation] = {}
        self._requests = 0

    def twist(self, node: Node, message: Message) -> Iterable[Message]:
        match message:
            case DistributeCollation(head, collation) if head in self._collator.twins:
                self._twins[head] = self._twin(node, head, collation)
            case CollationRequested(_, payload, reply):
                head = decode(CollationFetch, payload).relay_parent
                self._requests += 1
                if self._requests % 2 == 0 and head in self._twins:
                    reply.answer(encode(self._twins[head]))
                    return ()
        return (message,)

    def _twin(self, node: Node, head: Hash, collation: Collation) -> Collation:
        descriptor = collation.receipt.descriptor
        state, para = node.chain.state(head), descriptor.para_id
        paras = assign(api.validator_groups(state), api.availability_cores(state))
        assumption = paras[para].assumption
        data = api.persisted_validation_data(state, para, assumption)
        code = api.validation_code(state, para, assumption)
        key = self._keys.get(KeyType.COLLATOR, descriptor.collator)
        assert data is not None and code is not None, "the collation was made of them"
        assert isinstance(key, sr25519.Keypair), "collators' keys are"
        block = self._collator.twins[head]
        return make_collation(
            para_id=para,
            relay_parent=head,
            collator=descriptor.collator,
            data=data,
            code=code,
            block=block,
            erasure_root=data_root(block, data, len(api.validators(state))),
            sign=partial(sr25519.sign, key),
        )
