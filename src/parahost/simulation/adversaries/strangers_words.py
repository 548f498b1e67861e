"""What strangers say: lies, floods and junk on every protocol, with what is known of the chain."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated

from parahost.chain.pool.gossip import TRANSACTIONS
from parahost.chain.sync.messages import (
    ANNOUNCES,
    SYNC,
    Announce,
    BlockRequest,
    Direction,
    FromNumber,
    Status,
    SyncMessage,
)
from parahost.consensus.grandpa.messages import (
    NEIGHBOUR_VERSION,
    CatchUpRequest,
    GossipMessage,
    NeighbourMessage,
    SignedMessage,
    VoteMessage,
)
from parahost.consensus.grandpa.messages import PROTOCOL as GRANDPA
from parahost.crypto import sr25519
from parahost.node.availability.bitfield_rules import BitfieldGossip
from parahost.node.availability.chunk_gossip import ChunkGossip
from parahost.node.availability.chunk_request import ChunkRequest
from parahost.node.availability.data_request import AvailableDataRequest
from parahost.node.backing.pov_distribution import PoVRequest
from parahost.node.backing.statement_wire import SecondedOnWire, StatementOnWire, messages
from parahost.node.collation.wire import (
    Advertise,
    CollationFetch,
    CollationGossip,
    Declare,
    declare_payload,
)
from parahost.node.messages.network import MAX_VIEW_HEADS, PeerSet, ProtocolId, View
from parahost.node.protocols import (
    APPROVAL_DISTRIBUTION,
    AVAILABILITY_DISTRIBUTION,
    AVAILABLE_DATA_REQUEST,
    BITFIELD_DISTRIBUTION,
    CHUNK_REQUEST,
    COLLATION,
    COLLATION_REQUEST,
    DISPUTE_REQUEST,
    NOTIFICATIONS,
    POV_REQUEST,
    STATEMENT_DISTRIBUTION,
    VALIDATOR_DISCOVERY,
)
from parahost.node.utility.network_bridge import ProtocolMessage, ViewUpdate, WireMessage
from parahost.node.utility.peer_set_manager import Discovery, Known, Lacking, ValidatorRecord
from parahost.node.validity import approval_rules
from parahost.node.validity.approval_rules import AssignmentOnWire, CheckOnWire
from parahost.node.validity.disputes.wire import DisputeRequest, TakeHolder, TakeVotes
from parahost.ports.network import RequestProtocol
from parahost.primitives.approval import (
    Approval,
    Assignment,
    AssignmentCert,
    RelayVRFDelay,
    RelayVRFModulo,
)
from parahost.primitives.availability import ErasureChunk, SignedAvailabilityBitfield
from parahost.primitives.basic import (
    H256,
    H512,
    U8,
    U32,
    U64,
    BlockNumber,
    CandidateHash,
    ChunkIndex,
    CollatorId,
    CollatorSignature,
    CoreIndex,
    GrandpaId,
    GrandpaSignature,
    Hash,
    ParaId,
    PeerId,
    PeerSignature,
    SessionIndex,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.consensus import Prevote
from parahost.primitives.disputes import (
    ExplicitInvalidVote,
    ExplicitVote,
    SignedDisputeStatement,
    VoteInvalid,
    VoteValid,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic, Header
from parahost.primitives.scale import BitVec, Compact, encode
from parahost.primitives.statements import Seconded, SignedStatement
from parahost.runtime.extrinsic import signed
from parahost.runtime.origin import AccountId
from parahost.runtime.sudo import SetKey
from parahost.simulation.adversaries.flooders import gossip, invented
from parahost.simulation.adversaries.garbage import notifications
from parahost.simulation.random import SeededRandom

FAR = 2**32 - 1
FLOOD = 8
"""Messages of a kind in one go."""
_LONG = 2**20
"""Bytes of what is to be dear to read."""
_HEAVY = encode(_LONG, Annotated[int, Compact()]) + bytes(_LONG)
"""Commitments that begin with so many empty messages."""
_VALIDATION = NOTIFICATIONS[PeerSet.VALIDATION].name
_COLLATION = NOTIFICATIONS[PeerSet.COLLATION].name

StrangerMessage = tuple[str, bytes]
"""A protocol's name, and a message of it."""


@dataclass(frozen=True)
class PublicKnowledge:
    """What anybody can learn of a chain."""

    genesis: Hash
    validators: Sequence[ValidatorId]
    paras: Sequence[ParaId]


class Tongue:
    """One stranger's way to speak: its peer id, its chance, the heads that it has heard of."""

    def __init__(self, peer: PeerId, knows: PublicKnowledge, random: SeededRandom) -> None:
        self.heads: list[Hash] = []
        self._peer = peer
        self._knows = knows
        self._random = random
        self._pair = sr25519.Keypair.from_seed(random.bytes(32))
        tricks: Sequence[Callable[[], Iterator[StrangerMessage]]] = (
            self.far_claims,
            self.blocks_that_are_none,
            self.transactions,
            self.transactions_that_are_none,
            self.statements,
            self.heavy_statements,
            self.bitfields,
            self.checks,
            self.chunks,
            self.records,
            self.views,
            self.votes,
            self.catch_ups,
            self.advertisements,
            self.junk,
            self.too_large,
            self.silence,
        )
        self._tricks = [tricks[random.below(len(tricks))] for _ in range(1 + random.below(3))]
        """Few: who did all would be banned at once for the worst."""

    def declaration(self) -> StrangerMessage:
        """As a collator of some para: it costs a key."""
        para = self._para()
        signature = sr25519.sign(self._pair, declare_payload(para, self._peer))
        said = Declare(
            CollatorId(H256(self._pair.public)), para, CollatorSignature(H512(signature))
        )
        return self._collating(said)

    def some(self) -> Iterator[StrangerMessage]:
        """One of its tricks, by chance."""
        return self._tricks[self._random.below(len(self._tricks))]()

    def far_claims(self) -> Iterator[StrangerMessage]:
        """A best block, finality and a round that nobody has."""
        far = BlockNumber(U32(FAR))
        yield ANNOUNCES.name, encode(Status(far, self._hash(), far, self._hash()), SyncMessage)
        ahead = NeighbourMessage(U8(NEIGHBOUR_VERSION), U64(2**64 - 1), U64(0), far)
        yield GRANDPA, encode(ahead, GossipMessage)

    def blocks_that_are_none(self) -> Iterator[StrangerMessage]:
        for number in range(FLOOD):
            header = Header(self._head(), BlockNumber(U32(number)), self._hash(), self._hash())
            yield ANNOUNCES.name, encode(Announce(header, True), SyncMessage)

    def transactions(self) -> Iterator[StrangerMessage]:
        """Of an account that has nothing, some with nonces far ahead, some not signed."""
        account = AccountId(H256(self._pair.public))
        made: list[Extrinsic] = []
        for first, signs in ((0, True), (10**6, True), (0, False)):

            def sign(payload: bytes, signs: bool = signs) -> bytes:
                return sr25519.sign(self._pair, payload) if signs else self._random.bytes(64)

            made += (
                signed(
                    SetKey(account),
                    account,
                    sign,
                    nonce=first + index,
                    genesis_hash=self._knows.genesis,
                )
                for index in range(4)
            )
        yield TRANSACTIONS.name, encode(tuple(made), tuple[Extrinsic, ...])

    def transactions_that_are_none(self) -> Iterator[StrangerMessage]:
        """A long extrinsic of a signer that cannot be read."""
        yield TRANSACTIONS.name, encode((b"\x84" + bytes(_LONG),), tuple[bytes, ...])

    def statements(self) -> Iterator[StrangerMessage]:
        """Candidates that nobody made, at heads known and unknown, in validators' names."""
        for _ in range(FLOOD):
            head = self._head()
            statement = SignedStatement(
                Seconded(invented(self._para(), head, self._random.bytes(32))),
                self._index(),
                ValidatorSignature(self._signature()),
            )
            for payload in messages(head, [StatementOnWire.of(statement)]):
                yield _VALIDATION, gossip(STATEMENT_DISTRIBUTION, payload)

    def heavy_statements(self) -> Iterator[StrangerMessage]:
        """A million empty messages between chains in one statement, which names them rightly."""
        head = self._head()
        descriptor = invented(self._para(), head, self._random.bytes(32)).descriptor
        receipt = CandidateReceipt(descriptor, blake2_256(_HEAVY))
        said = StatementOnWire(
            SecondedOnWire(receipt, _HEAVY),
            self._index(),
            ValidatorSignature(self._signature()),
        )
        for payload in messages(head, [said]):
            yield _VALIDATION, gossip(STATEMENT_DISTRIBUTION, payload)

    def bitfields(self) -> Iterator[StrangerMessage]:
        for _ in range(FLOOD):
            vote = SignedAvailabilityBitfield(
                BitVec.of([True] * len(self._knows.paras)),
                self._index(),
                ValidatorSignature(self._signature()),
            )
            yield self._gossip(BITFIELD_DISTRIBUTION, encode(BitfieldGossip(self._head(), (vote,))))

    def checks(self) -> Iterator[StrangerMessage]:
        """By who was not drawn, of candidates, cores and validators that there are, and are not."""
        for number in (U32(0), U32(FAR)):
            kind = RelayVRFDelay(CoreIndex(number)) if number else RelayVRFModulo(number)
            for validator in (self._index(), ValidatorIndex(U32(FAR))):
                cert = AssignmentCert(kind, self._hash(), self._signature())
                said = (
                    AssignmentOnWire(number, Assignment(validator, cert)),
                    CheckOnWire(number, Approval(validator, ValidatorSignature(self._signature()))),
                )
                for payload in approval_rules.messages(self._head(), said):
                    yield self._gossip(APPROVAL_DISTRIBUTION, payload)

    def chunks(self) -> Iterator[StrangerMessage]:
        for _ in range(FLOOD):
            chunk = ErasureChunk(self._random.bytes(100), ChunkIndex(U32(0)), (self._hash(),))
            said = ChunkGossip(CandidateHash(self._hash()), chunk, U8(0))
            yield self._gossip(AVAILABILITY_DISTRIBUTION, encode(said))

    def records(self) -> Iterator[StrangerMessage]:
        """Each validator is here, at an address that leads nowhere; and who else is there?"""
        address = f"/dns/nowhere/tcp/1/p2p/{self._peer}"
        told = tuple(
            ValidatorRecord(
                validator,
                str(self._peer),
                (address,),
                U64(2**63),
                ValidatorSignature(self._signature()),
                PeerSignature(self._signature()),
            )
            for validator in self._knows.validators[:4]
        )
        yield self._gossip(VALIDATOR_DISCOVERY, encode(Known(told), Discovery))
        lacking = Lacking(tuple(self._knows.validators[:4]))
        for _ in range(FLOOD):
            yield self._gossip(VALIDATOR_DISCOVERY, encode(lacking, Discovery))

    def views(self) -> Iterator[StrangerMessage]:
        for _ in range(FLOOD):
            heads = tuple(self._head() for _ in range(MAX_VIEW_HEADS))
            yield _VALIDATION, encode(ViewUpdate(View(heads)), WireMessage)

    def votes(self) -> Iterator[StrangerMessage]:
        """Of who is no voter."""
        for number in range(FLOOD):
            vote = SignedMessage(
                Prevote(self._head(), BlockNumber(U32(number))),
                GrandpaSignature(self._signature()),
                GrandpaId(H256(self._pair.public)),
            )
            yield GRANDPA, encode(VoteMessage(U64(1), U64(0), vote), GossipMessage)

    def catch_ups(self) -> Iterator[StrangerMessage]:
        for _ in range(FLOOD):
            yield GRANDPA, encode(CatchUpRequest(U64(1), U64(0)), GossipMessage)

    def advertisements(self) -> Iterator[StrangerMessage]:
        """Of collations that are never delivered."""
        for _ in range(4):
            size = U32(COLLATION_REQUEST.max_response)
            yield self._collating(Advertise(self._head(), size))

    def junk(self) -> Iterator[StrangerMessage]:
        return notifications(self._random)

    def too_large(self) -> Iterator[StrangerMessage]:
        """More than a protocol allows."""
        protocols = (*NOTIFICATIONS.values(), ANNOUNCES, TRANSACTIONS)
        protocol = protocols[self._random.below(len(protocols))]
        yield protocol.name, bytes(protocol.max_size + 1)

    def silence(self) -> Iterator[StrangerMessage]:
        """It takes a place, and no more."""
        return iter(())

    def requests(self) -> Iterator[tuple[RequestProtocol, bytes]]:
        """For what there is, and what there is not, several of each."""
        blocks = BlockRequest(U8(19), FromNumber(BlockNumber(U32(1))), Direction.ASCENDING, U32(64))
        for _ in range(4):
            candidate = CandidateHash(self._hash())
            yield SYNC, encode(blocks)
            yield POV_REQUEST, encode(PoVRequest(candidate))
            yield CHUNK_REQUEST, encode(ChunkRequest(candidate, ChunkIndex(U32(0))))
            yield AVAILABLE_DATA_REQUEST, encode(AvailableDataRequest(candidate))
            yield COLLATION_REQUEST, encode(CollationFetch(self._head(), self._para()))
        for said in self.dispute_votes():
            yield DISPUTE_REQUEST, encode(said, DisputeRequest)

    def dispute_votes(self) -> Iterator[DisputeRequest]:
        """On a candidate that never was, in validators' names, in sessions that there are and are
        not; also of one side alone, twice the same, and on another than they name."""
        receipt = invented(self._para(), self._head(), self._random.bytes(32)).to_plain()
        candidate = receipt.hash()
        vouching = self._vote(VoteValid(ExplicitVote()))
        denying = self._vote(VoteInvalid(ExplicitInvalidVote()))
        sessions = [SessionIndex(U32(number)) for number in (0, FAR)]
        for statements in ((vouching, denying), (denying,), (vouching, denying, denying)):
            for session in sessions:
                yield TakeVotes(receipt, candidate, session, statements)
        named = CandidateHash(self._hash())
        yield TakeVotes(receipt, named, sessions[0], (vouching, denying))
        signature = ValidatorSignature(self._signature())
        yield TakeHolder(sessions[0], candidate, self._index(), signature)

    def _vote(self, statement: VoteValid | VoteInvalid) -> SignedDisputeStatement:
        return statement, self._index(), ValidatorSignature(self._signature())

    def _gossip(self, protocol: ProtocolId, payload: bytes) -> StrangerMessage:
        return _VALIDATION, gossip(protocol, payload)

    def _collating(self, said: CollationGossip) -> StrangerMessage:
        message = ProtocolMessage(COLLATION, encode(said, CollationGossip))
        return _COLLATION, encode(message, WireMessage)

    def _hash(self) -> Hash:
        return Hash(H256(self._random.bytes(32)))

    def _head(self) -> Hash:
        """The newest known, or one that there is not."""
        return self.heads[-1] if self.heads and self._random.below(2) else self._hash()

    def _para(self) -> ParaId:
        paras = self._knows.paras
        return paras[self._random.below(len(paras))] if paras else ParaId(U32(2000))

    def _index(self) -> ValidatorIndex:
        return ValidatorIndex(U32(self._random.below(len(self._knows.validators))))

    def _signature(self) -> H512:
        return H512(self._random.bytes(64))
