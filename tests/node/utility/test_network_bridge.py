"""The Network Bridge (A105-A108)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.availability import (
    AvailabilityNetwork,
    BitfieldNetwork,
    ChunkRequested,
    DataRequested,
)
from parahost.node.messages.backing import PoVRequested, StatementNetwork
from parahost.node.messages.base import Message
from parahost.node.messages.collation import CollationNetwork, CollationRequested
from parahost.node.messages.network import (
    MAX_VIEW_HEADS,
    NetworkBridgeEvent,
    NewValidatorPeers,
    OurViewChange,
    PeerConnected,
    PeerDisconnected,
    PeerMessage,
    PeerSet,
    PeerSetNetwork,
    PeerViewChange,
    ProtocolId,
    RegisterEventProducer,
    RegisterRequestProducer,
    ReportPeer,
    ReputationChange,
    SendMessage,
    SendRequest,
    ValidatorPeers,
    View,
)
from parahost.node.messages.validity import ApprovalNetwork, DisputeRequested
from parahost.node.overseer import Overseer, Subsystem
from parahost.node.protocols import (
    AVAILABILITY_DISTRIBUTION,
    BITFIELD_DISTRIBUTION,
    CHUNK_REQUEST,
    COLLATION,
    GOSSIP_LIMITS,
    NOTIFICATIONS,
    POV_REQUEST,
    STATEMENT_DISTRIBUTION,
    VALIDATOR_DISCOVERY,
)
from parahost.node.utility.network_bridge import (
    COST_MALFORMED,
    COST_REVERTED,
    COST_TOO_LARGE,
    COST_UNKNOWN_PROTOCOL,
    NetworkBridge,
    ProtocolMessage,
    ViewUpdate,
    WireMessage,
)
from parahost.ports import NetworkEvent, ObservedRole, RequestFailed
from parahost.ports import network as port
from parahost.primitives.basic import H256, U32, ZERO_HASH, BlockNumber, Hash, PeerId
from parahost.primitives.events import BlockFinalizationEvent
from parahost.primitives.header import Header
from parahost.primitives.scale import decode, encode
from parahost.runtime.storage import State
from tests.memory_network import MemoryNetwork, MemoryPort, take
from tests.node.harness import ListJournal, make_overseer, running

A, B = PeerId("a"), PeerId("b")


class Speakers(Subsystem):
    """All the protocols at once: keeps what it hears, and answers chunk requests."""

    name = "speakers"
    receives = (
        StatementNetwork,
        AvailabilityNetwork,
        BitfieldNetwork,
        CollationNetwork,
        PeerSetNetwork,
        PoVRequested,
        ChunkRequested,
        DataRequested,
        CollationRequested,
        DisputeRequested,
        ApprovalNetwork,
    )

    def __init__(self) -> None:
        self.heard: list[tuple[type[Message], NetworkBridgeEvent]] = []

    def on_message(self, message: Message) -> None:
        if isinstance(message, ChunkRequested):
            if message.payload == b"drop":
                message.reply.drop()
            else:
                message.reply.answer(message.payload[::-1] or None)
            return
        self.heard.append((type(message), message.event))  # type: ignore[attr-defined]


@dataclass
class Bridge:
    port: MemoryPort
    overseer: Overseer
    speakers: Speakers
    network: MemoryNetwork
    sent: list[tuple[tuple[PeerId, ...], str, bytes]] = field(default_factory=list)

    def told(self, kind: type[Message] | None = None) -> list[NetworkBridgeEvent]:
        """What was heard since last asked."""
        heard, self.speakers.heard = self.speakers.heard, []
        return [event for of, event in heard if kind in (None, of)]

    async def send(self, *messages: Message) -> None:
        for message in messages:
            self.overseer.send(message)
        await trio.testing.wait_all_tasks_blocked()

    async def hears(self, event: NetworkEvent, peer_set: PeerSet = PeerSet.VALIDATION) -> None:
        await take(self.port.handlers[peer_set.value], event)
        await trio.testing.wait_all_tasks_blocked()

    async def connects(self, peer: PeerId, role: ObservedRole = ObservedRole.AUTHORITY) -> None:
        self.port.peers[peer] = 0
        for peer_set in PeerSet:
            await self.hears(port.PeerConnected(peer, role), peer_set)

    async def gets(self, peer: PeerId, wire: bytes) -> None:
        await self.hears(port.Notification(peer, "validation", wire))

    def views_sent(self) -> list[tuple[tuple[PeerId, ...], View]]:
        views = [(p, decode(WireMessage, data)) for p, _, data in self.sent]
        return [(p, wire.view) for p, wire in views if isinstance(wire, ViewUpdate) and p]


@asynccontextmanager
async def bridge(role: ObservedRole = ObservedRole.AUTHORITY) -> AsyncIterator[Bridge]:
    network = MemoryNetwork()
    own = network.port("us", role)
    speakers = Speakers()
    overseer = make_overseer([NetworkBridge(own, role), speakers])
    made = Bridge(own, overseer, speakers, network)

    def notify(peers: tuple[PeerId, ...], protocol: str, payload: bytes) -> None:
        made.sent.append((tuple(peers), protocol, payload))

    own.notify = notify  # type: ignore[method-assign,assignment]
    async with running(overseer):
        await made.send(
            RegisterEventProducer(
                AVAILABILITY_DISTRIBUTION, PeerSet.VALIDATION, AvailabilityNetwork
            ),
            RegisterEventProducer(BITFIELD_DISTRIBUTION, PeerSet.VALIDATION, BitfieldNetwork),
            RegisterEventProducer(COLLATION, PeerSet.COLLATION, CollationNetwork),
            RegisterRequestProducer(CHUNK_REQUEST, ChunkRequested),
        )
        yield made


def block(number: int, parent: Hash = ZERO_HASH, salt: int = 0) -> ActiveLeaf:
    header = Header(parent, BlockNumber(number), H256(bytes([salt]) * 32), H256(bytes(32)))  # type: ignore[arg-type]
    return ActiveLeaf(State.from_raw({}), header.hash(), header)


def wire(message: ProtocolMessage | ViewUpdate) -> bytes:
    return encode(message, WireMessage)


@pytest.mark.guide("A105", "A107")
async def test_our_view_is_the_newest_five_leaves_told_to_all() -> None:
    async with bridge() as made:
        await made.connects(A)
        made.told()
        made.sent.clear()
        blocks = [block(1, salt=salt) for salt in range(7)]
        heads: list[Hash] = []
        for one in blocks:
            made.overseer.block_imported(one)
            await trio.testing.wait_all_tasks_blocked()
            heads.append(one.hash)
            view = View(tuple(heads[-MAX_VIEW_HEADS:]))
            assert len(view.heads) <= 5
            assert made.told() == [OurViewChange(view)] * 3
            assert made.views_sent()[-1] == ((A,), view)


@pytest.mark.guide("A105")
async def test_a_block_and_its_parent_make_one_new_view() -> None:
    async with bridge() as made:
        first = block(1)
        made.overseer.block_imported(first)
        made.overseer.block_imported(block(2, first.hash))
        await trio.testing.wait_all_tasks_blocked()
        (change,) = made.told(AvailabilityNetwork)
        assert change == OurViewChange(View((block(2, first.hash).hash,)))


@pytest.mark.guide("A105")
async def test_a_view_says_what_is_final_and_waits_for_new_heads_to_say_it() -> None:
    async with bridge() as made:
        await made.connects(A)
        first = block(1)
        second = block(2, first.hash)
        made.overseer.block_imported(first)
        await trio.testing.wait_all_tasks_blocked()
        assert made.views_sent()[-1] == (
            (A,),
            View((first.hash,), finalized_number=BlockNumber(U32(0))),
        )
        made.told()
        made.overseer.block_finalized(BlockFinalizationEvent(first.hash, first.header))
        await trio.testing.wait_all_tasks_blocked()
        assert made.told() == []
        made.overseer.block_imported(second)
        await trio.testing.wait_all_tasks_blocked()
        assert made.views_sent()[-1] == (
            (A,),
            View((second.hash,), finalized_number=BlockNumber(U32(1))),
        )
        assert (
            made.told()
            == [OurViewChange(View((second.hash,), finalized_number=BlockNumber(U32(1))))] * 3
        )


@pytest.mark.guide("A105", "A107")
async def test_a_peer_for_which_less_is_final_than_was_costs_and_is_not_heard() -> None:
    async with bridge() as made:
        await made.connects(A)
        made.told()
        views = [
            View((block(number).hash,), finalized_number=BlockNumber(U32(number)))
            for number in (7, 7, 6, 8)
        ]
        for view in views:
            await made.gets(A, wire(ViewUpdate(view)))
        heard = made.told(BitfieldNetwork)
        assert heard == [PeerViewChange(A, view) for view in views if view.finalized_number != 6]
        assert made.port.reports == [(A, COST_REVERTED.value, COST_REVERTED.reason)]
        await made.hears(port.PeerDisconnected(A))
        await made.connects(A)  # its disk may have lost what was final
        await made.gets(A, wire(ViewUpdate(views[2])))
        assert made.told(BitfieldNetwork)[-1] == PeerViewChange(A, views[2])


def test_a_views_form_is_polkadots() -> None:
    """Heads, then the final number: four bytes, the least first."""
    head = block(1).hash
    assert (
        encode(View((head,), finalized_number=BlockNumber(U32(258))))
        == b"\x04" + head + b"\x02\x01\x00\x00"
    )


@pytest.mark.guide("A107")
async def test_a_peer_is_known_first_then_its_views_then_its_messages() -> None:
    async with bridge() as made:
        head = block(1).hash
        view = View((head,))
        await made.gets(A, wire(ViewUpdate(view)))  # before it is connected: from nobody
        assert made.told() == []
        await made.connects(A, ObservedRole.FULL)
        assert made.sent[-1][0] == (A,)  # it learns our view at once
        await made.gets(A, wire(ViewUpdate(view)))
        await made.gets(A, wire(ProtocolMessage(AVAILABILITY_DISTRIBUTION, b"x")))
        await made.hears(port.PeerDisconnected(A))
        await made.gets(A, wire(ViewUpdate(view)))
        heard = list(made.speakers.heard)
        assert [event for kind, event in heard if kind is AvailabilityNetwork] == [
            PeerConnected(A, ObservedRole.FULL),
            PeerViewChange(A, view),
            PeerMessage(A, b"x"),
            PeerDisconnected(A),
        ]
        assert [event for kind, event in heard if kind is BitfieldNetwork] == [
            PeerConnected(A, ObservedRole.FULL),
            PeerViewChange(A, view),
            PeerDisconnected(A),
        ]
        assert made.port.reports == []


@pytest.mark.guide("A106")
async def test_the_first_registration_wins_and_an_unknown_id_costs() -> None:
    async with bridge() as made:
        await made.send(
            RegisterEventProducer(AVAILABILITY_DISTRIBUTION, PeerSet.VALIDATION, StatementNetwork)
        )
        await made.connects(A)
        made.told()
        await made.gets(A, wire(ProtocolMessage(AVAILABILITY_DISTRIBUTION, b"x")))
        assert made.speakers.heard == [(AvailabilityNetwork, PeerMessage(A, b"x"))]
        for unknown in (STATEMENT_DISTRIBUTION, COLLATION):  # the other circle's is unknown here
            await made.gets(A, wire(ProtocolMessage(unknown, b"x")))
        cost = COST_UNKNOWN_PROTOCOL
        assert made.port.reports == [(A, cost.value, cost.reason)] * 2
        assert len(made.told()) == 1


@pytest.mark.guide("A105", "A106")
@given(garbage=st.binary(max_size=40))
def test_garbage_never_gets_through(garbage: bytes) -> None:
    async def scenario() -> None:
        async with bridge() as made:
            await made.connects(A)
            made.told()
            await made.gets(A, garbage)
            events = made.told()
            if made.port.reports:
                assert events == []
                assert made.port.reports[0][1] in (
                    COST_MALFORMED.value,
                    COST_UNKNOWN_PROTOCOL.value,
                )
            else:  # by chance, it was a message
                decoded = decode(WireMessage, garbage)
                assert isinstance(decoded, (ProtocolMessage, ViewUpdate))

    trio.run(scenario)


@pytest.mark.guide("A105")
async def test_a_view_of_more_than_five_heads_is_malformed() -> None:
    async with bridge() as made:
        await made.connects(A)
        made.told()
        heads = tuple(block(1, salt=salt).hash for salt in range(6))
        five = wire(ViewUpdate(View(heads[:5])))
        await made.gets(A, five)
        assert made.told(AvailabilityNetwork) == [PeerViewChange(A, View(heads[:5]))]
        await made.gets(A, five[:1] + bytes([6 << 2]) + five[2:-4] + heads[5] + five[-4:])
        assert made.told() == []
        assert made.port.reports == [(A, COST_MALFORMED.value, COST_MALFORMED.reason)]


@pytest.mark.guide("A106", "A107")
async def test_who_does_not_want_views_hears_of_none() -> None:
    async with bridge() as made:
        await made.send(
            RegisterEventProducer(
                VALIDATOR_DISCOVERY, PeerSet.VALIDATION, PeerSetNetwork, views=False
            )
        )
        await made.connects(A)
        made.overseer.block_imported(block(1))
        await made.gets(A, wire(ViewUpdate(View((block(1).hash,)))))
        await made.gets(A, wire(ProtocolMessage(VALIDATOR_DISCOVERY, b"x")))
        heard = list(made.speakers.heard)
        assert [event for kind, event in heard if kind is PeerSetNetwork] == [
            PeerConnected(A, ObservedRole.AUTHORITY),
            PeerMessage(A, b"x"),
        ]
        views = [type(event) for kind, event in heard if kind is BitfieldNetwork]
        assert OurViewChange in views and PeerViewChange in views


async def test_what_comes_while_the_node_is_busy_waits_and_keeps_its_order() -> None:
    """Taken at once where there is room; else the network has to wait, and reads nothing on."""
    network = MemoryNetwork()
    own, speakers = network.port("us"), Speakers()
    overseer = make_overseer([NetworkBridge(own, ObservedRole.AUTHORITY), speakers], capacity=2)
    async with running(overseer):
        overseer.send(
            RegisterEventProducer(
                AVAILABILITY_DISTRIBUTION, PeerSet.VALIDATION, AvailabilityNetwork
            )
        )
        await trio.testing.wait_all_tasks_blocked()
        hear = own.handlers[PeerSet.VALIDATION.value]

        def message(text: bytes) -> port.Notification:
            payload = wire(ProtocolMessage(AVAILABILITY_DISTRIBUTION, text))
            return port.Notification(A, "validation", payload)

        assert hear(port.PeerConnected(A, ObservedRole.AUTHORITY)) is None
        assert hear(message(b"1")) is None
        assert speakers.heard == []
        waiting = hear(message(b"2"))
        assert waiting is not None, "two wait already"
        await waiting
        assert hear(message(b"3")) is None
        await trio.testing.wait_all_tasks_blocked()
        assert [event for _, event in speakers.heard] == [
            PeerConnected(A, ObservedRole.AUTHORITY),
            *(PeerMessage(A, text) for text in (b"1", b"2", b"3")),
        ]
        assert overseer.stats()["speakers"].longest <= 2


@pytest.mark.parametrize(("protocol", "limit"), [(BITFIELD_DISTRIBUTION, 64 * 1024)])
async def test_each_protocol_has_a_limit_of_its_own_both_ways(
    protocol: ProtocolId, limit: int
) -> None:
    async with bridge() as made:
        await made.connects(A)
        made.told()
        made.sent.clear()
        fits, too_large = bytes(limit), bytes(limit + 1)
        for payload in (fits, too_large):
            await made.gets(A, wire(ProtocolMessage(protocol, payload)))
            await made.send(SendMessage((A,), protocol, payload))
        assert made.told() == [PeerMessage(A, fits)]
        assert made.port.reports == [(A, COST_TOO_LARGE.value, COST_TOO_LARGE.reason)]
        assert [payload for _, _, payload in made.sent] == [wire(ProtocolMessage(protocol, fits))]
        journal = made.overseer._journal
        assert isinstance(journal, ListJournal)
        assert journal.names() == ["network.too_large"]


def test_every_gossip_protocol_fits_into_what_carries_it() -> None:
    for limit in GOSSIP_LIMITS.values():
        payload = wire(ProtocolMessage(AVAILABILITY_DISTRIBUTION, bytes(limit)))
        assert len(payload) <= NOTIFICATIONS[PeerSet.VALIDATION].max_size
    for protocol in (COLLATION, VALIDATOR_DISCOVERY):
        payload = wire(ProtocolMessage(protocol, bytes(GOSSIP_LIMITS[protocol])))
        assert len(payload) <= NOTIFICATIONS[PeerSet.COLLATION].max_size


async def test_requests_wait_while_the_node_is_busy() -> None:
    network = MemoryNetwork()
    own, speakers = network.port("us"), Speakers()
    overseer = make_overseer([NetworkBridge(own, ObservedRole.AUTHORITY), speakers], capacity=3)
    answers: list[bytes | None] = []

    async def ask(number: int) -> None:
        answers.append(await own.answerers["req_chunk"](A, b"%d" % number))

    async with running(overseer):
        overseer.send(RegisterRequestProducer(CHUNK_REQUEST, ChunkRequested))
        await trio.testing.wait_all_tasks_blocked()
        async with trio.open_nursery() as nursery:
            for number in range(100, 200):
                nursery.start_soon(ask, number)
        assert len(answers) == 100
        assert overseer.stats()["speakers"].longest <= 3


@pytest.mark.guide("A108")
async def test_reports_and_messages_reach_the_network() -> None:
    async with bridge() as made:
        await made.connects(A)
        made.sent.clear()
        await made.send(
            ReportPeer(A, ReputationChange(-7, "why")),
            SendMessage((A, B), AVAILABILITY_DISTRIBUTION, b"payload"),
        )
        assert made.port.reports == [(A, -7, "why")]
        expected = wire(ProtocolMessage(AVAILABILITY_DISTRIBUTION, b"payload"))
        assert made.sent == [((A,), "validation", expected)]  # B is not connected


async def test_who_gossips_hears_who_validates_once() -> None:
    async with bridge() as made:
        await made.connects(A)
        made.told()
        event = ValidatorPeers((A, B))
        await made.send(NewValidatorPeers(event))
        assert made.told() == [event] * 2, "each of the two protocols of the validation peer set"


async def test_collators_are_met_in_their_own_circle() -> None:
    for role, other, circle in (
        (ObservedRole.AUTHORITY, ObservedRole.AUTHORITY, AvailabilityNetwork),
        (ObservedRole.AUTHORITY, ObservedRole.COLLATOR, CollationNetwork),
        (ObservedRole.COLLATOR, ObservedRole.FULL, CollationNetwork),
        (ObservedRole.COLLATOR, ObservedRole.COLLATOR, None),
    ):
        async with bridge(role) as made:
            await made.connects(A, other)
            heard = made.speakers.heard
            assert [k for k, _ in heard if k is not BitfieldNetwork] == ([circle] if circle else [])


async def test_requests_go_both_ways() -> None:
    async with bridge() as made:
        answer = made.port.answerers["req_chunk"]
        assert await answer(A, b"abc") == b"cba"
        assert await answer(A, b"drop") is None
        assert await made.port.answerers["req_pov"](A, b"abc") is None  # nobody answers it
        there = made.network.port("a")
        there.answerers["req_chunk"] = answer
        made.port.peers[A] = 0
        assert await made.overseer.ask(SendRequest(A, CHUNK_REQUEST, b"xy")) == b"yx"
        failure = await made.overseer.ask(SendRequest(B, POV_REQUEST, b"xy"))
        assert isinstance(failure, RequestFailed) and failure.why == "disconnected"
