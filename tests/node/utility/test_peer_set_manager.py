"""The Peer Set Manager: validators make themselves known, and the network is steered to them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from parahost.crypto import sr25519
from parahost.crypto.keystore import KeyRing, ProtectedKeyStore
from parahost.crypto.verifier import DirectVerifier
from parahost.node.gossip import COST_BAD_SIGNATURE, COST_DUPLICATE, COST_MALFORMED, Acceptance
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    NewValidatorPeers,
    PeerConnected,
    PeerDisconnected,
    PeerMessage,
    PeerSet,
    PeerSetNetwork,
    RegisterEventProducer,
    ReportPeer,
    ReputationChange,
    ResolveValidators,
    SendMessage,
)
from parahost.node.protocols import NOTIFICATIONS, VALIDATOR_DISCOVERY
from parahost.node.utility.past_validators import PastValidators
from parahost.node.utility.peer_set_manager import (
    ASK_FIRST_S,
    COST_ASKS_TOO_OFTEN,
    MAX_ADDRESSES,
    MAX_LACKING,
    MAX_RECORDS,
    REFRESH_S,
    Directory,
    Discovery,
    Known,
    Lacking,
    PeerSetManager,
    ValidatorRecord,
    judge,
    preference,
)
from parahost.ports import KeyStore, KeyType, ObservedRole
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    U64,
    Hash,
    PeerId,
    PeerSignature,
    SessionIndex,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.runtime_api import SessionInfo
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.runtime import api
from parahost.storage import MemoryDatabase
from tests.memory_network import MemoryNetwork, identity_of
from tests.node.collation.world import NAMES, Scripted, chain, newest, validator_keys
from tests.node.harness import make_overseer, running, scripted_leaf
from tests.runtime.world import key

HERE, THERE, THIRD, FOURTH = (
    identity_of(name).peer for name in ("here", "there", "third", "fourth")
)
HEAD = Hash(H256(bytes(32)))
IDENTITIES = {
    identity.peer: identity
    for name in ("here", "there", "third", "fourth", *NAMES, "Eve")
    if (identity := identity_of(name))
}


def validator(name: str) -> ValidatorId:
    return ValidatorId(H256(key(name, "para").public))


def record(
    name: str,
    peer: PeerId,
    made_at: int = 1,
    genesis: Hash | None = None,
    agreed_by: PeerId | None = None,
    addresses: tuple[str, ...] | None = None,
) -> ValidatorRecord:
    draft = ValidatorRecord(
        validator(name),
        peer,
        (f"/ip4/10.0.0.1/tcp/1/p2p/{peer}",) if addresses is None else addresses,
        U64(made_at),
        ValidatorSignature(H512(bytes(64))),
        PeerSignature(H512(bytes(64))),
    )
    payload = draft.payload(genesis or chain().genesis_hash)
    return replace(
        draft,
        signature=ValidatorSignature(H512(sr25519.sign(key(name, "para"), payload))),
        peer_signature=PeerSignature(H512(IDENTITIES[agreed_by or peer].sign(payload))),
    )


class Node:
    def __init__(self, keys: KeyStore) -> None:
        self.chain = chain()
        self.network = MemoryNetwork().port("here", identity=identity_of("here"))
        self.neighbours = Scripted(
            [RegisterEventProducer, SendMessage, ReportPeer, NewValidatorPeers]
        )
        self.told_outside: list[Sequence[PeerId]] = []
        self.manager = PeerSetManager(
            keys,
            DirectVerifier(),
            self.network,
            HERE,
            self.chain.genesis_hash,
            self.told_outside.append,
        )
        self.overseer = make_overseer([self.manager, self.neighbours])

    async def tell(self, message: Message) -> None:
        self.overseer.send(message)
        await wait_all_tasks_blocked()

    async def connect(self, peer: PeerId, role: ObservedRole = ObservedRole.AUTHORITY) -> None:
        await self.tell(PeerSetNetwork(PeerConnected(peer, role)))

    async def hear(self, peer: PeerId, *records: ValidatorRecord) -> None:
        await self.gets(peer, Known(records))

    async def gets(self, peer: PeerId, message: Discovery) -> None:
        await self.tell(PeerSetNetwork(PeerMessage(peer, encode(message, Discovery))))

    async def next_block(self) -> None:
        self.chain.step()
        self.overseer.block_imported(newest(self.chain))
        await wait_all_tasks_blocked()

    async def resolve(self, *names: str) -> dict[str, PeerId]:
        found = await self.overseer.ask(ResolveValidators(tuple(map(validator, names))))
        return {name: found[validator(name)] for name in names if validator(name) in found}

    def told(self, peer: PeerId) -> list[ValidatorRecord]:
        sent = [message for to, message in self.sent() if to == peer]
        return [each for message in sent if isinstance(message, Known) for each in message.records]

    def asked(self) -> list[tuple[PeerId, tuple[ValidatorId, ...]]]:
        """Who was asked for whose records."""
        return [(to, it.validators) for to, it in self.sent() if isinstance(it, Lacking)]

    def sent(self) -> list[tuple[PeerId, Discovery]]:
        messages = self.neighbours.of(SendMessage)
        assert all(message.protocol == VALIDATOR_DISCOVERY for message in messages)
        return [
            (peer, decode(Discovery, message.payload))
            for message in messages
            for peer in message.peers
        ]

    def costs(self) -> list[ReputationChange]:
        changes = [report.change for report in self.neighbours.of(ReportPeer)]
        return [change for change in changes if change.value < 0]


def no_keys() -> KeyStore:
    return ProtectedKeyStore(KeyRing(), MemoryDatabase())


@asynccontextmanager
async def a_node(keys: KeyStore | None = None) -> AsyncIterator[Node]:
    node = Node(keys or no_keys())
    async with running(node.overseer, [newest(node.chain)]):
        await wait_all_tasks_blocked()
        yield node


@pytest.mark.guide("A98")
async def test_a_record_is_believed_and_resolved() -> None:
    async with a_node() as node:
        for peer in (THERE, THIRD):
            await node.connect(peer)
        await node.hear(THERE, record("Bob", THERE))
        assert await node.resolve("Alice", "Bob") == {"Bob": THERE}
        assert node.network.learned == [f"/ip4/10.0.0.1/tcp/1/p2p/{THERE}"]
        assert node.costs() == []
        assert node.told(THIRD) == node.told(THERE) == [], "who lacks it asks"


@pytest.mark.guide("A98")
async def test_validators_of_past_sessions_are_found_and_kept_near(
    autojump_clock: MockClock,
) -> None:
    """They hold the data of candidates that may be disputed still."""
    later = leaf_of_session(3, known={2: "Eve"})
    async with a_node() as node:
        await node.connect(THERE)
        node.overseer.block_imported(later)
        await wait_all_tasks_blocked()
        await trio.sleep(ASK_FIRST_S + 0.01)
        ((_, lacking),) = node.asked()
        assert lacking[-1] == validator("Eve"), "who validates now is asked for first"
        await node.hear(THERE, record("Eve", THIRD))
        await trio.sleep(1)
        assert await node.resolve("Eve") == {"Eve": THIRD}
        assert THIRD in node.network.prioritised[-1]


def test_a_session_is_read_once_and_forgotten_when_it_is_long_over() -> None:
    asked: list[int] = []
    past = PastValidators()
    eve = validator("Eve")
    for session in (3, 3, 4):
        past.note(leaf_of_session(session, asked=asked, known={2: "Eve"}))
    assert asked == [0, 1, 2]
    assert list(past) == [*api.validators(chain().state) * 2, eve]
    for session in range(5, 9):
        past.note(leaf_of_session(session, asked=asked))
    assert asked == [0, 1, 2] and eve in past
    past.note(leaf_of_session(9, asked=asked))
    assert asked == [0, 1, 2] and eve not in past


def leaf_of_session(
    session: int,
    *,
    known: Mapping[int, str] | None = None,
    asked: list[int] | None = None,
) -> ActiveLeaf:
    """A leaf of the chain, said to be of that session; of past ones it knows these, each with one
    validator."""
    state = chain().state
    first = api.session_info(state, SessionIndex(U32(0)))
    assert first is not None

    def info(index: SessionIndex) -> SessionInfo | None:
        if asked is not None:
            asked.append(index)
        name = (known or {}).get(index)
        return None if name is None else replace(first, validators=(validator(name),))

    return scripted_leaf(
        number=session,
        answers={
            api.session_index_for_child: lambda: SessionIndex(U32(session)),
            api.validators: partial(api.validators, state),
            api.queued_validators: partial(api.queued_validators, state),
            api.validator_groups: partial(api.validator_groups, state),
            api.session_info: info,
        },
    )


@pytest.mark.guide("A98")
async def test_the_newest_record_wins_and_is_passed_on() -> None:
    async with a_node() as node:
        for peer in (THERE, THIRD, FOURTH):  # not all validators, so to a few
            await node.connect(peer, ObservedRole.FULL)
        await node.hear(THERE, record("Bob", THERE, 5))
        await node.hear(THERE, record("Bob", THIRD, 4))
        assert await node.resolve("Bob") == {"Bob": THERE}
        await node.hear(FOURTH, record("Bob", THERE, 5))
        assert node.told(THIRD) == []
        newest = record("Bob", THIRD, 6)
        await node.hear(THERE, newest)
        assert await node.resolve("Bob") == {"Bob": THIRD}
        assert (node.told(THIRD), node.told(FOURTH), node.told(THERE)) == ([newest], [newest], [])
        await node.hear(THERE, newest)
        assert node.costs() == [COST_DUPLICATE]


@pytest.mark.guide("A98")
async def test_who_asks_is_told_what_is_known(autojump_clock: MockClock) -> None:
    bob = record("Bob", THERE)
    names = tuple(map(validator, ("Alice", "Bob", "Eve")))
    async with a_node() as node:
        for peer in (THERE, THIRD):
            await node.connect(peer)
        await node.hear(THERE, bob)
        await node.gets(THIRD, Lacking(names))
        assert (node.told(THIRD), node.told(THERE)) == ([bob], [])
        # It may have been lost on the way; but there is a time for everything.
        await node.gets(THIRD, Lacking(names))
        assert node.told(THIRD) == [bob] and node.costs() == [COST_ASKS_TOO_OFTEN]
        await trio.sleep(ASK_FIRST_S)
        await node.gets(THIRD, Lacking(names))
        assert node.told(THIRD) == [bob, bob]
        await node.gets(THERE, Lacking(names))
        assert node.told(THERE) == [bob], "though it was the one who told us"
        assert node.costs() == [COST_ASKS_TOO_OFTEN]


@pytest.mark.guide("A98")
async def test_who_lacks_records_asks_for_them_ever_less_often(autojump_clock: MockClock) -> None:
    validators = api.validators(chain().state)
    async with a_node() as node:
        await trio.sleep(10)
        assert node.asked() == [], "there is nobody"
        await node.connect(THERE)
        assert node.asked() == []
        await trio.sleep(ASK_FIRST_S + 0.01)
        assert node.asked() == [(THERE, validators)]
        await node.hear(THERE, record("Bob", THERE))
        await trio.sleep(12)
        # After 0.25, 0.75, 1.75, 3.75, 7.75 and 11.75 s; then each 4 s.
        assert len(node.asked()) == 6
        rest = tuple(each for each in validators if each != validator("Bob"))
        assert node.asked()[1:] == [(THERE, rest)] * 5
        await trio.sleep(40)
        assert len(node.asked()) == 16
        await node.hear(
            THERE, *(record(name, identity_of(name).peer) for name in NAMES if name != "Bob")
        )
        await trio.sleep(40)
        assert len(node.asked()) == 16, "all are known"
        assert node.costs() == []


@pytest.mark.guide("A98")
async def test_now_this_peer_is_asked_now_that(autojump_clock: MockClock) -> None:
    async with a_node(validator_keys("Alice")) as node:
        for peer in (THERE, THIRD, FOURTH):
            await node.connect(peer)
        await trio.sleep(100)
        assert {peer for peer, _ in node.asked()} == {THERE, THIRD, FOURTH}
        assert all(validator("Alice") not in lacking for _, lacking in node.asked()), "ourselves"
        before = len(node.asked())
        for peer in (THERE, THIRD, FOURTH):
            await node.tell(PeerSetNetwork(PeerDisconnected(peer)))
        await trio.sleep(100)
        assert len(node.asked()) == before
        await node.connect(THERE)
        await trio.sleep(ASK_FIRST_S + 0.01)
        assert node.asked()[before:][0][0] == THERE, "a new one is asked soon"


@pytest.mark.guide("A98")
async def test_what_was_lost_may_be_told_again(autojump_clock: MockClock) -> None:
    """Records of those who do not count are kept in a small place only."""
    async with a_node() as node:
        await node.connect(THERE)
        bob = record("Bob", THERE)
        await node.hear(THERE, bob)
        del node.manager._directory.records[bob.validator]
        await node.hear(THERE, bob)
        assert await node.resolve("Bob") == {"Bob": THERE}
        assert node.costs() == []


async def test_it_wants_to_hear_of_peers_in_both_sets_and_of_no_views() -> None:
    async with a_node() as node:
        assert node.neighbours.of(RegisterEventProducer) == [
            RegisterEventProducer(VALIDATOR_DISCOVERY, peer_set, PeerSetNetwork, views=False)
            for peer_set in PeerSet
        ]


@pytest.mark.guide("A98")
@pytest.mark.parametrize(
    "forged",
    [
        replace(record("Bob", THERE, addresses=()), peer=THIRD),
        replace(record("Bob", THERE), validator=validator("Alice")),
        replace(record("Bob", THERE), made_at=U64(2)),
        replace(record("Bob", THERE), addresses=()),
        record("Bob", THERE, genesis=Hash(H256(bytes(32)))),
        record("Bob", THERE, agreed_by=THIRD),
        record("Bob", HERE, agreed_by=THERE),
    ],
    ids=["peer", "validator", "time", "addresses", "chain", "another peer", "ourselves"],
)
async def test_nobody_speaks_for_another(forged: ValidatorRecord) -> None:
    async with a_node() as node:
        await node.connect(THERE)
        await node.hear(THERE, forged)
        assert await node.resolve(*NAMES) == {}
        assert node.costs() == [COST_BAD_SIGNATURE]
        assert node.network.learned == []


@pytest.mark.guide("A98")
@pytest.mark.parametrize(
    "odd",
    [
        f"/ip4/10.0.0.1/tcp/1/p2p/{THIRD}",
        "/ip4/10.0.0.1/tcp/1",
        f"/ip6/fe80::1%eth0/tcp/1/p2p/{THERE}",
        f"/ip4/0.0.0.0/tcp/1/p2p/{THERE}",
        f"/dns/EXAMPLE.com/tcp/1/p2p/{THERE}",
    ],
)
async def test_a_record_with_an_odd_address_goes_no_further(odd: str) -> None:
    async with a_node() as node:
        await node.connect(THERE)
        await node.hear(THERE, record("Bob", THERE, addresses=(odd,)))
        assert await node.resolve(*NAMES) == {}
        assert node.costs() == [COST_MALFORMED]
        assert node.network.learned == []


@given(st.binary(max_size=200))
def test_garbage_costs(payload: bytes) -> None:
    async def hear() -> None:
        async with a_node() as node:
            await node.connect(THERE)
            await node.tell(PeerSetNetwork(PeerMessage(THERE, payload)))
            try:
                decode(Discovery, payload)
            except ScaleDecodeError:
                assert node.costs() == [COST_MALFORMED]
            else:
                assert node.costs() == []

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


def test_few_records_of_strangers_are_kept() -> None:
    directory, some = Directory(), record("Bob", THERE)
    for number in range(200):
        stranger = ValidatorId(H256(number.to_bytes(32, "big")))
        directory.keep_early(replace(some, validator=stranger))
    assert len(directory.early) == 128


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
async def test_the_own_group_is_preferred_then_the_session(autojump_clock: MockClock) -> None:
    async with a_node(validator_keys("Alice")) as node:
        await node.connect(THERE)
        others = [name for name in NAMES if name != "Alice"]
        await node.hear(THERE, *(record(name, identity_of(name).peer) for name in others))
        validators = api.validators(node.chain.state)
        own = validators.index(validator("Alice"))
        [group] = [g for g in api.validator_groups(node.chain.state).groups if own in g]
        names = {validator(name): name for name in NAMES}
        first = [names[validators[i]] for i in group if i != own]
        rest = [names[v] for v in validators if names[v] not in (*first, "Alice")]
        await trio.sleep(2 * ASK_FIRST_S)  # records that come together are looked at together
        assert node.network.prioritised == [
            tuple(identity_of(name).peer for name in [*first, *rest])
        ]


@pytest.mark.guide("A98")
async def test_a_validator_is_one_by_its_record_and_by_nothing_else(
    autojump_clock: MockClock,
) -> None:
    """Whoever gossips is told of those who validate now: no word of a peer's own, no record of one
    that does not validate, or not yet, adds to them."""
    async with a_node(validator_keys("Alice")) as node:
        for peer in (THERE, THIRD, FOURTH):
            await node.connect(peer, ObservedRole.AUTHORITY)
        await node.hear(THIRD, record("Eve", THIRD))
        await trio.sleep(2 * ASK_FIRST_S)
        assert node.neighbours.of(NewValidatorPeers) == [] and node.told_outside == []
        await node.hear(THERE, record("Bob", THERE), record("Charlie", FOURTH))
        await node.hear(THERE, record("Dave", THERE))
        await trio.sleep(2 * ASK_FIRST_S)
        [told] = [message.event.peers for message in node.neighbours.of(NewValidatorPeers)]
        assert sorted(told) == sorted([THERE, FOURTH]), "each peer once, and not ourselves"
        assert node.told_outside == [told]
        await node.next_block()
        assert node.told_outside == [told], "only what is new"


@pytest.mark.guide("A98")
async def test_a_validator_of_the_next_session_is_none_of_this_one() -> None:
    async with a_node() as node:
        node.manager._leaves = {HEAD: leaf_of_two_sessions("Eve")}
        node.manager._expect()
        await node.connect(THERE)
        await node.hear(THERE, record("Eve", THIRD), record("Bob", THERE))
        node.manager._prioritise()
        assert node.network.prioritised[-1] == (THERE, THIRD)
        assert node.told_outside == [(THERE,)]


def leaf_of_two_sessions(*following: str) -> ActiveLeaf:
    state = chain().state
    some = api.queued_validators(state)[0]
    queued = tuple(
        replace(some, keys=replace(some.keys, para_validator=validator(name))) for name in following
    )
    of_state = (api.session_index_for_child, api.validators, api.validator_groups)
    return scripted_leaf(
        answers={
            **{function: partial(function, state) for function in of_state},
            api.queued_validators: lambda: queued,
        }
    )


@pytest.mark.guide("A98")
def test_validators_of_the_next_session_come_after_this_ones() -> None:
    head = leaf_of_two_sessions("Eve", "Alice")
    ordered = preference(head, None)
    assert ordered == [*head.session.validators, validator("Eve")]
    assert preference(leaf_of_two_sessions("Eve"), ValidatorIndex(U32(0)))[-1] == validator("Eve")


@pytest.mark.guide("A98")
def test_a_validator_of_the_next_session_counts_already() -> None:
    eve = record("Eve", THERE)
    genesis = chain().genesis_hash
    directory = Directory(expected={validator("Eve"): None})
    assert judge(directory, eve, DirectVerifier(), genesis).acceptance is Acceptance.ACCEPT
    assert judge(Directory(), eve, DirectVerifier(), genesis).acceptance is Acceptance.IGNORE


def test_the_largest_message_fits_both_peer_sets() -> None:
    peer = PeerId("p" * 128)
    full = replace(record("Bob", THERE), peer=peer, addresses=("a" * 256,) * MAX_ADDRESSES)
    for message in (Known((full,) * MAX_RECORDS), Lacking((validator("Bob"),) * MAX_LACKING)):
        payload = encode(message, Discovery)
        assert decode(Discovery, payload) == message
        for peer_set in PeerSet:
            assert len(payload) + 16 < NOTIFICATIONS[peer_set].max_size
    assert 3 * MAX_RECORDS >= MAX_LACKING
