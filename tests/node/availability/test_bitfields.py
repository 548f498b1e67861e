"""Bitfields: signed in bounded time, gossiped once per validator (A94, A95, A112)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import ClassVar

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from parahost.crypto.verifier import DirectVerifier
from parahost.node.availability.bitfield_distribution import BitfieldDistribution
from parahost.node.availability.bitfield_rules import (
    COST_WRONG_LENGTH,
    BitfieldGossip,
    BitfieldRules,
    item_of,
    messages,
)
from parahost.node.availability.bitfield_signing import BitfieldSigning
from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_DUPLICATE,
    COST_MALFORMED,
    COST_NO_VALIDATOR,
    COST_NOT_IN_VIEW,
    Acceptance,
    Verdict,
)
from parahost.node.messages.availability import BitfieldNetwork, DistributeBitfield, WaitChunks
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    OurViewChange,
    PeerConnected,
    PeerDisconnected,
    PeerMessage,
    PeerViewChange,
    RegisterEventProducer,
    ReportPeer,
    SendMessage,
    View,
)
from parahost.node.messages.utility import ProvisionBitfield
from parahost.node.messages.validity import BarredCandidates
from parahost.node.overseer import Overseer, Subsystem
from parahost.node.protocols import BITFIELD_DISTRIBUTION, GOSSIP_LIMITS
from parahost.node.session import ChildSession
from parahost.ports import KeyType, ObservedRole, promises
from parahost.primitives.availability import (
    SignedAvailabilityBitfield,
    bitfield_payload,
)
from parahost.primitives.basic import (
    H256,
    U32,
    CandidateHash,
    Hash,
    PeerId,
    SessionIndex,
    ValidatorIndex,
)
from parahost.primitives.limits import MAX_CORES
from parahost.primitives.scale import BitVec, decode, encode
from parahost.primitives.statements import SigningContext
from tests.node.availability.world import RelayChain, hash_of, key_store
from tests.node.harness import ListJournal, make_overseer, running
from tests.runtime.parachains.world import (
    World,
    signature,
    validator_ids,
    validator_name,
)

VALIDATORS = 4
OWN = 2
A, B, C = PeerId("a"), PeerId("b"), PeerId("c")


class Chunks(Subsystem):
    """The store: which candidates' chunks are there, and when it is asked. Also which of them may
    be invalid."""

    name = "chunks"
    receives = (WaitChunks, BarredCandidates)

    def __init__(self) -> None:
        self.held: dict[CandidateHash, float] = {}
        """From when on, in seconds after the question."""
        self.asked = 0
        self.barred: frozenset[CandidateHash] = frozenset()

    def on_message(self, message: Message) -> None:
        if isinstance(message, BarredCandidates):
            message.reply.answer(self.barred.intersection(message.candidates))
            return
        assert isinstance(message, WaitChunks)
        assert message.index == OWN
        self.asked += 1
        self.ctx.spawn(None, lambda: self._answer(message), "answer")

    async def _answer(self, message: WaitChunks) -> None:
        waits = [self.held.get(candidate, message.wait_s) for candidate in message.candidates]
        await self.ctx.clock.sleep(max(waits, default=0))
        message.reply.answer(tuple(c for c in message.candidates if c in self.held))


@dataclass
class Ear(Subsystem):
    """Hears what the subsystem under test says."""

    name = "ear"
    receives: tuple[type[Message], ...] = ()  # type: ignore[misc]
    heard: list[Message] = field(default_factory=list)

    def on_message(self, message: Message) -> None:
        self.heard.append(message)

    def all(self, kind: type[Message]) -> list[Message]:
        return [message for message in self.heard if type(message) is kind]


def relay_chain() -> RelayChain:
    return RelayChain(World(validators=VALIDATORS, parachains=[100, 101]))


# Signing


@pytest.mark.guide("A95", "A112")
async def test_one_bit_for_each_chunk_that_is_held(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    first, _ = chain.candidate(100)
    second, _ = chain.candidate(101)
    block = chain.add(backed=[first, second])
    chunks, ear = Chunks(), Ear(receives=(DistributeBitfield,))
    chunks.held[hash_of(second)] = 0
    signing = BitfieldSigning(key_store(OWN), 6.0)
    overseer = make_overseer([signing, chunks, ear])
    async with running(overseer, [chain.leaf(chain.genesis)]):
        await trio.sleep(0.01)
        (vote,) = ear.heard  # nothing is pending, nothing to wait for
        assert isinstance(vote, DistributeBitfield)
        assert not any(vote.bitfield.bitfield)
        overseer.block_imported(chain.leaf(block))
        await trio.sleep(1.4)
        assert len(ear.heard) == 1  # it waits for the other chunk, but not for ever
        await trio.sleep(0.2)
        _, vote = ear.heard
        assert isinstance(vote, DistributeBitfield)
        assert vote.relay_parent == block.hash()
        assert list(vote.bitfield.bitfield) == [False, True]
        assert vote.bitfield.validator_index == OWN
        context = SigningContext(SessionIndex(U32(0)), block.hash())
        # What is signed: bitfield, session, relay parent, validator index (D11).
        assert vote.bitfield.payload(context) == b"\x08\x02" + bytes(4) + block.hash() + bytes(
            [OWN, 0, 0, 0]
        )
        assert DirectVerifier().sr25519(
            validator_ids(VALIDATORS)[OWN], vote.bitfield.payload(context), vote.bitfield.signature
        )
        for part in (1, 2):  # for another session or another relay parent it is worth nothing
            other = SigningContext(
                SessionIndex(U32(part % 2)), block.hash() if part == 1 else chain.genesis.hash()
            )
            assert not DirectVerifier().sr25519(
                validator_ids(VALIDATORS)[OWN],
                vote.bitfield.payload(other),
                vote.bitfield.signature,
            )


@pytest.mark.guide("A95")
async def test_a_candidate_that_may_be_invalid_holds_up_no_other(autojump_clock: MockClock) -> None:
    """Its chunk is there; but with its bit the vote would be of no use for the others."""
    chain = relay_chain()
    first, _ = chain.candidate(100)
    second, _ = chain.candidate(101)
    block = chain.add(backed=[first, second])
    chunks, ear = Chunks(), Ear(receives=(DistributeBitfield,))
    chunks.held = {hash_of(first): 0, hash_of(second): 0}
    chunks.barred = frozenset({hash_of(first)})
    overseer = make_overseer([BitfieldSigning(key_store(OWN), 6.0), chunks, ear])
    async with running(overseer, [chain.leaf(block)]):
        await trio.sleep(0.01)
        (vote,) = ear.heard
        assert isinstance(vote, DistributeBitfield)
        assert list(vote.bitfield.bitfield) == [False, True]


@pytest.mark.guide("A95")
async def test_it_waits_no_longer_than_a_quarter_slot_or_until_all_is_there(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    candidate, _ = chain.candidate(100)
    block = chain.add(backed=[candidate])
    for slot_s, comes_after, at in ((2.0, None, 0.5), (6.0, 0.3, 0.3), (12.0, None, 1.5)):
        chunks, ear = Chunks(), Ear(receives=(DistributeBitfield,))
        if comes_after is not None:
            chunks.held[hash_of(candidate)] = comes_after
        signing = BitfieldSigning(key_store(OWN), slot_s)
        overseer = make_overseer([signing, chunks, ear])
        async with running(overseer, [chain.leaf(block)]):
            await trio.sleep(at - 0.01)
            assert ear.heard == []
            await trio.sleep(0.02)
            (vote,) = ear.heard
            assert isinstance(vote, DistributeBitfield)
            assert vote.bitfield.bitfield.count() == (comes_after is not None)
            assert chunks.asked == 1, "it does not ask again and again"


@pytest.mark.guide("A95")
async def test_who_is_no_validator_signs_nothing_and_a_stopped_head_is_left(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    candidate, _ = chain.candidate(100)
    block = chain.add(backed=[candidate])
    following = chain.add()
    for keys in (key_store(), key_store(77), key_store(OWN)):
        chunks, ear = Chunks(), Ear(receives=(DistributeBitfield,))
        overseer = make_overseer([BitfieldSigning(keys, 6.0), chunks, ear])
        async with running(overseer, [chain.leaf(block)]):
            await trio.sleep(0.5)
            overseer.block_imported(chain.leaf(following))
            await trio.sleep(3)
        heads = [m.relay_parent for m in ear.heard if isinstance(m, DistributeBitfield)]
        is_validator = validator_ids(VALIDATORS)[OWN] in keys.public_keys(KeyType.PARACHAIN)
        assert heads == ([following.hash()] if is_validator else [])


async def test_a_second_and_different_bitfield_is_refused(autojump_clock: MockClock) -> None:
    chain = relay_chain()
    keys = key_store(OWN)
    promise = promises.bitfield(chain.genesis.hash())
    keys.sign(KeyType.PARACHAIN, validator_ids(VALIDATORS)[OWN], b"another", [promise])
    ear = Ear(receives=(DistributeBitfield,))
    overseer = make_overseer([BitfieldSigning(keys, 6.0), Chunks(), ear])
    async with running(overseer, [chain.leaf(chain.genesis)]):
        await trio.sleep(2)
        assert ear.heard == []
        journal = overseer._journal
        assert isinstance(journal, ListJournal) and journal.names() == ["bitfield.refused"]


# Distribution


def signed(
    validator: int, context: SigningContext, ones: Sequence[int] = (), length: int = 2
) -> SignedAvailabilityBitfield:
    bits, index = BitVec.with_ones(length, ones), ValidatorIndex(U32(validator))
    made = signature(validator_name(validator), bitfield_payload(bits, index, context))
    return SignedAvailabilityBitfield(bits, index, made)  # type: ignore[arg-type]


class Gossip:
    """A node's Bitfield Distribution, between a bridge and a Provisioner that listen."""

    kinds: ClassVar = (RegisterEventProducer, SendMessage, ReportPeer, ProvisionBitfield)

    def __init__(self, chain: RelayChain) -> None:
        self.ear = Ear(receives=self.kinds)
        self.subsystem = BitfieldDistribution(DirectVerifier(), lambda *_: None)
        self.overseer = make_overseer([self.subsystem, self.ear])
        self.head = chain.genesis.hash()
        self.context = SigningContext(SessionIndex(U32(0)), self.head)

    async def event(self, *events: object) -> None:
        for event in events:
            self.overseer.send(BitfieldNetwork(event))  # type: ignore[arg-type]
        await trio.testing.wait_all_tasks_blocked()

    async def arrives(
        self, peer: PeerId, bitfield: SignedAvailabilityBitfield, head: Hash | None = None
    ) -> None:
        payload = encode(BitfieldGossip(self.head if head is None else head, (bitfield,)))
        await self.event(PeerMessage(peer, payload))

    def sent(self) -> list[tuple[PeerId, int]]:
        """(peer, validator whose bitfield it was sent), in order."""
        found = []
        for message in self.ear.all(SendMessage):
            assert isinstance(message, SendMessage)
            gossip: BitfieldGossip = decode(BitfieldGossip, message.payload)
            found += [
                (peer, int(signed.validator_index))
                for peer in message.peers
                for signed in gossip.bitfields
            ]
        return found

    def provided(self) -> list[int]:
        return [int(m.bitfield.validator_index) for m in self.ear.all(ProvisionBitfield)]  # type: ignore[attr-defined]

    def reports(self) -> list[object]:
        return [message.change for message in self.ear.all(ReportPeer)]  # type: ignore[attr-defined]


@asynccontextmanager
async def gossiping(chain: RelayChain) -> AsyncIterator[Gossip]:
    gossip = Gossip(chain)
    async with running(gossip.overseer, [chain.leaf(chain.genesis)]):
        await trio.testing.wait_all_tasks_blocked()
        for peer in (A, B):
            await gossip.event(
                PeerConnected(peer, ObservedRole.AUTHORITY),
                PeerViewChange(peer, View((gossip.head,))),
            )
        yield gossip


def stop(overseer: Overseer, chain: RelayChain) -> None:
    overseer.block_imported(chain.leaf(chain.add()))


@pytest.mark.usefixtures("each_gain_is_reported")
@pytest.mark.guide("A94")
async def test_a_new_bitfield_goes_to_the_provisioner_and_to_peers_that_lack_it() -> None:
    chain = relay_chain()
    async with gossiping(chain) as gossip:
        await gossip.event(PeerConnected(C, ObservedRole.FULL))  # works on nothing yet
        vote = signed(1, gossip.context, [0])
        await gossip.arrives(A, vote)
        assert gossip.provided() == [1]
        assert gossip.sent() == [(B, 1)]
        await gossip.event(PeerViewChange(C, View((gossip.head,))))
        assert gossip.sent() == [(B, 1), (C, 1)]
        assert gossip.reports() == [BENEFIT_NEW]
        own = signed(2, gossip.context)
        gossip.overseer.send(DistributeBitfield(gossip.head, own))
        await trio.testing.wait_all_tasks_blocked()
        assert gossip.provided() == [1, 2]
        assert gossip.sent()[2:] == [(A, 2), (B, 2), (C, 2)]


@pytest.mark.usefixtures("each_gain_is_reported")
@pytest.mark.guide("A94")
async def test_only_one_bitfield_of_each_validator_is_taken() -> None:
    chain = relay_chain()
    async with gossiping(chain) as gossip:
        await gossip.arrives(A, signed(1, gossip.context, [0]))
        await gossip.arrives(A, signed(1, gossip.context, [1]))  # again, and a double vote
        await gossip.arrives(B, signed(1, gossip.context, [0]))  # it crossed ours on its way
        assert gossip.provided() == [1]
        assert gossip.sent() == [(B, 1)]
        assert gossip.reports() == [BENEFIT_NEW, COST_DUPLICATE]


@pytest.mark.guide("A94")
async def test_wrong_bitfields_go_nowhere_and_cost() -> None:
    chain = relay_chain()
    async with gossiping(chain) as gossip:
        elsewhere = SigningContext(SessionIndex(U32(1)), gossip.head)
        await gossip.arrives(A, signed(1, elsewhere))
        await gossip.arrives(A, signed(99, gossip.context))
        await gossip.arrives(A, signed(1, gossip.context, length=3))
        await gossip.arrives(A, signed(1, gossip.context), Hash(bytes(32)))  # type: ignore[arg-type]
        await gossip.event(PeerMessage(A, b"garbage"))
        assert (gossip.provided(), gossip.sent()) == ([], [])
        assert gossip.reports() == [
            COST_BAD_SIGNATURE,
            COST_NO_VALIDATOR,
            COST_WRONG_LENGTH,
            COST_NOT_IN_VIEW,
            COST_MALFORMED,
        ]


@pytest.mark.guide("A94")
async def test_a_head_that_has_just_left_our_view_costs_nothing() -> None:
    chain = relay_chain()
    async with gossiping(chain) as gossip:
        await gossip.event(OurViewChange(View((gossip.head,))))
        stop(gossip.overseer, chain)
        await gossip.event(OurViewChange(View((chain.world.parent,))))
        await gossip.arrives(A, signed(1, gossip.context))
        assert (gossip.provided(), gossip.reports()) == ([], [])


@pytest.mark.guide("A94")
async def test_a_bitfield_without_a_bit_is_not_passed_on_but_by_its_author() -> None:
    """It tells nothing that anybody would miss."""
    chain = relay_chain()
    async with gossiping(chain) as gossip:
        await gossip.arrives(A, signed(1, gossip.context))
        await gossip.event(PeerConnected(C, ObservedRole.FULL))
        await gossip.event(PeerViewChange(C, View((gossip.head,))))
        assert (gossip.provided(), gossip.sent()) == ([1], [])
        gossip.overseer.send(DistributeBitfield(gossip.head, signed(2, gossip.context)))
        await trio.testing.wait_all_tasks_blocked()
        assert gossip.sent() == [(A, 2), (B, 2), (C, 2)]


async def test_who_comes_late_gets_our_own_bitfield_and_all_in_one_message() -> None:
    """Of others' a peer of 600 gets 2 in 600 from us; of two, all."""
    chain = relay_chain()
    async with gossiping(chain) as gossip:
        for validator in (1, 2):
            await gossip.arrives(A, signed(validator, gossip.context, [0]))
        gossip.overseer.send(DistributeBitfield(gossip.head, signed(0, gossip.context)))
        await gossip.event(PeerDisconnected(B))
        few = len(gossip.ear.all(SendMessage))
        await gossip.event(PeerConnected(C, ObservedRole.FULL))
        await gossip.event(PeerViewChange(C, View((gossip.head,))))
        assert gossip.sent()[-3:] == [(C, 1), (C, 2), (C, 0)]
        assert len(gossip.ear.all(SendMessage)) == few + 1

        many = [PeerId(f"peer {number}") for number in range(600)]
        await gossip.event(*(PeerConnected(peer, ObservedRole.FULL) for peer in many))
        for peer in many[:20]:
            await gossip.event(PeerViewChange(peer, View((gossip.head,))))
            assert (peer, 0) in gossip.sent()
        assert sum((peer, 1) in gossip.sent() for peer in many[:20]) < 10
        before = len(gossip.sent())
        for number in range(200):
            view = View((gossip.head, Hash(H256(bytes(32))))[: 1 + number % 2])
            await gossip.event(PeerViewChange(many[0], view))
        assert len(gossip.sent()) == before, "nothing is new for it"


def test_bitfields_are_split_into_messages() -> None:
    bitfield = signed(1, CONTEXT, length=MAX_CORES)
    for count, expected in ((0, []), (64, [64]), (130, [64, 64, 2])):
        payloads = list(messages(CONTEXT.parent_hash, [bitfield] * count))
        assert [len(decode(BitfieldGossip, each).bitfields) for each in payloads] == expected
        assert all(len(each) <= GOSSIP_LIMITS[BITFIELD_DISTRIBUTION] for each in payloads)


async def test_a_peer_that_comes_back_is_told_anew() -> None:
    chain = relay_chain()
    async with gossiping(chain) as gossip:
        await gossip.arrives(A, signed(1, gossip.context, [0]))
        await gossip.event(
            PeerDisconnected(B),
            PeerConnected(B, ObservedRole.AUTHORITY),
            PeerViewChange(B, View((gossip.head,))),
        )
        assert gossip.sent() == [(B, 1), (B, 1)]


CONTEXT = SigningContext(SessionIndex(U32(0)), Hash(bytes(32)))  # type: ignore[arg-type]


@pytest.mark.guide("A94")
@given(validator=st.integers(0, VALIDATORS), length=st.integers(1, 3), signer=st.integers(0, 3))
def test_verdicts(validator: int, length: int, signer: int) -> None:
    """Right is what its validator has signed, with a bit for each of two cores."""
    session = ChildSession(validator_ids(VALIDATORS), CONTEXT)
    vote = signed(validator, CONTEXT, length=length)
    by_another = signed(signer, CONTEXT, length=length).signature
    vote = SignedAvailabilityBitfield(vote.bitfield, vote.validator_index, by_another)
    verdict = BitfieldRules(session, 2, VERIFIER).judge(item_of(vote))
    if validator >= VALIDATORS:
        assert verdict == Verdict(Acceptance.REJECT, COST_NO_VALIDATOR)
    elif length != 2:
        assert verdict == Verdict(Acceptance.REJECT, COST_WRONG_LENGTH)
    elif signer == validator:
        assert verdict == Verdict(Acceptance.ACCEPT, BENEFIT_NEW, vote)
    else:
        assert verdict.acceptance is Acceptance.REJECT


VERIFIER = DirectVerifier()
