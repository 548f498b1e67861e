"""The Peer Set Manager: validators make themselves known, and the network is steered to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from parahost.crypto import sr25519
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.node.gossip import COST_BAD_SIGNATURE, COST_DUPLICATE, COST_MALFORMED, Acceptance
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    PeerConnected,
    PeerMessage,
    PeerSet,
    PeerSetNetwork,
    RegisterEventProducer,
    ReportPeer,
    ReputationChange,
    ResolveValidators,
    SendMessage,
)
from parahost.node.protocols import NOTIFICATIONS
from parahost.node.session import ChildSession
from parahost.node.utility.peer_set_manager import (
    MAX_ADDRESSES,
    MAX_RECORDS,
    REFRESH_S,
    Directory,
    HeadValidators,
    PeerSetManager,
    ValidatorRecord,
    _Records,
    judge,
    preference,
)
from parahost.node.utility.runtime_api import RuntimeApi
from parahost.ports import KeyStore, KeyType, ObservedRole
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    U64,
    BlockNumber,
    Hash,
    PeerId,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.events import BlockImportEvent
from parahost.primitives.scale import decode, encode
from parahost.primitives.statements import SigningContext
from parahost.runtime import api
from parahost.storage import MemoryDatabase
from tests.node.collation.world import NAMES, Scripted, States, chain, validator_keys
from tests.node.harness import make_overseer, running
from tests.node.tiny_network import TinyNode
from tests.runtime.world import RealVerifier, key

HERE, THERE, THIRD = (PeerId(name) for name in ("here", "there", "third"))


def validator(name: str) -> ValidatorId:
    return ValidatorId(H256(key(name, "para").public))


def record(
    name: str, peer: PeerId, made_at: int = 1, genesis: Hash | None = None
) -> ValidatorRecord:
    draft = ValidatorRecord(
        validator(name),
        peer,
        (f"/ip4/10.0.0.1/tcp/1/p2p/{peer}", "/ip4/10.0.0.9/tcp/1/p2p/somebody-else"),
        U64(made_at),
        ValidatorSignature(H512(bytes(64))),
    )
    payload = draft.payload(genesis or chain().genesis_hash)
    signature = sr25519.sign(key(name, "para"), payload)
    return replace(draft, signature=ValidatorSignature(H512(signature)))


class Node:
    def __init__(self, keys: KeyStore) -> None:
        self.chain = chain()
        self.states = States()
        self.network = TinyNode(HERE, ObservedRole.AUTHORITY)
        self.neighbours = Scripted([RegisterEventProducer, SendMessage, ReportPeer])
        manager = PeerSetManager(keys, RealVerifier(), self.network, HERE, self.chain.genesis_hash)
        self.overseer = make_overseer([manager, self.neighbours, RuntimeApi(self.states)])

    async def tell(self, message: Message) -> None:
        self.overseer.send(message)
        await wait_all_tasks_blocked()

    async def connect(self, peer: PeerId) -> None:
        await self.tell(PeerSetNetwork(PeerConnected(peer, ObservedRole.AUTHORITY)))

    async def hear(self, peer: PeerId, *records: ValidatorRecord) -> None:
        await self.tell(PeerSetNetwork(PeerMessage(peer, encode(records, _Records))))

    async def next_block(self) -> None:
        self.chain.step()
        block = self.states.note(self.chain)
        self.overseer.block_imported(BlockImportEvent(block, self.chain.header, True))
        await wait_all_tasks_blocked()

    async def resolve(self, *names: str) -> dict[str, PeerId]:
        found = await self.overseer.ask(ResolveValidators(tuple(map(validator, names))))
        return {name: found[validator(name)] for name in names if validator(name) in found}

    def told(self, peer: PeerId) -> list[ValidatorRecord]:
        return [
            each
            for sent in self.neighbours.of(SendMessage)
            if peer in sent.peers
            for each in decode(_Records, sent.payload)
        ]

    def costs(self) -> list[ReputationChange]:
        changes = [report.change for report in self.neighbours.of(ReportPeer)]
        return [change for change in changes if change.value < 0]


def no_keys() -> KeyStore:
    return ProtectedKeyStore(KeyRing(), MemoryDatabase())


@asynccontextmanager
async def a_node(keys: KeyStore | None = None) -> AsyncIterator[Node]:
    node = Node(keys or no_keys())
    genesis = node.states.note(node.chain)
    async with running(node.overseer, [(genesis, BlockNumber(node.chain.header.number))]):
        await wait_all_tasks_blocked()
        yield node


@pytest.mark.guide("A98")
async def test_a_record_is_believed_resolved_and_passed_on_to_who_lacks_it() -> None:
    async with a_node() as node:
        for peer in (THERE, THIRD):
            await node.connect(peer)
        bob = record("Bob", THERE)
        await node.hear(THERE, bob)
        assert await node.resolve("Alice", "Bob") == {"Bob": THERE}
        assert (node.told(THIRD), node.told(THERE)) == ([bob], [])
        await node.connect(PeerId("late"))
        assert node.told(PeerId("late")) == [bob]
        # Only addresses of that very peer are learned.
        assert node.network.learned == [f"/ip4/10.0.0.1/tcp/1/p2p/{THERE}"]
        assert node.costs() == []


@pytest.mark.guide("A98")
async def test_the_newest_record_wins() -> None:
    async with a_node() as node:
        await node.connect(THERE)
        await node.hear(THERE, record("Bob", THERE, 5))
        await node.hear(THERE, record("Bob", THIRD, 4))
        assert await node.resolve("Bob") == {"Bob": THERE}
        await node.hear(THERE, record("Bob", THIRD, 6))
        assert await node.resolve("Bob") == {"Bob": THIRD}
        await node.hear(THERE, record("Bob", THIRD, 6))
        assert node.costs() == [COST_DUPLICATE]


@pytest.mark.guide("A98")
@pytest.mark.parametrize(
    "forged",
    [
        replace(record("Bob", THERE), peer=THIRD),
        replace(record("Bob", THERE), validator=validator("Alice")),
        replace(record("Bob", THERE), made_at=U64(2)),
        replace(record("Bob", THERE), addresses=()),
        record("Bob", THERE, genesis=Hash(H256(bytes(32)))),
    ],
    ids=["peer", "validator", "time", "addresses", "chain"],
)
async def test_nobody_speaks_for_another(forged: ValidatorRecord) -> None:
    async with a_node() as node:
        await node.connect(THERE)
        await node.hear(THERE, forged)
        assert await node.resolve(*NAMES) == {}
        assert node.costs() == [COST_BAD_SIGNATURE]
        assert node.network.learned == []


@given(st.binary(max_size=200))
def test_garbage_costs(payload: bytes) -> None:
    async def hear() -> None:
        async with a_node() as node:
            await node.connect(THERE)
            await node.tell(PeerSetNetwork(PeerMessage(THERE, payload)))
            assert node.costs() == (
                [] if payload[:1] == b"\0" and len(payload) == 1 else [COST_MALFORMED]
            )

    trio.run(hear)


@pytest.mark.guide("A98")
async def test_a_stranger_is_kept_aside_until_it_counts() -> None:
    """Eve validates nowhere; Bob's record comes before we know any head."""
    node = Node(no_keys())
    async with running(node.overseer):
        await node.connect(THERE)
        await node.hear(THERE, record("Bob", THERE), record("Eve", THIRD))
        assert await node.resolve("Bob", "Eve") == {}
        await node.next_block()
        assert await node.resolve("Bob", "Eve") == {"Bob": THERE}
        assert node.costs() == []


@pytest.mark.guide("A98")
async def test_a_validator_makes_itself_known_and_again_when_that_is_old(
    autojump_clock: MockClock,
) -> None:
    async with a_node(validator_keys("Alice")) as node:
        assert await node.resolve("Alice") == {"Alice": HERE}
        await node.connect(THERE)
        [first] = node.told(THERE)
        assert (first.peer, first.addresses) == (HERE, node.network.listen_addresses)
        payload = first.payload(node.chain.genesis_hash)
        assert sr25519.verify(validator("Alice"), payload, first.signature)
        await node.next_block()
        assert node.told(THERE) == [first]
        await trio.sleep(REFRESH_S + 1)
        await node.next_block()
        [_, second] = node.told(THERE)
        assert second.made_at > first.made_at


async def test_who_does_not_validate_says_nothing() -> None:
    keys = KeyRing()
    keys.add(KeyType.PARACHAIN, key("Eve", "para"))
    for held in (ProtectedKeyStore(keys, MemoryDatabase()), no_keys()):
        async with a_node(held) as node:
            await node.connect(THERE)
            assert node.told(THERE) == []


@pytest.mark.guide("A98")
async def test_the_own_group_is_preferred_then_the_session() -> None:
    async with a_node(validator_keys("Alice")) as node:
        await node.connect(THERE)
        others = [name for name in NAMES if name != "Alice"]
        await node.hear(THERE, *(record(name, PeerId(name)) for name in others))
        validators = api.validators(node.chain.state)
        own = validators.index(validator("Alice"))
        [group] = [g for g in api.validator_groups(node.chain.state).groups if own in g]
        names = {validator(name): name for name in NAMES}
        first = [names[validators[i]] for i in group if i != own]
        rest = [names[v] for v in validators if names[v] not in (*first, "Alice")]
        assert node.network.prioritised[-1] == tuple(map(PeerId, [*first, *rest]))


def head_of_two_sessions(*following: str) -> HeadValidators:
    state = chain().state
    context = SigningContext(api.session_index_for_child(state), Hash(H256(bytes(32))))
    session = ChildSession(api.validators(state), context)
    return HeadValidators(session, api.validator_groups(state), tuple(map(validator, following)))


@pytest.mark.guide("A98")
def test_validators_of_the_next_session_come_after_this_ones() -> None:
    head = head_of_two_sessions("Eve", "Alice")
    ordered = preference(head, None)
    assert ordered == [*head.session.validators, validator("Eve")]
    assert preference(head_of_two_sessions("Eve"), ValidatorIndex(U32(0)))[-1] == validator("Eve")


@pytest.mark.guide("A98")
def test_a_validator_of_the_next_session_counts_already() -> None:
    eve = record("Eve", THERE)
    genesis = chain().genesis_hash
    directory = Directory(expected={validator("Eve"): None})
    assert judge(directory, eve, RealVerifier(), genesis).acceptance is Acceptance.ACCEPT
    assert judge(Directory(), eve, RealVerifier(), genesis).acceptance is Acceptance.IGNORE


def test_the_largest_message_fits_both_peer_sets() -> None:
    peer = PeerId("p" * 128)
    full = replace(record("Bob", peer), addresses=("a" * 256,) * MAX_ADDRESSES)
    batch: Sequence[ValidatorRecord] = (full,) * MAX_RECORDS
    payload = encode(batch, _Records)
    assert decode(_Records, payload) == batch
    for peer_set in PeerSet:
        assert len(payload) + 16 < NOTIFICATIONS[peer_set].max_size
