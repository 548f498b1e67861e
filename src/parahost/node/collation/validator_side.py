"""Collation Distribution on a validator: hear collators' offers, and fetch (A97, A82, D17)."""

from __future__ import annotations

from collections import OrderedDict, deque
from dataclasses import dataclass, field

import trio

from parahost.node.collation.bans import CollatorBans
from parahost.node.collation.distribution import CollationDistribution
from parahost.node.collation.wire import (
    Advertise,
    CollationFetch,
    CollationGossip,
    Declare,
    Refused,
    broken_promise,
    declare_payload,
    fetch_time_s,
    refused,
)
from parahost.node.gossip import Acceptance, Verdict
from parahost.node.messages.backing import CollationAdvertised
from parahost.node.messages.base import Message
from parahost.node.messages.collation import (
    BanCollator,
    CollationNetwork,
    CollationRequested,
    ExplainToCollator,
    FetchCollation,
    NoteGoodCollation,
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
    SendMessage,
    SendRequest,
)
from parahost.node.messages.signals import OverseerSignal, StartWork, StopWork
from parahost.node.overseer import Context
from parahost.node.protocols import COLLATION, COLLATION_REQUEST
from parahost.ports import DatabaseError, RequestFailed, Verifier
from parahost.primitives.basic import CollatorId, Hash, ParaId, PeerId
from parahost.primitives.candidates import Collation
from parahost.primitives.scale import ScaleDecodeError, decode, encode

MAX_EARLY = 3
"""Advertisements kept per peer for relay parents that we do not know yet: a collator may have a
block before us."""
MAX_PAST = 32
"""Relay parents remembered for being over, so that who is a little late pays nothing."""

COST_MALFORMED = ReputationChange(-100, "a collation message that does not decode")
COST_BAD_DECLARATION = ReputationChange(-200, "a declaration that its collator did not sign")
COST_DECLARED_TWICE = ReputationChange(-50, "a second declaration")
COST_UNDECLARED = ReputationChange(-50, "an advertisement of an undeclared collator")
COST_AGAIN = ReputationChange(-20, "a second advertisement on one relay parent")
COST_TOO_LARGE = ReputationChange(-100, "advertises more bytes than a collation may have")
COST_NO_COLLATORS = ReputationChange(-50, "a refusal, which is not a collator's to send")
COST_UNKNOWN_HEADS = ReputationChange(-5, "advertises on relay parents that nobody knows")
COST_NOT_DELIVERED = ReputationChange(-20, "a collation that was advertised did not come in time")
COST_BROKEN_PROMISE = ReputationChange(-300, "a collation is not the one that was advertised")
BENEFIT_SECONDED = ReputationChange(50, "a collation that we seconded")
"""So that who is of use keeps its place among collators (:mod:`parahost.network.places`) for some
minutes, at a reputation that halves each minute."""


@dataclass(slots=True)
class CollatorPeer:
    """A peer of the collation peer set, and what it advertised: relay parent to bytes."""

    declared: Declare | None = None
    advertised: dict[Hash, int] = field(default_factory=dict)
    early: OrderedDict[Hash, Advertise] = field(default_factory=OrderedDict)


@dataclass(slots=True)
class Leaves:
    """The relay parents that we work on, and those that we did lately."""

    active: dict[Hash, None] = field(default_factory=dict)
    past: deque[Hash] = field(default_factory=lambda: deque(maxlen=MAX_PAST))


# Whether a message is acceptable: style, habit 8.


def judge_declaration(
    sender: CollatorPeer, peer: PeerId, declaration: Declare, verifier: Verifier
) -> Verdict[None]:
    """One for each connection, signed by the collator for this peer."""
    if sender.declared is not None:
        return Verdict(Acceptance.REJECT, COST_DECLARED_TWICE)
    payload = declare_payload(declaration.para_id, peer)
    if not verifier.sr25519(declaration.collator, payload, declaration.signature):
        return Verdict(Acceptance.REJECT, COST_BAD_DECLARATION)
    return Verdict(Acceptance.ACCEPT)


def judge_advertisement(sender: CollatorPeer, advert: Advertise, leaves: Leaves) -> Verdict[None]:
    """One for each relay parent that we work on. ``IGNORE`` without a cost is one that we may
    yet come to work on, or no longer do."""
    relay_parent = advert.relay_parent
    if sender.declared is None:
        return Verdict(Acceptance.REJECT, COST_UNDECLARED)
    if advert.size > COLLATION_REQUEST.max_response:
        return Verdict(Acceptance.REJECT, COST_TOO_LARGE)
    if relay_parent in sender.advertised or relay_parent in sender.early:
        return Verdict(Acceptance.REJECT, COST_AGAIN)
    if relay_parent in leaves.active:
        return Verdict(Acceptance.ACCEPT)
    if relay_parent not in leaves.past and len(sender.early) >= MAX_EARLY:
        return Verdict(Acceptance.IGNORE, COST_UNKNOWN_HEADS)
    return Verdict(Acceptance.IGNORE)


class ValidatorSide(CollationDistribution):
    """Tells Candidate Selection of what is on offer, and fetches what it wants to see."""

    def __init__(self, verifier: Verifier, bans: CollatorBans) -> None:
        self._verifier = verifier
        self._bans = bans
        self._peers: dict[PeerId, CollatorPeer] = {}
        self._leaves = Leaves()

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        ctx.send(RegisterEventProducer(COLLATION, PeerSet.COLLATION, CollationNetwork))
        ctx.send(RegisterRequestProducer(COLLATION_REQUEST, CollationRequested))

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                relay_parent = leaf.hash
                self._leaves.active[relay_parent] = None
                for peer, sender in self._peers.items():
                    if (advert := sender.early.pop(relay_parent, None)) is not None:
                        self._take(peer, sender, advert)
            case StopWork(relay_parent):
                self._leaves.active.pop(relay_parent, None)
                self._leaves.past.append(relay_parent)
                for sender in self._peers.values():
                    sender.advertised.pop(relay_parent, None)

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case CollationNetwork(event):
                self._on_network(event)
            case FetchCollation():
                self._fetch(message)
            case BanCollator(relay_parent, collator, reason):
                self._ban(relay_parent, collator, reason)
            case ExplainToCollator(relay_parent, peer, reason):
                self._tell(peer, refused(relay_parent, reason))
            case NoteGoodCollation(_, collator):
                self.ctx.journal.record("collation.good", collator=collator)
                for peer in self._peers_of(collator):
                    self.ctx.send(ReportPeer(peer, BENEFIT_SECONDED))
            case CollationRequested(reply=reply):
                reply.answer(None)

    def _on_network(self, event: NetworkBridgeEvent) -> None:
        match event:
            case PeerConnected(peer):
                self._peers[peer] = CollatorPeer()
            case PeerDisconnected(peer):
                self._peers.pop(peer, None)
            case PeerMessage(peer, payload) if (sender := self._peers.get(peer)) is not None:
                try:
                    gossip = decode(CollationGossip, payload)
                except ScaleDecodeError:
                    self.ctx.send(ReportPeer(peer, COST_MALFORMED))
                    return
                match gossip:
                    case Declare():
                        self._on_declaration(peer, sender, gossip)
                    case Advertise():
                        self._on_advertisement(peer, sender, gossip)
                    case Refused():
                        self.ctx.send(ReportPeer(peer, COST_NO_COLLATORS))

    def _on_declaration(self, peer: PeerId, sender: CollatorPeer, declaration: Declare) -> None:
        verdict = judge_declaration(sender, peer, declaration, self._verifier)
        self._report(peer, verdict)
        if verdict.acceptance is Acceptance.ACCEPT:
            sender.declared = declaration
            if (left_s := self._ban_left_s(declaration.collator)) > 0:
                self._tell(peer, refused(None, "an earlier collation was invalid", left_s))

    def _on_advertisement(self, peer: PeerId, sender: CollatorPeer, advert: Advertise) -> None:
        verdict = judge_advertisement(sender, advert, self._leaves)
        self._report(peer, verdict)
        if sender.declared is not None and self._ban_left_s(sender.declared.collator) > 0:
            return
        if verdict.acceptance is Acceptance.ACCEPT:
            self._take(peer, sender, advert)
        elif (
            verdict.acceptance is Acceptance.IGNORE and advert.relay_parent not in self._leaves.past
        ):
            sender.early[advert.relay_parent] = advert
            if len(sender.early) > MAX_EARLY:
                sender.early.popitem(last=False)

    def _take(self, peer: PeerId, sender: CollatorPeer, advert: Advertise) -> None:
        assert sender.declared is not None
        who = sender.declared
        sender.advertised[advert.relay_parent] = advert.size
        self.ctx.send(CollationAdvertised(advert.relay_parent, who.para_id, who.collator, peer))

    # Fetching

    def _fetch(self, message: FetchCollation) -> None:
        sender = self._peers.get(message.peer)
        size = None if sender is None else sender.advertised.get(message.relay_parent)

        async def fetch() -> None:
            assert size is not None
            message.reply.answer(await self._fetched(message, size))

        if size is None or not self.ctx.spawn(
            message.relay_parent, fetch, "fetch collation", message.reply
        ):
            message.reply.answer(None)

    async def _fetched(self, wanted: FetchCollation, size: int) -> Collation | None:
        payload = encode(CollationFetch(wanted.relay_parent, wanted.para_id))
        answer: bytes | RequestFailed | None = None
        with trio.move_on_after(fetch_time_s(size)):
            answer = await self.ctx.ask(SendRequest(wanted.peer, COLLATION_REQUEST, payload))
        if not isinstance(answer, bytes):
            why = "timeout" if answer is None else answer.why
            self._note_failure(wanted, COST_NOT_DELIVERED, why)
            return None
        collation = delivered(answer, size, wanted.relay_parent, wanted.para_id, wanted.collator)
        if isinstance(collation, str):
            self._note_failure(wanted, COST_BROKEN_PROMISE, collation)
            return None
        self.ctx.journal.record(
            "collation.fetched",
            candidate=collation.receipt.hash(),
            relay_parent=wanted.relay_parent,
            para=wanted.para_id,
            peer=wanted.peer,
            size=size,
        )
        return collation

    def _note_failure(self, wanted: FetchCollation, cost: ReputationChange, why: str) -> None:
        self.ctx.send(ReportPeer(wanted.peer, cost))
        self.ctx.journal.record(
            "collation.not_fetched",
            relay_parent=wanted.relay_parent,
            para=wanted.para_id,
            peer=wanted.peer,
            reason=why,
        )

    # Bans

    def _ban(self, relay_parent: Hash, collator: CollatorId, reason: str) -> None:
        """Its key is not heard for a time. Its node stays connected: it follows the chain, and
        hears why."""
        now = self.ctx.clock.now()
        try:
            self._bans.add(collator, now)
        except DatabaseError as error:
            self.ctx.journal.record("collation.ban_not_stored", reason=str(error))
        lasts_s = self._bans.left_s(collator, now)
        self.ctx.journal.record(
            "collation.banned",
            collator=collator,
            relay_parent=relay_parent,
            seconds=lasts_s,
            reason=reason,
        )
        for peer in self._peers_of(collator):
            self._peers[peer].advertised.clear()
            self._peers[peer].early.clear()
            self._tell(peer, refused(relay_parent, reason, lasts_s))

    def _ban_left_s(self, collator: CollatorId) -> float:
        return self._bans.left_s(collator, self.ctx.clock.now())

    def _tell(self, peer: PeerId, refusal: Refused) -> None:
        self.ctx.send(SendMessage((peer,), COLLATION, encode(refusal, CollationGossip)))

    def _peers_of(self, collator: CollatorId) -> list[PeerId]:
        return [
            peer
            for peer, sender in self._peers.items()
            if sender.declared is not None and sender.declared.collator == collator
        ]

    def _report(self, peer: PeerId, verdict: Verdict[None]) -> None:
        if verdict.change is not None:
            self.ctx.send(ReportPeer(peer, verdict.change))


def delivered(
    answer: bytes, size: int, relay_parent: Hash, para_id: ParaId, collator: CollatorId
) -> Collation | str:
    """The collation in an answer, or why it is not the one that was advertised."""
    if len(answer) != size:
        return f"it has {len(answer)} bytes, {size} were advertised"
    try:
        collation: Collation = decode(Collation, answer)
    except ScaleDecodeError as error:
        return f"it does not decode: {error}"
    return broken_promise(collation, relay_parent, para_id, collator) or collation
