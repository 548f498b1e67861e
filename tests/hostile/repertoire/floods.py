"""Too much of what may be said: transactions, gossip, requests."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Annotated

import trio

from parahost.chain.sync.messages import BlockRequest, Direction, Fields, FromNumber
from parahost.consensus.grandpa.messages import CatchUpRequest, GossipMessage
from parahost.crypto import sr25519
from parahost.node.availability.bitfield_rules import BitfieldGossip
from parahost.node.availability.chunk_gossip import ChunkGossip
from parahost.node.backing.pov_distribution import PoVRequest
from parahost.node.backing.statement_wire import SecondedOnWire, StatementOnWire, messages
from parahost.node.messages.network import MAX_VIEW_HEADS, ProtocolId, View
from parahost.node.protocols import (
    APPROVAL_DISTRIBUTION,
    AVAILABILITY_DISTRIBUTION,
    BITFIELD_DISTRIBUTION,
    DISPUTE_REQUEST,
    STATEMENT_DISTRIBUTION,
    VALIDATOR_DISCOVERY,
)
from parahost.node.utility.network_bridge import ProtocolMessage, ViewUpdate, WireMessage
from parahost.node.utility.peer_set_manager import MAX_LACKING, Discovery, Lacking
from parahost.node.validity.approval_rules import ApprovalGossip, AssignmentOnWire, CheckOnWire
from parahost.node.validity.disputes.wire import DisputeRequest, TakeVotes
from parahost.ports.network import ObservedRole
from parahost.primitives.approval import Approval, Assignment, AssignmentCert, RelayVRFModulo
from parahost.primitives.availability import ErasureChunk, SignedAvailabilityBitfield
from parahost.primitives.basic import (
    H256,
    H512,
    U8,
    U32,
    U64,
    BlockNumber,
    CandidateHash,
    Hash,
    ParaId,
    SessionIndex,
    ValidatorId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import (
    ExplicitInvalidVote,
    ExplicitVote,
    VoteInvalid,
    VoteValid,
)
from parahost.primitives.hashing import blake2_256
from parahost.primitives.header import Extrinsic
from parahost.primitives.scale import BitVec, Compact, encode
from parahost.primitives.statements import Seconded, SignedStatement
from parahost.runtime.extrinsic import signed
from parahost.runtime.origin import AccountId
from parahost.runtime.sudo import SetKey
from parahost.simulation.adversaries.flooders import invented
from tests.hostile.peer import HostilePeer, Tally, Target, besiege

_BATCH = 256


def _transactions(genesis: H256, nonces: range, *, valid: bool = True) -> bytes:
    """A message of transactions by an account that has nothing."""
    pair = sr25519.Keypair.from_uri("0x" + os.urandom(32).hex())
    account = AccountId(H256(pair.public))

    def sign(payload: bytes) -> bytes:
        return sr25519.sign(pair, payload) if valid else os.urandom(63) + b"\x0f"

    made: tuple[Extrinsic, ...] = tuple(
        signed(SetKey(account), account, sign, nonce=nonce, genesis_hash=Hash(genesis))
        for nonce in nonces
    )
    return encode(made, tuple[Extrinsic, ...])


async def _send_all(target: Target, tally: Tally, payloads: list[bytes]) -> None:
    async def script(peer: HostilePeer) -> None:
        while True:
            for payload in payloads:
                await peer.notify("transactions", payload)
                tally.did["messages"] += 1
                await trio.sleep(0.1)

    await besiege(target, tally, script)


async def transactions_without_funds(target: Target, tally: Tally) -> None:
    """1,100 of them in the pool ended every node to which a peer connected. Now who cannot pay is
    looked at before the signature, and each costs its sender."""
    nonces = (range(at, at + _BATCH) for at in range(0, 5 * _BATCH, _BATCH))
    await _send_all(target, tally, [_transactions(target.genesis, each) for each in nonces])


async def transactions_far_ahead(target: Target, tally: Tally) -> None:
    """1.7 MB of future nonces left one block a minute."""
    far = range(1_000_000, 1_000_000 + _BATCH)
    await _send_all(target, tally, [_transactions(target.genesis, far) for _ in range(8)])


async def transactions_not_signed(target: Target, tally: Tally) -> None:
    """Signatures that are none."""
    bad = _transactions(target.genesis, range(_BATCH), valid=False)
    await _send_all(target, tally, [bad])


async def transactions_that_are_none(target: Target, tally: Tally) -> None:
    """Megabytes that are no extrinsic: no address begins so."""
    dead = b"\x84" + b"\xff" * 2**20
    await _send_all(target, tally, [encode((dead,), tuple[bytes, ...])])


async def _gossip_flood(
    target: Target, tally: Tally, protocol: ProtocolId, make: Callable[[], bytes], pause_s: float
) -> None:
    async def script(peer: HostilePeer) -> None:
        while True:
            message = encode(ProtocolMessage(protocol, make()), WireMessage)
            await peer.notify("validation", message)
            await trio.sleep(pause_s)

    await besiege(target, tally, script, role=ObservedRole.AUTHORITY)


async def statements_of_nobody(target: Target, tally: Tally) -> None:
    """Candidates seconded at heads that there are not, with signatures that are none."""

    def make() -> bytes:
        head = Hash(H256(os.urandom(32)))
        candidate = invented(ParaId(U32(2000)), head, os.urandom(32))
        statement = SignedStatement(
            Seconded(candidate), ValidatorIndex(U32(0)), ValidatorSignature(H512(os.urandom(64)))
        )
        return next(iter(messages(head, [StatementOnWire.of(statement)])))

    await _gossip_flood(target, tally, STATEMENT_DISTRIBUTION, make, 0.02)


async def heavy_statements(target: Target, tally: Tally) -> None:
    """Ten million empty messages between chains in one statement took 6 s to decode, before anybody
    looked at who had signed it. The receipt names them rightly."""
    count = 6 * 2**20
    commitments = encode(count, Annotated[int, Compact()]) + bytes(count)

    def make() -> bytes:
        head = Hash(H256(os.urandom(32)))
        descriptor = invented(ParaId(U32(2000)), head, os.urandom(32)).descriptor
        receipt = CandidateReceipt(descriptor, blake2_256(commitments))
        statement = StatementOnWire(
            SecondedOnWire(receipt, commitments),
            ValidatorIndex(U32(0)),
            ValidatorSignature(H512(os.urandom(64))),
        )
        return next(iter(messages(head, [statement])))

    await _gossip_flood(target, tally, STATEMENT_DISTRIBUTION, make, 1.0)


async def bitfields_of_nobody(target: Target, tally: Tally) -> None:
    """Votes on availability with bad signatures, at unknown heads."""

    def make() -> bytes:
        vote = SignedAvailabilityBitfield(
            BitVec.of([True]), ValidatorIndex(U32(0)), ValidatorSignature(H512(os.urandom(64)))
        )
        return encode(BitfieldGossip(Hash(H256(os.urandom(32))), (vote,)))

    await _gossip_flood(target, tally, BITFIELD_DISTRIBUTION, make, 0.01)


async def checks_of_nobody(target: Target, tally: Tally) -> None:
    """Assignments and checks by who was not drawn, of blocks that there are not."""
    far = U32(2**32 - 1)

    def make() -> bytes:
        signature = H512(os.urandom(64))
        cert = AssignmentCert(RelayVRFModulo(far), H256(os.urandom(32)), signature)
        said = (
            AssignmentOnWire(far, Assignment(ValidatorIndex(far), cert)),
            CheckOnWire(far, Approval(ValidatorIndex(far), ValidatorSignature(signature))),
        )
        return encode(ApprovalGossip(Hash(H256(os.urandom(32))), said))

    await _gossip_flood(target, tally, APPROVAL_DISTRIBUTION, make, 0.01)


async def chunks_of_nothing(target: Target, tally: Tally) -> None:
    """Chunks of candidates that nobody has heard of."""

    def make() -> bytes:
        chunk = ErasureChunk(os.urandom(100_000), U32(0), ())  # type: ignore[arg-type]
        return encode(ChunkGossip(CandidateHash(H256(os.urandom(32))), chunk, U8(0)))

    await _gossip_flood(target, tally, AVAILABILITY_DISTRIBUTION, make, 0.05)


async def views_without_end(target: Target, tally: Tally) -> None:
    """Another view of unknown heads each time: nothing piles up."""

    async def script(peer: HostilePeer) -> None:
        while True:
            heads = tuple(Hash(H256(os.urandom(32))) for _ in range(MAX_VIEW_HEADS))
            await peer.notify("validation", encode(ViewUpdate(View(heads)), WireMessage))
            await trio.sleep(0.005)

    await besiege(target, tally, script)


async def records_asked_for_again(target: Target, tally: Tally) -> None:
    """Each question for records is answered with up to three messages; too often costs."""

    def make() -> bytes:
        wanted = tuple(ValidatorId(H256(os.urandom(32))) for _ in range(MAX_LACKING))
        return encode(Lacking(wanted), Discovery)

    await _gossip_flood(target, tally, VALIDATOR_DISCOVERY, make, 0.02)


async def blocks_asked_for_again(target: Target, tally: Tally) -> None:
    """The whole chain, many at a time, again and again: a peer has an allowance."""
    everything = Fields.HEADER | Fields.BODY | Fields.JUSTIFICATION
    request = BlockRequest(
        U8(everything), FromNumber(BlockNumber(U32(1))), Direction.ASCENDING, U32(64)
    )
    await _ask_again_and_again(target, tally, "sync", encode(request))


async def povs_asked_for_again(target: Target, tally: Tally) -> None:
    """PoVs that nobody has."""
    request = PoVRequest(CandidateHash(H256(os.urandom(32))))
    await _ask_again_and_again(target, tally, "req_pov", encode(request))


async def dispute_votes_of_nobody(target: Target, tally: Tally) -> None:
    """Votes on a candidate that never was, in the name of validators: a lie costs at once."""
    head = Hash(H256(os.urandom(32)))
    receipt = invented(ParaId(U32(2000)), head, os.urandom(32)).to_plain()
    signature = ValidatorSignature(H512(os.urandom(64)))
    statements = (
        (VoteValid(ExplicitVote()), ValidatorIndex(U32(0)), signature),
        (VoteInvalid(ExplicitInvalidVote()), ValidatorIndex(U32(1)), signature),
    )
    said = TakeVotes(receipt, receipt.hash(), SessionIndex(U32(0)), statements)
    await _ask_again_and_again(target, tally, DISPUTE_REQUEST.name, encode(said, DisputeRequest))


async def _ask_again_and_again(target: Target, tally: Tally, protocol: str, payload: bytes) -> None:
    async def script(peer: HostilePeer) -> None:
        async def loop() -> None:
            while True:
                answered = await peer.request(protocol, payload)
                tally.did["refused" if answered is None else "answered"] += 1

        async with trio.open_nursery() as nursery:
            for _ in range(8):
                nursery.start_soon(loop)

    await besiege(target, tally, script)


async def catch_ups_asked_for_again(target: Target, tally: Tally) -> None:
    """The votes of a round, again and again."""

    async def script(peer: HostilePeer) -> None:
        while True:
            await peer.notify("grandpa", encode(CatchUpRequest(U64(1), U64(0)), GossipMessage))
            await trio.sleep(0.01)

    await besiege(target, tally, script)
