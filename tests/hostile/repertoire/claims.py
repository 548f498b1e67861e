"""Lies that nobody can disprove at once: about blocks, rounds, addresses, records."""

from __future__ import annotations

import os
from typing import Annotated

import trio

from parahost.chain.sync.messages import Announce, Status, SyncMessage
from parahost.consensus.grandpa.messages import (
    NEIGHBOUR_VERSION,
    GossipMessage,
    NeighbourMessage,
    SignedMessage,
    VoteMessage,
)
from parahost.crypto import sr25519
from parahost.network.framing import frame
from parahost.node.protocols import VALIDATOR_DISCOVERY
from parahost.node.utility.network_bridge import ProtocolMessage, WireMessage
from parahost.node.utility.peer_set_manager import Discovery, Known, ValidatorRecord
from parahost.ports import KeyType
from parahost.ports.network import ObservedRole
from parahost.primitives.basic import (
    H256,
    H512,
    U8,
    U32,
    U64,
    BlockNumber,
    GrandpaId,
    GrandpaSignature,
    Hash,
    PeerSignature,
    ValidatorId,
    ValidatorSignature,
)
from parahost.primitives.consensus import Prevote
from parahost.primitives.header import Header
from parahost.primitives.peer_ids import peer_id_of
from parahost.primitives.scale import MaxLen, encode
from parahost.runtime.development import session_uris, validator_name
from tests.hostile.peer import HostilePeer, Tally, Target, besiege

_Told = Annotated[tuple[Annotated[str, MaxLen(256)], ...], MaxLen(128)]
_FAR = 2**32 - 1


def some_hash() -> Hash:
    return Hash(H256(os.urandom(32)))


def _number(value: int) -> BlockNumber:
    return BlockNumber(U32(value))


async def a_far_best_block(target: Target, tally: Tally) -> None:
    r""" "My best block is 4294967295", and answers that come 10 s late: stopped all authors. Blocks
    count when they come, others are asked meanwhile, and who does not deliver pays."""

    async def late(_name: str, _payload: bytes) -> bytes | None:
        tally.did["asked"] += 1
        await trio.sleep(10)
        return None

    async def script(peer: HostilePeer) -> None:
        status = Status(_number(_FAR), some_hash(), _number(0), Hash(target.genesis))
        while True:
            await peer.notify("block-announces", encode(status, SyncMessage))
            await trio.sleep(1)

    await besiege(target, tally, script, at_a_time=3, asked=late)


async def a_far_final_block(target: Target, tally: Tally) -> None:
    """The same of finality, in silence when asked for the proof."""

    async def script(peer: HostilePeer) -> None:
        status = Status(_number(_FAR), some_hash(), _number(_FAR), some_hash())
        while True:
            await peer.notify("block-announces", encode(status, SyncMessage))
            await trio.sleep(1)

    await besiege(target, tally, script)


async def blocks_that_are_none(target: Target, tally: Tally) -> None:
    """Announcements of headers without a parent, a digest or a seal."""

    async def script(peer: HostilePeer) -> None:
        while True:
            header = Header(some_hash(), _number(50), some_hash(), some_hash())
            await peer.notify("block-announces", encode(Announce(header, True), SyncMessage))
            await trio.sleep(0.01)

    await besiege(target, tally, script)


async def a_far_round(target: Target, tally: Tally) -> None:
    r""" "I am in round 2^64 - 1", then silence: kept a voter that was away out of GRANDPA. Only
    verified answers move a voter, and several peers are asked."""

    async def script(peer: HostilePeer) -> None:
        claim = NeighbourMessage(U8(NEIGHBOUR_VERSION), U64(2**64 - 1), U64(0), _number(_FAR))
        while True:
            await peer.notify("grandpa", encode(claim, GossipMessage))
            await trio.sleep(0.5)

    await besiege(target, tally, script)


async def votes_of_nobody(target: Target, tally: Tally) -> None:
    """GRANDPA votes by who is no voter."""

    async def script(peer: HostilePeer) -> None:
        while True:
            vote = SignedMessage(
                Prevote(some_hash(), _number(9)),
                GrandpaSignature(H512(os.urandom(64))),
                GrandpaId(some_hash()),
            )
            message = VoteMessage(U64(1), U64(0), vote)
            await peer.notify("grandpa", encode(message, GossipMessage))
            await trio.sleep(0.01)

    await besiege(target, tally, script)


async def odd_addresses(target: Target, tally: Tally) -> None:
    """A peer at an IPv6 address with an odd scope, 81 bytes: ended every node that dialled it, and
    nodes passed it on. What is not canonical is a violation."""

    async def script(peer: HostilePeer) -> None:
        address = f"/ip6/fe80::1%é/tcp/1/p2p/{peer_id_of(os.urandom(32))}"
        await peer.control.send(frame(encode((address,), _Told)))
        await trio.sleep_forever()

    await besiege(target, tally, script)


async def addresses_of_nobody(target: Target, tally: Tally) -> None:
    """Full lists of peers that there are not, at addresses that lead nowhere, one after the other.
    Lists beyond their rate cost, and a teller has a quota."""

    async def script(peer: HostilePeer) -> None:
        while True:
            told = tuple(
                f"/ip4/127.0.0.1/tcp/{1 + index}/p2p/{peer_id_of(os.urandom(32))}"
                for index in range(128)
            )
            await peer.control.send(frame(encode(told, _Told)))
            await trio.sleep(0.05)

    await besiege(target, tally, script)


async def false_records(target: Target, tally: Tally) -> None:
    """Records of validators of a local chain that name us, with signatures that are none, by peers
    that say they are validators."""
    validators = [session_uris(validator_name(index))[KeyType.PARACHAIN] for index in range(4)]
    keys = [ValidatorId(H256(sr25519.Keypair.from_uri(uri).public)) for uri in validators]

    async def script(peer: HostilePeer) -> None:
        own = str(peer.identity.peer)
        while True:
            records = tuple(
                ValidatorRecord(
                    key,
                    own,
                    (),
                    U64(2**63),
                    ValidatorSignature(H512(os.urandom(64))),
                    PeerSignature(H512(os.urandom(64))),
                )
                for key in keys
            )
            known = encode(Known(records), Discovery)
            message = ProtocolMessage(VALIDATOR_DISCOVERY, known)
            await peer.notify("validation", encode(message, WireMessage))
            await trio.sleep(0.05)

    await besiege(target, tally, script, role=ObservedRole.AUTHORITY)
