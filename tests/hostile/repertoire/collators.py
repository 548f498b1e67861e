"""Collators that are none."""

from __future__ import annotations

import os

import trio

from parahost.chain.sync.messages import Announce, SyncMessage
from parahost.crypto import sr25519
from parahost.node.collation.wire import Advertise, CollationGossip, Declare, declare_payload
from parahost.node.protocols import COLLATION, COLLATION_REQUEST
from parahost.node.utility.network_bridge import ProtocolMessage, WireMessage
from parahost.ports.network import ObservedRole
from parahost.primitives.basic import H256, H512, U32, CollatorId, CollatorSignature, Hash, ParaId
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from tests.hostile.peer import HostilePeer, Tally, Target, besiege

PARA = ParaId(U32(2000))


async def collators_that_never_deliver(target: Target, tally: Tally) -> None:
    """Advertise at each head with fresh keys, and deliver nothing when asked: the honest collator
    was never asked. Who has a good record goes first, and a failed fetch counts as served."""
    heads: list[Hash] = []
    news = trio.Event()

    async def heard(protocol: str, payload: bytes) -> None:
        nonlocal news
        if protocol == "block-announces":
            try:
                announcement = decode(SyncMessage, payload)
            except ScaleDecodeError:
                return
            if isinstance(announcement, Announce):
                heads.append(announcement.header.hash())
                news.set()
                news = trio.Event()

    async def silent(_protocol: str, _payload: bytes) -> bytes | None:
        tally.did["asked"] += 1
        await trio.sleep_forever()
        return None

    async def script(peer: HostilePeer) -> None:
        await _declare(peer)
        while True:
            await news.wait()
            size = U32(COLLATION_REQUEST.max_response)
            await _say(peer, Advertise(heads[-1], size))
            tally.did["advertised"] += 1

    await besiege(
        target,
        tally,
        script,
        at_a_time=4,
        role=ObservedRole.COLLATOR,
        heard=heard,
        asked=silent,
    )


async def collators_that_deliver_garbage(target: Target, tally: Tally) -> None:
    """Declare, advertise whatever, and answer with bytes that are no collation."""

    async def asked(_protocol: str, _payload: bytes) -> bytes | None:
        tally.did["asked"] += 1
        return os.urandom(1000)

    async def heard(protocol: str, payload: bytes) -> None:
        if protocol == "block-announces" and payload[:1] == b"\1":
            try:
                announcement = decode(SyncMessage, payload)
            except ScaleDecodeError:
                return
            for peer in peers:
                await _say(peer, Advertise(announcement.header.hash(), U32(1000)))

    peers: list[HostilePeer] = []

    async def script(peer: HostilePeer) -> None:
        await _declare(peer)
        peers.append(peer)
        try:
            await trio.sleep_forever()
        finally:
            peers.remove(peer)

    await besiege(target, tally, script, role=ObservedRole.COLLATOR, heard=heard, asked=asked)


async def advertisements_without_end(target: Target, tally: Tally) -> None:
    """Of heads that there are not, and the same again."""

    async def script(peer: HostilePeer) -> None:
        await _declare(peer)
        while True:
            await _say(peer, Advertise(Hash(os.urandom(32)), U32(100)))  # type: ignore[arg-type]
            await trio.sleep(0.01)

    await besiege(target, tally, script, role=ObservedRole.COLLATOR)


async def _declare(peer: HostilePeer) -> None:
    pair = sr25519.Keypair.from_uri("0x" + os.urandom(32).hex())
    signature = sr25519.sign(pair, declare_payload(PARA, peer.identity.peer))
    await _say(
        peer, Declare(CollatorId(H256(pair.public)), PARA, CollatorSignature(H512(signature)))
    )


async def _say(peer: HostilePeer, gossip: CollationGossip) -> None:
    message = ProtocolMessage(COLLATION, encode(gossip, CollationGossip))
    await peer.notify("collation", encode(message, WireMessage))
