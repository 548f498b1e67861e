"""A small protocol about blocks that are not final yet: who checks a candidate says so first
(``Assignment``), and what came of it afterwards (``Approval``)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

from trio.testing import wait_all_tasks_blocked

from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    Acceptance,
    Gossip,
    GossipItem,
    Quota,
    Verdict,
    Wire,
    in_batches,
)
from parahost.node.messages.availability import BitfieldNetwork
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    OurViewChange,
    PeerConnected,
    PeerMessage,
    PeerViewChange,
    ProtocolId,
    RegisterEventProducer,
    ReportPeer,
    ReputationChange,
    SendMessage,
    View,
)
from parahost.node.overseer import Context, Subsystem
from parahost.ports import ObservedRole
from parahost.primitives.basic import H256, U32, Hash, PeerId, block_at
from parahost.primitives.scale import decode, encode, variant
from tests.node.harness import make_overseer, running

PROTOCOL = ProtocolId(b"chks")
VALIDATORS = 1000
"""So many that no few peers are a full mesh."""
MAX_ASSIGNED = 3
IGNORED = 13


def block(number: int, fork: int = 0) -> Hash:
    return Hash(H256(bytes([number, fork]) * 16))


# The protocol


@variant(0)
@dataclass(frozen=True)
class Assignment:
    validator: U32
    candidate: U32
    signed_by: U32
    """The validator, or else it is forged."""


@variant(1)
@dataclass(frozen=True)
class Approval:
    validator: U32
    candidates: tuple[U32, ...]


Check = Assignment | Approval


@dataclass(frozen=True)
class Checks:
    block: Hash
    checks: tuple[Check, ...]


def assigned(validator: int, candidate: int, *, signed_by: int | None = None) -> Assignment:
    signer = validator if signed_by is None else signed_by
    return Assignment(U32(validator), U32(candidate), U32(signer))


def approved(validator: int, *candidates: int) -> Approval:
    return Approval(U32(validator), tuple(map(U32, candidates)))


def item_of(check: Check) -> GossipItem[Check]:
    if isinstance(check, Approval):
        subjects = tuple((check.validator, candidate) for candidate in check.candidates)
        return GossipItem(
            ("approval", check.validator, check.candidates), check, depends_on=subjects
        )
    subject = (check.validator, check.candidate)
    return GossipItem(
        subject, check, introduces=(subject,), quota=Quota(check.validator, MAX_ASSIGNED)
    )


def read(payload: bytes) -> tuple[Hash, list[GossipItem[Check]]]:
    gossip: Checks = decode(Checks, payload)
    return gossip.block, [item_of(check) for check in gossip.checks]


def write(topic: Hash, checks: Sequence[Check]) -> Iterator[bytes]:
    for batch in in_batches(checks):
        yield encode(Checks(topic, batch))


@dataclass
class CheckRules:
    """Forged assignments are rejected; what validator 13 says is ignored."""

    asked: list[Check] = field(default_factory=list)

    def judge(self, item: GossipItem[Check]) -> Verdict[Check]:
        check = item.content
        self.asked.append(check)
        if check.validator == IGNORED:
            return Verdict(Acceptance.IGNORE)
        if isinstance(check, Assignment) and check.signed_by != check.validator:
            return Verdict(Acceptance.REJECT, COST_BAD_SIGNATURE)
        return Verdict(Acceptance.ACCEPT, BENEFIT_NEW, check)


# A node that speaks it


class CheckDistribution(Subsystem):
    """Only gossips; tests open and close its topics."""

    name = "check-distribution"
    receives = (BitfieldNetwork,)
    sends: ClassVar[tuple[type[Message], ...]] = Gossip.SENDS

    def __init__(self) -> None:
        self.news: list[tuple[Hash, Check, PeerId]] = []
        wire = Wire(PROTOCOL, BitfieldNetwork, read, write)
        self.gossip: Gossip[Check, Check] = Gossip(wire, lambda *news: self.news.append(news))

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        self.gossip.start(ctx)

    def on_message(self, message: Message) -> None:
        assert isinstance(message, BitfieldNetwork)
        self.gossip.on_event(message.event)


class Bridge(Subsystem):
    """Hears what the node says."""

    name = "bridge"
    receives = (RegisterEventProducer, SendMessage, ReportPeer)

    def __init__(self) -> None:
        self.heard: list[Message] = []

    def on_message(self, message: Message) -> None:
        self.heard.append(message)


class Checking:
    """One node and its peers."""

    def __init__(self) -> None:
        self.subsystem, self.bridge = CheckDistribution(), Bridge()
        self.gossip, self.news = self.subsystem.gossip, self.subsystem.news
        self.overseer = make_overseer([self.subsystem, self.bridge])
        self.rules = CheckRules()

    def open(self, number: int, *, fork: int = 0, below: int | None = None) -> Hash:
        """A topic with the one below it on the same fork, or on fork ``below``."""
        topic, parent = block(number, fork), block(number - 1, fork if below is None else below)
        self.gossip.open(topic, block_at(number), self.rules, VALIDATORS, parent=parent)
        return topic

    async def connect(self, *peers: PeerId) -> None:
        await self.event(*(PeerConnected(peer, ObservedRole.FULL) for peer in peers))

    async def view(self, peer: PeerId, *heads: Hash, final: int = 0) -> None:
        await self.event(PeerViewChange(peer, View(heads, block_at(final))))

    async def our_view(self, *heads: Hash) -> None:
        await self.event(OurViewChange(View(heads)))

    async def hear(self, peer: PeerId, topic: Hash, *checks: Check) -> None:
        await self.event(PeerMessage(peer, encode(Checks(topic, checks))))

    async def event(self, *events: object) -> None:
        for event in events:
            self.overseer.send(BitfieldNetwork(event))  # type: ignore[arg-type]
        await wait_all_tasks_blocked()

    async def publish(self, topic: Hash, *checks: Check) -> list[bool]:
        published = [self.gossip.publish(topic, item_of(check)) for check in checks]
        await wait_all_tasks_blocked()
        return published

    def told(self, peer: PeerId) -> list[tuple[Hash, Check]]:
        """What a peer was sent, in order."""
        return [(topic, check) for topic, checks in self.messages(peer) for check in checks]

    def messages(self, peer: PeerId) -> list[tuple[Hash, tuple[Check, ...]]]:
        sent = [m for m in self.bridge.heard if isinstance(m, SendMessage) and peer in m.peers]
        gossip: list[Checks] = [decode(Checks, message.payload) for message in sent]
        return [(each.block, each.checks) for each in gossip]

    def costs(self, peer: PeerId) -> list[ReputationChange]:
        reports = [m for m in self.bridge.heard if isinstance(m, ReportPeer) and m.peer == peer]
        return [report.change for report in reports if report.change.value < 0]


@asynccontextmanager
async def checking(*peers: PeerId) -> AsyncIterator[Checking]:
    """A node, with these peers that work on nothing yet."""
    node = Checking()
    async with running(node.overseer):
        await node.connect(*peers)
        yield node
