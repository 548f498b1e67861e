"""The largest message of each kind that admission lets through can be sent (D35).

With 1,000 validators, and every admitted thing as large as its limit lets it be. What declares
which protocols is a whole node, so that none is forgotten; the kinds of messages are the members
of each protocol's union.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import cache
from typing import Any, cast, get_args

import pytest

from parahost import erasure
from parahost.chain.chain import Chain
from parahost.chain.pool import gossip as transactions
from parahost.chain.sync.messages import (
    ANSWER_BYTES,
    MAX_BLOCKS,
    Announce,
    BlockRequest,
    Direction,
    Fields,
    FromHash,
    Status,
    SyncMessage,
)
from parahost.chain.sync.server import answer
from parahost.consensus.grandpa import messages as grandpa
from parahost.node.availability.bitfield_rules import BitfieldGossip
from parahost.node.availability.bitfield_rules import messages as bitfields
from parahost.node.availability.chunk_gossip import ChunkGossip
from parahost.node.availability.chunk_request import ChunkRequest
from parahost.node.availability.data_request import AvailableDataRequest
from parahost.node.backing import statement_wire
from parahost.node.backing.pov_distribution import PoVRequest
from parahost.node.collation import wire as collation
from parahost.node.gossip import MAX_BATCH
from parahost.node.messages.network import MAX_VIEW_HEADS, ProtocolId, View
from parahost.node.node import Node, Ports
from parahost.node.protocols import (
    AVAILABILITY_DISTRIBUTION,
    BITFIELD_DISTRIBUTION,
    COLLATION,
    GOSSIP_LIMITS,
    STATEMENT_DISTRIBUTION,
    VALIDATOR_DISCOVERY,
)
from parahost.node.role import Role
from parahost.node.utility import peer_set_manager as discovery
from parahost.node.utility.network_bridge import ProtocolMessage, ViewUpdate, WireMessage
from parahost.node.validity.disputes import wire as dispute_wire
from parahost.node.validity.disputes.wire import MAX_STATEMENTS
from parahost.ports.network import NotificationProtocol, RequestProtocol
from parahost.primitives.availability import ErasureChunk, SignedAvailabilityBitfield
from parahost.primitives.basic import U8, U32, U64, ChunkIndex, Hash, HeadData, PeerId
from parahost.primitives.candidates import (
    AvailableData,
    CandidateCommitments,
    CandidateDescriptor,
    CommittedCandidateReceipt,
    PersistedValidationData,
    PoV,
)
from parahost.primitives.candidates import Collation as WholeCollation
from parahost.primitives.consensus import (
    PlainPrecommit,
    PrimaryPropose,
    SignedPrecommit,
)
from parahost.primitives.disputes import ExplicitInvalidVote, VoteInvalid
from parahost.primitives.header import Header, Other
from parahost.primitives.limits import (
    MAX_BODY_BYTES,
    MAX_CODE_BYTES,
    MAX_CORES,
    MAX_EXTRINSICS,
    MAX_HEAD_DATA_BYTES,
    MAX_HEADER_BYTES,
    MAX_JUSTIFICATION_BYTES,
    MAX_POV_BYTES,
    MAX_VALIDATORS,
)
from parahost.primitives.scale import BitVec, encode
from parahost.primitives.statements import (
    Invalid,
    Seconded,
    SignedCompactStatement,
    SignedStatement,
    Valid,
)
from parahost.simulation.plan import Shape, plan_network
from parahost.storage.memory import MemoryDatabase

_32: Any = bytes(range(32))
_64: Any = bytes(64)
_4: Any = 2**32 - 1
_8: Any = U64(2**64 - 1)


class _Declared:
    """A network that only hears what is declared at it."""

    local_peer = PeerId("12D3KooWDppFJRtLJuN27vrUcFsMVwF12CU9KsSwivLuGnqGygf5")

    def __init__(self) -> None:
        self.notifications: dict[str, NotificationProtocol] = {}
        self.requests: dict[str, RequestProtocol] = {}

    def on_notification(self, protocol: NotificationProtocol, _: object) -> None:
        self.notifications[protocol.name] = protocol

    def on_request(self, protocol: RequestProtocol, _: object) -> None:
        self.requests[protocol.name] = protocol


@cache
def declared() -> _Declared:
    """What a whole node speaks."""
    network = _Declared()
    idle: Any = types.SimpleNamespace(now=lambda: 0.0, public_keys=lambda _: ())
    ports = Ports(
        clock=idle,
        random=idle,
        journal=idle,
        database=MemoryDatabase(),
        keystore=idle,
        network=cast(Any, network),
        steering=idle,
        verifier=idle,
        validation_host=idle,
        executor=idle,
    )
    genesis = plan_network(Shape(validators=1, parachains=0)).genesis
    Node(genesis, Role.VALIDATOR, ports)
    return network


# The largest of everything.


@cache
def header() -> Header:
    bare = Header(_32, _4, _32, _32, (Other(b""),))
    filler = bytes(MAX_HEADER_BYTES - len(encode(bare)) - 3)  # its length grows by three bytes
    largest = Header(_32, _4, _32, _32, (Other(filler),))
    assert len(encode(largest)) == MAX_HEADER_BYTES
    return largest


def commitments() -> CandidateCommitments:
    code: Any = bytes(MAX_CODE_BYTES)
    return CandidateCommitments((), (), code, HeadData(bytes(MAX_HEAD_DATA_BYTES)), _4, _4)


@cache
def candidate() -> CommittedCandidateReceipt:
    descriptor = CandidateDescriptor(_4, _32, _32, _32, _32, _32, _64, _32, _32)
    return CommittedCandidateReceipt(descriptor, commitments())


def available() -> AvailableData:
    data = PersistedValidationData(HeadData(bytes(MAX_HEAD_DATA_BYTES)), _4, _32, _4)
    return AvailableData(PoV(bytes(MAX_POV_BYTES)), data)


@cache
def chunk() -> ErasureChunk:
    """All of the data in one chunk, and a proof as for all validators."""
    data = encode(available())
    length = max(erasure.chunk_length(len(data), n) for n in (1, 2, 3))
    assert length >= len(data)
    proof = (_32,) * (MAX_VALIDATORS - 1).bit_length()
    return ErasureChunk(bytes(length), ChunkIndex(_4), proof)


def statement(of: Any) -> SignedStatement:
    return SignedStatement(of, _4, _64)


def whole_batches_of_statements() -> list[bytes]:
    """Many small ones until just under the batch's size, and then the largest."""
    seconded = statement_wire.StatementOnWire.of(statement(Seconded(candidate())))
    small = statement_wire.StatementOnWire.of(statement(Valid(_32)))
    each = [small] * (MAX_BATCH - 1) + [seconded]
    return list(statement_wire.messages(_32, [*each, *each, seconded, small]))


def vote() -> Any:
    return grandpa.SignedMessage(PrimaryPropose(_32, _4), _64, _32)


def compact_commit() -> Any:
    votes = 2 * MAX_VALIDATORS  # all equivocate
    return grandpa.CompactCommit(_32, _4, (PlainPrecommit(_32, _4),) * votes, ((_64, _32),) * votes)


def catch_up() -> Any:
    votes = 2 * MAX_VALIDATORS
    return grandpa.CatchUp(
        _8,
        _8,
        (grandpa.SignedPrevote(grandpa.PlainPrevote(_32, _4), _64, _32),) * votes,
        (SignedPrecommit(PlainPrecommit(_32, _4), _64, _32),) * votes,
        _32,
        _4,
    )


def record() -> discovery.ValidatorRecord:
    fields: dict[str, Any] = {
        "validator": _32,
        "peer": "p" * 128,
        "addresses": ("a" * 256,) * discovery.MAX_ADDRESSES,
        "made_at": _8,
    }
    signatures = {
        name: _64 for name in discovery.ValidatorRecord.__dataclass_fields__ if name not in fields
    }
    return discovery.ValidatorRecord(**fields, **signatures)


class _ChainOfLargeBlocks:
    """Its blocks fill an answer to just under the size at which it ends, and then comes the
    largest block that there can be."""

    BEFORE = 15

    def __init__(self) -> None:
        self.best = header()

    def number(self, _: Hash) -> int:
        return MAX_BLOCKS

    def hash_of(self, number: int) -> Hash:
        return cast(Hash, number.to_bytes(32, "little"))

    def ancestors(self, _: Hash, count: int) -> list[Hash]:
        return [self.hash_of(number) for number in range(1, count + 1)]

    def header(self, _: Hash) -> Header:
        return header()

    def encoded_body(self, block: Hash) -> bytes:
        if self._is_largest(block):
            return encode(
                (bytes(MAX_BODY_BYTES // MAX_EXTRINSICS),) * MAX_EXTRINSICS, tuple[bytes, ...]
            )
        return encode(
            (bytes(ANSWER_BYTES // self.BEFORE - MAX_HEADER_BYTES - 64),), tuple[bytes, ...]
        )

    def justification(self, block: Hash) -> bytes | None:
        return bytes(MAX_JUSTIFICATION_BYTES) if self._is_largest(block) else None

    def _is_largest(self, block: Hash) -> bool:
        return block == self.hash_of(self.BEFORE)


def blocks() -> bytes:
    """What a node answers when it is asked for as many blocks as it gives."""
    fields = U8(Fields.HEADER | Fields.BODY | Fields.JUSTIFICATION)
    request = BlockRequest(fields, FromHash(_32), Direction.DESCENDING, U32(_4))
    data = answer(cast(Chain, _ChainOfLargeBlocks()), encode(request))
    assert len(data) > ANSWER_BYTES - 4096 + MAX_BODY_BYTES + MAX_JUSTIFICATION_BYTES
    return data


def gossip(protocol: ProtocolId, payload: bytes) -> bytes:
    assert len(payload) <= GOSSIP_LIMITS[protocol], protocol
    return encode(ProtocolMessage(protocol, payload), WireMessage)


Made = Callable[[], bytes]

NOTIFIED: list[tuple[str, type | str, Made]] = [
    ("block-announces", Status, lambda: encode(Status(_4, _32, _4, _32), SyncMessage)),
    ("block-announces", Announce, lambda: encode(Announce(header(), True), SyncMessage)),
    ("transactions", "large", lambda: _transactions(bytes(transactions.MAX_TRANSACTION_BYTES))),  # type: ignore[attr-defined]
    ("transactions", "many", lambda: _transactions(*(bytes(256),) * 1024)),
    *(
        ("grandpa", type(made), lambda made=made: encode(made, grandpa.GossipMessage))
        for made in (
            grandpa.VoteMessage(_8, _8, vote()),
            grandpa.CommitMessage(_8, _8, compact_commit()),
            grandpa.NeighbourMessage(U8(255), _8, _8, _4),
            grandpa.CatchUpRequest(_8, _8),
            catch_up(),
        )
    ),
    *(
        (
            peer_set,
            ViewUpdate,
            lambda: encode(ViewUpdate(View((_32,) * MAX_VIEW_HEADS)), WireMessage),
        )
        for peer_set in ("validation", "collation")
    ),
    (
        "validation",
        statement_wire.Statements,
        lambda: max(
            (gossip(STATEMENT_DISTRIBUTION, p) for p in whole_batches_of_statements()), key=len
        ),
    ),
    (
        "validation",
        statement_wire.ContradictionProof,
        lambda: gossip(
            STATEMENT_DISTRIBUTION,
            encode(
                statement_wire.ContradictionProof(
                    _32,
                    SignedCompactStatement(Valid(_32), _4, _64),
                    SignedCompactStatement(Invalid(_32), _4, _64),
                ),
                statement_wire.StatementGossip,
            ),
        ),
    ),
    (
        "validation",
        ChunkGossip,
        lambda: gossip(AVAILABILITY_DISTRIBUTION, encode(ChunkGossip(_32, chunk(), U8(2)))),
    ),
    (
        "validation",
        BitfieldGossip,
        lambda: max(
            (
                gossip(BITFIELD_DISTRIBUTION, payload)
                for payload in bitfields(
                    _32,
                    [SignedAvailabilityBitfield(BitVec.with_ones(MAX_CORES, ()), _4, _64)]
                    * MAX_VALIDATORS,
                )
            ),
            key=len,
        ),
    ),
    *(
        (
            peer_set,
            type(made),
            lambda made=made: gossip(VALIDATOR_DISCOVERY, encode(made, discovery.Discovery)),
        )
        for peer_set in ("validation", "collation")
        for made in (
            discovery.Known((record(),) * discovery.MAX_RECORDS),
            discovery.Lacking((_32,) * discovery.MAX_LACKING),
        )
    ),
    *(
        (
            "collation",
            type(made),
            lambda made=made: gossip(COLLATION, encode(made, collation.CollationGossip)),
        )
        for made in (
            collation.Declare(_32, _4, _64),
            collation.Advertise(_32, _4),
            collation.refused(_32, "x" * 10_000, 86_400.0),
        )
    ),
]

ASKED: list[tuple[str, Made, Made]] = [
    (
        "sync",
        lambda: encode(BlockRequest(U8(19), FromHash(_32), Direction.DESCENDING, U32(_4))),
        blocks,
    ),
    ("req_pov", lambda: encode(PoVRequest(_32)), lambda: encode(PoV(bytes(MAX_POV_BYTES)))),
    ("req_available_data", lambda: encode(AvailableDataRequest(_32)), lambda: encode(available())),
    ("req_chunk", lambda: encode(ChunkRequest(_32, ChunkIndex(_4))), lambda: encode(chunk())),
    (
        "req_collation",
        lambda: encode(collation.CollationFetch(_32, _4)),
        lambda: encode(WholeCollation(candidate(), PoV(bytes(MAX_POV_BYTES)))),
    ),
    (
        "req_dispute",
        lambda: encode(
            dispute_wire.TakeVotes(
                candidate().to_plain(),
                _32,
                _4,
                ((VoteInvalid(ExplicitInvalidVote()), _4, _64),) * MAX_STATEMENTS,
            ),
            dispute_wire.DisputeRequest,
        ),
        lambda: encode(dispute_wire.DisputeAnswer.REFUSED),
    ),
]


def _transactions(*extrinsics: Any) -> bytes:
    return encode(extrinsics, transactions._Transactions)


@pytest.mark.parametrize(
    ("name", "make"),
    [(name, make) for name, _, make in NOTIFIED],
    ids=[f"{name}-{getattr(kind, '__name__', kind)}" for name, kind, _ in NOTIFIED],
)
def test_the_largest_notification_can_be_sent(name: str, make: Made) -> None:
    assert len(make()) <= declared().notifications[name].max_size


@pytest.mark.parametrize(("name", "ask", "reply"), ASKED, ids=[name for name, _, _ in ASKED])
def test_the_largest_request_and_answer_can_be_sent(name: str, ask: Made, reply: Made) -> None:
    protocol = declared().requests[name]
    assert len(ask()) <= protocol.max_request
    assert len(reply()) <= protocol.max_response


def test_no_protocol_and_no_kind_of_message_is_forgotten() -> None:
    assert {name for name, _, _ in NOTIFIED} == set(declared().notifications)
    assert {name for name, _, _ in ASKED} == set(declared().requests)
    kinds = {kind for _, kind, _ in NOTIFIED if isinstance(kind, type)}
    unions = (
        SyncMessage,
        grandpa.GossipMessage,
        statement_wire.StatementGossip,
        discovery.Discovery,
        collation.CollationGossip,
    )
    members = {member for union in unions for member in get_args(union)}
    assert kinds == members | {ViewUpdate, ChunkGossip, BitfieldGossip}
    assert set(get_args(WireMessage)) == {ProtocolMessage, ViewUpdate}
