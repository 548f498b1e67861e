"""Collation Distribution: each side among scripted neighbours."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from parahost.crypto import sr25519
from parahost.crypto.verifier import DirectVerifier
from parahost.node.collation import collator_side
from parahost.node.collation.bans import CollatorBans
from parahost.node.collation.collator_side import (
    COST_NO_OFFER,
    COST_UNEXPECTED,
    MAX_OFFERS,
    CollatorSide,
)
from parahost.node.collation.generation import make_collation
from parahost.node.collation.validator_side import (
    COST_AGAIN,
    COST_BAD_DECLARATION,
    COST_BROKEN_PROMISE,
    COST_DECLARED_TWICE,
    COST_MALFORMED,
    COST_NO_COLLATORS,
    COST_NOT_DELIVERED,
    COST_TOO_LARGE,
    COST_UNDECLARED,
    COST_UNKNOWN_HEADS,
    MAX_EARLY,
    ValidatorSide,
    delivered,
)
from parahost.node.collation.wire import (
    Advertise,
    CollationFetch,
    CollationGossip,
    Declare,
    Refused,
    declare_payload,
    fetch_time_s,
    refused,
)
from parahost.node.messages.backing import CollationAdvertised
from parahost.node.messages.base import Message, Reply
from parahost.node.messages.collation import (
    BanCollator,
    CollationNetwork,
    CollationRequested,
    DistributeCollation,
    ExplainToCollator,
    FetchCollation,
    NoteGoodCollation,
)
from parahost.node.messages.network import (
    PeerConnected,
    PeerMessage,
    RegisterEventProducer,
    RegisterRequestProducer,
    ReportPeer,
    ReputationChange,
    ResolveValidators,
    SendMessage,
    SendRequest,
)
from parahost.node.overseer import Overseer
from parahost.ports import Database, ObservedRole, ParachainBlock, RequestFailed
from parahost.primitives.basic import (
    H256,
    U32,
    BlockNumber,
    CollatorId,
    CollatorSignature,
    Hash,
    HeadData,
    PeerId,
    ValidationCode,
    ValidatorId,
)
from parahost.primitives.candidates import Collation, PersistedValidationData
from parahost.primitives.hashing import blake2_256
from parahost.primitives.scale import decode, encode
from parahost.runtime import api
from parahost.storage import MemoryDatabase
from tests.node.collation.world import (
    COLLATOR,
    PARACHAIN,
    PARATHREAD,
    Scripted,
    chain,
    collator_keys,
    newest,
)
from tests.node.harness import ListJournal, make_overseer, running, scripted_leaf

ME = CollatorId(H256(COLLATOR.public))
PEER = PeerId("collator's peer")
OTHER = PeerId("another peer")
HEAD, NEXT = (Hash(blake2_256(name)) for name in (b"head", b"next"))


def collation(relay_parent: Hash = HEAD, block_data: bytes = b"block") -> Collation:
    return make_collation(
        para_id=PARACHAIN,
        relay_parent=relay_parent,
        collator=ME,
        data=PersistedValidationData(HeadData(b""), BlockNumber(U32(1)), H256(bytes(32)), U32(99)),
        code=ValidationCode(b"code"),
        block=ParachainBlock(block_data, HeadData(b"head")),
        erasure_root=H256(bytes(32)),
        sign=lambda payload: sr25519.sign(COLLATOR, payload),
    )


def declaration(peer: PeerId = PEER) -> Declare:
    signature = sr25519.sign(COLLATOR, declare_payload(PARACHAIN, peer))
    return Declare(ME, PARACHAIN, CollatorSignature(signature))  # type: ignore[arg-type]


# The validator's side


class Validator:
    """The validator's side among neighbours; ``answer`` is what the network brings to requests."""

    def __init__(self, disk: Database | None = None) -> None:
        self.answer: bytes | RequestFailed | None = None
        bans = CollatorBans(disk or MemoryDatabase())
        self.neighbours = Scripted(
            [
                RegisterEventProducer,
                RegisterRequestProducer,
                SendMessage,
                SendRequest,
                ReportPeer,
                ResolveValidators,
                CollationAdvertised,
            ],
            self._script,
        )
        self.overseer = make_overseer([ValidatorSide(DirectVerifier(), bans), self.neighbours])

    def _script(self, message: Message) -> None:
        if isinstance(message, SendRequest) and self.answer is not None:
            message.reply.answer(self.answer)

    async def tell(self, message: Message) -> None:
        self.overseer.send(message)
        await wait_all_tasks_blocked()

    async def hear(self, *gossip: CollationGossip | bytes, peer: PeerId = PEER) -> None:
        for each in gossip:
            payload = each if isinstance(each, bytes) else encode(each, CollationGossip)
            await self.tell(CollationNetwork(PeerMessage(peer, payload)))

    async def connect(self, peer: PeerId = PEER) -> None:
        await self.tell(CollationNetwork(PeerConnected(peer, ObservedRole.COLLATOR)))

    async def import_block(self, block: Hash, number: int, parent: Hash) -> None:
        self.overseer.block_imported(scripted_leaf(block, number, parent))
        await wait_all_tasks_blocked()

    def costs(self) -> list[ReputationChange]:
        return [report.change for report in self.neighbours.of(ReportPeer)]

    def advertised(self) -> list[CollationAdvertised]:
        return self.neighbours.of(CollationAdvertised)

    def told(self) -> list[tuple[PeerId, CollationGossip]]:
        sent = self.neighbours.of(SendMessage)
        return [(peer, decode(CollationGossip, m.payload)) for m in sent for peer in m.peers]

    async def fetch(self, relay_parent: Hash = HEAD) -> Collation | None:
        fetched = await self.overseer.ask(FetchCollation(relay_parent, PARACHAIN, ME, PEER))
        await wait_all_tasks_blocked()
        return fetched


@asynccontextmanager
async def a_validator(disk: Database | None = None) -> AsyncIterator[Validator]:
    validator = Validator(disk)
    async with running(validator.overseer, [scripted_leaf(HEAD)]):
        await validator.connect()
        yield validator


@pytest.mark.guide("A97")
async def test_a_declared_collators_advertisement_reaches_selection_once() -> None:
    async with a_validator() as validator:
        await validator.hear(declaration(), Advertise(HEAD, U32(10)), Advertise(HEAD, U32(10)))
        assert validator.advertised() == [CollationAdvertised(HEAD, PARACHAIN, ME, PEER)]
        assert validator.costs() == [COST_AGAIN]


@pytest.mark.guide("A97")
@pytest.mark.parametrize(
    ("gossip", "cost"),
    [
        ([Advertise(HEAD, U32(1))], COST_UNDECLARED),
        ([declaration(OTHER)], COST_BAD_DECLARATION),
        ([replace(declaration(), para_id=PARATHREAD)], COST_BAD_DECLARATION),
        ([declaration(), declaration()], COST_DECLARED_TWICE),
        ([declaration(), Advertise(HEAD, U32(1 << 30))], COST_TOO_LARGE),
        ([refused(HEAD, "why")], COST_NO_COLLATORS),
        ([b"\x02"], COST_MALFORMED),
        ([b"\x03"], COST_MALFORMED),
        ([b""], COST_MALFORMED),
    ],
)
async def test_what_is_not_acceptable_costs(
    gossip: list[CollationGossip | bytes], cost: ReputationChange
) -> None:
    async with a_validator() as validator:
        await validator.hear(*gossip)
        assert validator.costs() == [cost]
        assert validator.advertised() == []


@given(st.binary(max_size=120))
def test_garbage_costs_and_nothing_else(payload: bytes) -> None:
    async def hear() -> None:
        async with a_validator() as validator:
            await validator.hear(payload)
            assert len(validator.costs()) == 1
            assert validator.advertised() == []

    trio.run(hear)


@pytest.mark.guide("A97")
async def test_an_early_advertisement_is_kept_until_its_head_comes_and_few_are() -> None:
    async with a_validator() as validator:
        await validator.hear(declaration(), Advertise(NEXT, U32(10)))
        assert validator.advertised() == []
        await validator.import_block(NEXT, 2, HEAD)
        assert [each.relay_parent for each in validator.advertised()] == [NEXT]
        await validator.hear(Advertise(HEAD, U32(10)))  # late: no cost, no use
        unknown = [Advertise(Hash(blake2_256(bytes([i]))), U32(1)) for i in range(MAX_EARLY + 1)]
        await validator.hear(*unknown)
        assert validator.costs() == [COST_UNKNOWN_HEADS]
        # The oldest has given way to the newest.
        await validator.import_block(unknown[0].relay_parent, 3, NEXT)
        assert len(validator.advertised()) == 1
        await validator.import_block(unknown[-1].relay_parent, 4, unknown[0].relay_parent)
        assert validator.advertised()[-1].relay_parent == unknown[-1].relay_parent


@pytest.mark.guide("A97", "A82")
async def test_a_banned_collator_is_told_why_and_not_heard_for_a_time(
    autojump_clock: MockClock,
) -> None:
    """Its node stays connected: it follows the relay chain through us."""
    async with a_validator() as validator:
        await validator.hear(declaration(), Advertise(HEAD, U32(10)))
        await validator.tell(BanCollator(HEAD, ME, "it trapped"))
        assert validator.told() == [(PEER, Refused(HEAD, "it trapped", U32(10)))]
        assert await validator.fetch() is None, "what was on offer is not fetched"
        await validator.hear(Advertise(NEXT, U32(10)))
        await validator.import_block(NEXT, 2, HEAD)
        await validator.connect(OTHER)
        await validator.hear(declaration(OTHER), Advertise(NEXT, U32(10)), peer=OTHER)
        assert len(validator.advertised()) == 1, "under no peer id"
        [(peer, notice)] = validator.told()[1:]
        assert (peer, notice) == (OTHER, refused(None, "an earlier collation was invalid", 10))
        await trio.sleep(10.1)
        await validator.hear(Advertise(NEXT, U32(10)))
        assert validator.advertised()[1:] == [CollationAdvertised(NEXT, PARACHAIN, ME, PEER)]
        assert validator.costs() == []


async def test_a_collator_earns_by_what_is_seconded() -> None:
    """So honest ones keep their places when strangers want them too."""
    async with a_validator() as validator:
        await validator.hear(declaration())
        await validator.connect(OTHER)
        await validator.tell(NoteGoodCollation(HEAD, ME))
        [earned] = validator.neighbours.of(ReportPeer)
        assert earned.peer == PEER, "who declared nothing earned nothing"
        assert earned.change.value == 50
        await validator.hear(declaration(OTHER), peer=OTHER)
        await validator.tell(NoteGoodCollation(HEAD, ME))
        assert {report.peer for report in validator.neighbours.of(ReportPeer)[1:]} == {PEER, OTHER}


@pytest.mark.guide("A82")
async def test_a_ban_survives_a_restart(autojump_clock: MockClock) -> None:
    disk = MemoryDatabase()
    for restart in range(2):
        async with a_validator(disk) as validator:
            await validator.hear(declaration(), Advertise(HEAD, U32(10)))
            assert len(validator.advertised()) == (0 if restart else 1)
            if not restart:
                await validator.tell(BanCollator(HEAD, ME, "it trapped"))


@pytest.mark.guide("A82")
async def test_whoever_is_not_to_blame_hears_why_as_well() -> None:
    async with a_validator() as validator:
        await validator.hear(declaration())
        await validator.tell(ExplainToCollator(HEAD, PEER, "the worker was killed" * 100))
        [(peer, refusal)] = validator.told()
        assert peer == PEER and isinstance(refusal, Refused)
        assert refusal.reason.startswith("the worker was killed") and refusal.ban_s == 0
        assert len(refusal.reason) == 256
        await validator.hear(Advertise(HEAD, U32(10)))
        assert len(validator.advertised()) == 1


@pytest.mark.guide("A97")
async def test_what_was_advertised_is_fetched() -> None:
    async with a_validator() as validator:
        wanted = collation()
        validator.answer = encode(wanted)
        assert await validator.fetch() is None, "nothing was advertised yet"
        await validator.hear(declaration(), Advertise(HEAD, U32(len(validator.answer))))
        assert await validator.fetch() == wanted
        [request] = validator.neighbours.of(SendRequest)
        assert decode(CollationFetch, request.payload) == CollationFetch(HEAD, PARACHAIN)
        assert validator.costs() == []


def broken() -> list[tuple[str, bytes, int]]:
    honest = collation()
    descriptor = honest.receipt.descriptor
    changed = [
        replace(descriptor, relay_parent=NEXT),
        replace(descriptor, para_id=PARATHREAD),
        replace(descriptor, collator=CollatorId(H256(bytes(32)))),
        replace(descriptor, pov_hash=H256(bytes(32))),
    ]
    cases = []
    for other in changed:
        payload = encode(replace(honest, receipt=replace(honest.receipt, descriptor=other)))
        cases.append((payload, len(payload)))
    whole = encode(honest)
    cases += [(whole, len(whole) + 1), (whole[:-1], len(whole) - 1), (b"", 0)]
    names = ["relay parent", "para", "collator", "pov", "size", "cut off", "empty"]
    return [(name, *case) for name, case in zip(names, cases, strict=True)]


@pytest.mark.guide("A97")
@pytest.mark.parametrize(("what", "answer", "size"), broken())
async def test_what_was_not_promised_is_not_taken(what: str, answer: bytes, size: int) -> None:
    async with a_validator() as validator:
        validator.answer = answer
        await validator.hear(declaration(), Advertise(HEAD, U32(size)))
        assert await validator.fetch() is None
        assert validator.costs() == [COST_BROKEN_PROMISE]


@given(st.binary(max_size=600))
def test_no_garbage_is_a_collation(answer: bytes) -> None:
    assert isinstance(delivered(answer, len(answer), HEAD, PARACHAIN, ME), str)


@pytest.mark.guide("A97")
async def test_who_does_not_deliver_in_time_is_not_waited_for(autojump_clock: MockClock) -> None:
    async with a_validator() as validator:
        await validator.hear(declaration(), Advertise(HEAD, U32(10)))
        begun = trio.current_time()
        assert await validator.fetch() is None
        assert trio.current_time() - begun == pytest.approx(fetch_time_s(10))
        validator.answer = RequestFailed(PEER, "req_collation", "disconnected")
        assert await validator.fetch() is None
        assert validator.costs() == [COST_NOT_DELIVERED] * 2


def test_larger_collations_have_more_time_within_bounds() -> None:
    mebi = 1024 * 1024
    assert fetch_time_s(0) == 1.0
    assert fetch_time_s(5 * mebi) == 2.0
    assert fetch_time_s(1000 * mebi) == 3.0


async def test_on_a_validator_nobody_finds_a_collation() -> None:
    async with a_validator() as validator:
        reply: Reply[bytes | None] = Reply()
        await validator.tell(CollationRequested(PEER, b"", reply))
        assert reply.value is None


# The collator's side


class CollatorsNode:
    """The collator's side on a real chain's first block, among neighbours who know validators."""

    def __init__(self) -> None:
        self.chain = chain()
        self.head = self.chain.header.hash()
        self.known: dict[ValidatorId, PeerId] = {}
        self.neighbours = Scripted(
            [
                RegisterEventProducer,
                RegisterRequestProducer,
                SendMessage,
                SendRequest,
                ReportPeer,
                ResolveValidators,
                CollationAdvertised,
            ],
            self._script,
        )
        self.side = CollatorSide(PARACHAIN, collator_keys(), PEER)
        self.overseer: Overseer = make_overseer([self.side, self.neighbours])

    def _script(self, message: Message) -> None:
        if isinstance(message, ResolveValidators):
            known = self.known
            message.reply.answer({v: known[v] for v in message.validators if v in known})

    def group(self) -> list[ValidatorId]:
        groups = api.validator_groups(self.chain.state)
        validators = api.validators(self.chain.state)
        group = groups.groups[groups.rotation.group_for_core(0, len(groups.groups))]  # type: ignore[arg-type]
        return [validators[index] for index in group]

    async def tell(self, message: Message) -> None:
        self.overseer.send(message)
        await wait_all_tasks_blocked()

    async def connect(self, peer: PeerId) -> None:
        await self.tell(CollationNetwork(PeerConnected(peer, ObservedRole.AUTHORITY)))

    async def asked(self, peer: PeerId, payload: bytes) -> bytes | None:
        reply: Reply[bytes | None] = Reply()
        await self.tell(CollationRequested(peer, payload, reply))
        return reply.value

    async def hear(self, *gossip: CollationGossip | bytes, peer: PeerId) -> None:
        for each in gossip:
            payload = each if isinstance(each, bytes) else encode(each, CollationGossip)
            await self.tell(CollationNetwork(PeerMessage(peer, payload)))

    def lines(self) -> list[dict[str, object]]:
        journal = self.overseer._journal
        assert isinstance(journal, ListJournal)
        return [fields for name, fields in journal.events if name == "collation.refused"]

    def gossip(self) -> list[tuple[PeerId, CollationGossip]]:
        return [
            (peer, decode(CollationGossip, sent.payload))
            for sent in self.neighbours.of(SendMessage)
            for peer in sent.peers
        ]


@asynccontextmanager
async def a_collator() -> AsyncIterator[CollatorsNode]:
    node = CollatorsNode()
    async with running(node.overseer, [newest(node.chain)]):
        yield node


@pytest.mark.guide("A97")
async def test_it_declares_to_each_validator_for_itself_alone() -> None:
    async with a_collator() as node:
        await node.connect(OTHER)
        await node.tell(CollationNetwork(PeerConnected(PeerId("full"), ObservedRole.FULL)))
        assert node.gossip() == [(OTHER, declaration(PEER))]


@pytest.mark.guide("A97")
async def test_it_advertises_once_to_the_group_and_serves_those_alone(
    autojump_clock: MockClock,
) -> None:
    async with a_collator() as node:
        member, *_ = node.group()
        stranger = next(v for v in api.validators(node.chain.state) if v not in node.group())
        offered = collation(node.head)
        fetch = encode(CollationFetch(node.head, PARACHAIN))
        await node.connect(PeerId("stranger"))
        node.known[stranger] = PeerId("stranger")
        await node.tell(DistributeCollation(node.head, offered))
        assert await node.asked(PeerId("stranger"), fetch) is None
        # Known only later, and connected later still.
        node.known[member] = PeerId("member")
        await trio.sleep(1)
        await node.connect(PeerId("member"))
        await trio.sleep(1)
        await node.tell(DistributeCollation(node.head, collation(node.head, b"another")))
        await trio.sleep(1)
        adverts = [(p, each) for p, each in node.gossip() if isinstance(each, Advertise)]
        assert adverts == [(PeerId("member"), Advertise(node.head, U32(len(encode(offered)))))]
        for _ in range(3):
            assert await node.asked(PeerId("member"), fetch) == encode(offered)
        assert await node.asked(PeerId("member"), fetch) is None
        costs = [(report.peer, report.change) for report in node.neighbours.of(ReportPeer)]
        assert costs == [(PeerId("stranger"), COST_NO_OFFER), (PeerId("member"), COST_NO_OFFER)]


async def test_it_serves_nothing_else() -> None:
    async with a_collator() as node:
        await node.connect(OTHER)
        node.known[node.group()[0]] = OTHER
        await node.tell(DistributeCollation(node.head, collation(node.head)))
        for payload in (
            encode(CollationFetch(node.head, PARATHREAD)),
            encode(CollationFetch(NEXT, PARACHAIN)),
            b"garbage",
        ):
            assert await node.asked(OTHER, payload) is None
        assert await node.asked(OTHER, encode(CollationFetch(node.head, PARACHAIN))) is not None


async def test_it_keeps_the_last_few_offers() -> None:
    async with a_collator() as node:
        await node.connect(OTHER)
        node.known[node.group()[0]] = OTHER
        await node.tell(DistributeCollation(node.head, collation(node.head)))
        for number in range(MAX_OFFERS):
            await node.tell(DistributeCollation(Hash(blake2_256(bytes([number]))), collation()))
        assert await node.asked(OTHER, encode(CollationFetch(node.head, PARACHAIN))) is None


@pytest.mark.guide("A97")
async def test_it_writes_down_why_its_collation_was_refused_once_for_each_validator() -> None:
    async with a_collator() as node:
        await node.connect(OTHER)
        node.known[node.group()[0]] = OTHER
        await node.tell(DistributeCollation(node.head, collation(node.head)))
        refusal = refused(node.head, "it trapped", 10)
        await node.hear(refusal, refused(None, "banned", 10), peer=OTHER)
        assert node.lines() == [
            {
                "peer": OTHER,
                "para": PARACHAIN,
                "relay_parent": node.head,
                "reason": "it trapped",
                "ban_s": 10,
            },
            {"peer": OTHER, "para": PARACHAIN, "reason": "banned", "ban_s": 10},
        ]
        assert node.neighbours.of(ReportPeer) == []
        # Nobody fills our log.
        await node.hear(refusal, refused(None, "banned", 10), refused(NEXT, "x"), peer=OTHER)
        await node.hear(refusal, Advertise(node.head, U32(1)), peer=PeerId("stranger"))
        await node.hear(b"garbage", peer=PeerId("stranger"))
        assert len(node.lines()) == 2
        costs = [report.change for report in node.neighbours.of(ReportPeer)]
        assert costs == [COST_UNEXPECTED] * 4 + [collator_side.COST_MALFORMED]
