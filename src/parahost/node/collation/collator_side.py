"""Collation Distribution on a collator's node: offer a collation to those who can back it (A97)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from parahost.node.collation.distribution import CollationDistribution
from parahost.node.collation.wire import (
    Advertise,
    CollationFetch,
    CollationGossip,
    Declare,
    Refused,
    declare_payload,
)
from parahost.node.leaf import ActiveLeaf
from parahost.node.messages.base import Message, Reply
from parahost.node.messages.collation import (
    CollationNetwork,
    CollationRequested,
    DistributeCollation,
    FetchCollation,
)
from parahost.node.messages.network import (
    NetworkBridgeEvent,
    PeerConnected,
    PeerDisconnected,
    PeerMessage,
    PeerSet,
    RegisterEventProducer,
    RegisterRequestProducer,
    ReportPeer,
    ReputationChange,
    ResolveValidators,
    SendMessage,
)
from parahost.node.overseer import Context
from parahost.node.protocols import COLLATION, COLLATION_REQUEST
from parahost.ports import KeyStore, KeyType, ObservedRole
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    CollatorId,
    CollatorSignature,
    Hash,
    ParaId,
    PeerId,
    ValidatorId,
)
from parahost.primitives.candidates import Collation
from parahost.primitives.scale import ScaleDecodeError, decode, encode

MAX_OFFERS = 3
"""Collations kept to be served, the newest. Validators may still work on a relay parent that this
node has left."""
MAX_SERVED = 3
"""How often one peer is given one collation."""
RESOLVE_S = 0.2
"""How often it is asked anew who the group's validators are, until all have been told."""

COST_UNEXPECTED = ReputationChange(-50, "tells a collator what only collators say, or tells again")
COST_NO_OFFER = ReputationChange(-10, "asks for a collation that it was not offered")
COST_MALFORMED = ReputationChange(-100, "a collation message that does not decode")


@dataclass(slots=True)
class Offer:
    """A collation of ours. ``told`` counts for each peer that heard of it how often it got it.
    ``refused`` has those who said why they do not put it forward."""

    payload: bytes
    told: dict[PeerId, int] = field(default_factory=dict)
    refused: dict[PeerId, None] = field(default_factory=dict)


def may_have(offer: Offer | None, peer: PeerId) -> bool:
    """Whether a peer that asks for a collation is given it."""
    return offer is not None and offer.told.get(peer, MAX_SERVED) < MAX_SERVED


class CollatorSide(CollationDistribution):
    """Declares itself to every validator that it meets, and tells the group of its core of each
    collation. Signs with the first collator key."""

    def __init__(self, para_id: ParaId, keys: KeyStore, local_peer: PeerId) -> None:
        collator = CollatorId(H256(keys.public_keys(KeyType.COLLATOR)[0]))
        payload = declare_payload(para_id, local_peer)
        signature = H512(keys.sign(KeyType.COLLATOR, collator, payload, []))
        self._para_id = para_id
        self._declaration = _gossip(Declare(collator, para_id, CollatorSignature(signature)))
        self._validators: dict[PeerId, None] = {}
        self._deaf: dict[PeerId, None] = {}
        """Those who have said that they do not hear us."""
        self._offers: OrderedDict[Hash, Offer] = OrderedDict()

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        ctx.send(RegisterEventProducer(COLLATION, PeerSet.COLLATION, CollationNetwork))
        ctx.send(RegisterRequestProducer(COLLATION_REQUEST, CollationRequested))

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case CollationNetwork(event):
                self._on_network(event)
            case DistributeCollation(relay_parent, collation):
                self._distribute(relay_parent, collation)
            case CollationRequested(peer, payload, reply):
                self._serve(peer, payload, reply)
            case FetchCollation():
                message.reply.answer(None)

    def _on_network(self, event: NetworkBridgeEvent) -> None:
        match event:
            case PeerConnected(peer, ObservedRole.AUTHORITY):
                self._validators[peer] = None
                self.ctx.send(SendMessage((peer,), COLLATION, self._declaration))
            case PeerDisconnected(peer):
                self._validators.pop(peer, None)
                self._deaf.pop(peer, None)
                for offer in self._offers.values():
                    offer.told.pop(peer, None)
            case PeerMessage(peer, payload):
                self._on_gossip(peer, payload)

    def _on_gossip(self, peer: PeerId, payload: bytes) -> None:
        try:
            gossip: CollationGossip = decode(CollationGossip, payload)
        except ScaleDecodeError:
            self.ctx.send(ReportPeer(peer, COST_MALFORMED))
            return
        if not isinstance(gossip, Refused) or peer not in self._validators:
            self.ctx.send(ReportPeer(peer, COST_UNEXPECTED))
            return
        if gossip.relay_parent is not None and gossip.relay_parent not in self._offers:
            return  # of an offer that is over
        if not self._is_news(peer, gossip):
            self.ctx.send(ReportPeer(peer, COST_UNEXPECTED))
            return
        self.ctx.journal.record(
            "collation.refused",
            peer=peer,
            para=self._para_id,
            **({} if gossip.relay_parent is None else {"relay_parent": gossip.relay_parent}),
            reason=gossip.reason,
            ban_s=gossip.ban_s,
        )

    def _is_news(self, peer: PeerId, refusal: Refused) -> bool:
        """One for each collation that the peer was told of, and one for each connection."""
        heard = self._deaf
        if refusal.relay_parent is not None:
            offer = self._offers[refusal.relay_parent]
            if peer not in offer.told:
                return False
            heard = offer.refused
        if peer in heard:
            return False
        heard[peer] = None
        return True

    def _distribute(self, relay_parent: Hash, collation: Collation) -> None:
        if relay_parent in self._offers:
            return
        offer = self._offers[relay_parent] = Offer(encode(collation))
        while len(self._offers) > MAX_OFFERS:
            self._offers.popitem(last=False)
        if (leaf := self.ctx.leaves.get(relay_parent)) is not None:
            self.ctx.spawn(relay_parent, lambda: self._advertise(leaf, offer), "advertise")

    def _serve(self, peer: PeerId, payload: bytes, reply: Reply[bytes | None]) -> None:
        try:
            fetch: CollationFetch = decode(CollationFetch, payload)
        except ScaleDecodeError:
            self.ctx.send(ReportPeer(peer, COST_MALFORMED))
            reply.answer(None)
            return
        offer = self._offers.get(fetch.relay_parent)
        if offer is None or fetch.para_id != self._para_id or not may_have(offer, peer):
            if offer is not None:
                # Without an offer the asker may just be late.
                self.ctx.send(ReportPeer(peer, COST_NO_OFFER))
            reply.answer(None)
            return
        offer.told[peer] += 1
        self.ctx.journal.record("collation.served", relay_parent=fetch.relay_parent, peer=peer)
        reply.answer(offer.payload)

    # Jobs

    async def _advertise(self, leaf: ActiveLeaf, offer: Offer) -> None:
        """Tell each validator of the group once it is connected and known for who it is."""
        group = leaf.assignments.group_keys(self._para_id)
        advert = _gossip(Advertise(leaf.hash, U32(len(offer.payload))))
        missing = len(group)
        while missing:
            peers = await self.ctx.ask(ResolveValidators(group))
            missing = len(group) - self._tell(leaf.hash, offer, peers, advert)
            await self.ctx.clock.sleep(RESOLVE_S)

    def _tell(
        self,
        relay_parent: Hash,
        offer: Offer,
        peers: Mapping[ValidatorId, PeerId],
        advert: bytes,
    ) -> int:
        """How many of the group's validators know of the offer now."""
        reachable = {peer: None for peer in peers.values() if peer in self._validators}
        new = tuple(peer for peer in reachable if peer not in offer.told)
        for peer in new:
            offer.told[peer] = 0
            self.ctx.journal.record("collation.advertised", relay_parent=relay_parent, peer=peer)
        if new:
            self.ctx.send(SendMessage(new, COLLATION, advert))
        return len(reachable)


def _gossip(message: CollationGossip) -> bytes:
    return encode(message, CollationGossip)
