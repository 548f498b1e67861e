"""Bitfield Distribution, protocol ``bitd`` (A94)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from functools import partial
from itertools import islice
from typing import Annotated, ClassVar

from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_DUPLICATE,
    COST_MALFORMED,
    COST_NO_VALIDATOR,
    COST_NOT_IN_VIEW,
    Acceptance,
    CatchingUp,
    GossipPeers,
    Verdict,
)
from parahost.node.messages.availability import BitfieldNetwork, DistributeBitfield
from parahost.node.messages.base import Message
from parahost.node.messages.network import (
    NetworkBridgeEvent,
    PeerDisconnected,
    PeerMessage,
    PeerSet,
    PeerViewChange,
    RegisterEventProducer,
    ReportPeer,
    ReputationChange,
    SendMessage,
)
from parahost.node.messages.signals import OverseerSignal, StartWork, StopWork
from parahost.node.messages.utility import ProvisionBitfield
from parahost.node.overseer import Context, Subsystem
from parahost.node.protocols import BITFIELD_DISTRIBUTION
from parahost.node.session import ChildSession
from parahost.ports import Verifier
from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import Hash, PeerId, ValidatorIndex
from parahost.primitives.scale import MaxLen, ScaleDecodeError, decode_once, encode
from parahost.primitives.values import dataclass

CATCH_UP_COPIES = 2
"""How many give a bitfield to a peer that comes late, on average: with 17 of 20 it has enough."""
MAX_BATCH = 64
"""Bitfields in one message: with the most cores that there may be, 7 KiB."""
COST_WRONG_LENGTH = ReputationChange(-50, "a bitfield that has not one bit for each core")


@dataclass(frozen=True, slots=True)
class BitfieldGossip:
    """Bitfields for one relay parent on the wire."""

    relay_parent: Hash
    bitfields: Annotated[tuple[SignedAvailabilityBitfield, ...], MaxLen(MAX_BATCH)]


def messages(
    relay_parent: Hash, bitfields: Sequence[SignedAvailabilityBitfield]
) -> Iterator[bytes]:
    """The payloads that bring these bitfields, in their order."""
    for first in range(0, len(bitfields), MAX_BATCH):
        yield encode(BitfieldGossip(relay_parent, tuple(bitfields[first : first + MAX_BATCH])))


@dataclass(slots=True)
class HeadState:
    """What we know of one head. ``known`` tells per peer the validators whose bitfield it has:
    true because it sent it to us, false because we sent it."""

    session: ChildSession
    cores: int
    bitfields: dict[ValidatorIndex, SignedAvailabilityBitfield] = field(default_factory=dict)
    known: dict[PeerId, dict[ValidatorIndex, bool]] = field(default_factory=dict)
    own: ValidatorIndex | None = None
    """Whose bitfield is ours."""

    def knows(self, peer: PeerId) -> dict[ValidatorIndex, bool]:
        return self.known.setdefault(peer, {})


def judge(
    head: HeadState,
    session: ChildSession,
    peer: PeerId,
    signed: SignedAvailabilityBitfield,
    verifier: Verifier,
) -> Verdict:
    """Whether a peer's bitfield for a head in our view is new and right. One per validator."""
    index = signed.validator_index
    if index >= len(session.validators):
        return Verdict(Acceptance.REJECT, COST_NO_VALIDATOR)
    if index in head.bitfields:
        # What crossed ours on its way is no fault; the same thing sent twice is.
        repeated = head.known.get(peer, {}).get(index, False)
        return Verdict(Acceptance.IGNORE, COST_DUPLICATE if repeated else None)
    if len(signed.bitfield) != head.cores:
        return Verdict(Acceptance.REJECT, COST_WRONG_LENGTH)
    if not verifier.sr25519(
        session.validators[index], signed.payload(session.signing), signed.signature
    ):
        return Verdict(Acceptance.REJECT, COST_BAD_SIGNATURE)
    return Verdict(Acceptance.ACCEPT, BENEFIT_NEW)


class BitfieldDistribution(Subsystem):
    """Gossip of availability votes among the nodes that work on the same heads."""

    name = "bitfield-distribution"
    receives = (BitfieldNetwork, DistributeBitfield)
    sends: ClassVar[tuple[type[Message], ...]] = (
        RegisterEventProducer,
        SendMessage,
        ReportPeer,
        ProvisionBitfield,
    )

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._peers = GossipPeers()
        self._heads: dict[Hash, HeadState] = {}
        self._catching_up = CatchingUp(self._catch_up)

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        ctx.send(RegisterEventProducer(BITFIELD_DISTRIBUTION, PeerSet.VALIDATION, BitfieldNetwork))
        ctx.spawn(None, partial(self._catching_up.run, ctx), "catch up")

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                self._heads[leaf.hash] = HeadState(leaf.session, len(leaf.cores))
            case StopWork(head):
                self._heads.pop(head, None)

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case BitfieldNetwork(event):
                self._on_network(event)
            case DistributeBitfield(head, signed):
                state = self._heads.get(head)
                if state is not None and signed.validator_index not in state.bitfields:
                    state.own = signed.validator_index
                    self._take(head, state, signed)
                    self._tell(head, state, (signed,), self._lacking(head, state, signed))

    def _on_network(self, event: NetworkBridgeEvent) -> None:
        for head in self._peers.note(event):
            state = self._heads.get(head)
            if isinstance(event, PeerViewChange) and state is not None:
                self._catching_up.add(event.peer, head, len(state.bitfields))
        match event:
            case PeerMessage(peer, payload):
                try:
                    gossip: BitfieldGossip = decode_once(BitfieldGossip, payload)
                except ScaleDecodeError:
                    self.ctx.send(ReportPeer(peer, COST_MALFORMED))
                    return
                for signed in gossip.bitfields:
                    self._on_bitfield(peer, gossip.relay_parent, signed)
            case PeerDisconnected(peer):
                for state in self._heads.values():
                    state.known.pop(peer, None)

    def _on_bitfield(self, peer: PeerId, head: Hash, signed: SignedAvailabilityBitfield) -> None:
        state = self._heads.get(head)
        if state is None:
            if not self._peers.lately_ours(head):
                self.ctx.send(ReportPeer(peer, COST_NOT_IN_VIEW))
            return
        verdict = judge(state, state.session, peer, signed, self._verifier)
        self._peers.report(self.ctx, peer, verdict.change)
        if verdict.acceptance is Acceptance.REJECT:
            return
        state.knows(peer)[signed.validator_index] = True
        if verdict.acceptance is Acceptance.ACCEPT:
            self._take(head, state, signed)
            if not signed.bitfield.count():
                return  # it tells nothing that anybody would miss
            validators = len(state.session.validators)
            few = self._peers.to_pass_on(
                self.ctx.random, validators, lambda peer: self._lacks(peer, head, state, signed)
            )
            self._tell(head, state, (signed,), few)

    # Routines

    def _take(self, head: Hash, state: HeadState, signed: SignedAvailabilityBitfield) -> None:
        state.bitfields[signed.validator_index] = signed
        self.ctx.send(ProvisionBitfield(head, signed))

    def _lacking(
        self, head: Hash, state: HeadState, signed: SignedAvailabilityBitfield
    ) -> list[PeerId]:
        return [peer for peer in self._peers.all() if self._lacks(peer, head, state, signed)]

    def _lacks(
        self, peer: PeerId, head: Hash, state: HeadState, signed: SignedAvailabilityBitfield
    ) -> bool:
        """Whether a peer works on the head and, as far as we know, has not got the bitfield."""
        if head not in self._peers.view(peer).heads:
            return False
        return signed.validator_index not in state.known.get(peer, ())

    def _tell(
        self,
        head: Hash,
        state: HeadState,
        bitfields: Sequence[SignedAvailabilityBitfield],
        peers: Sequence[PeerId],
    ) -> None:
        if not peers:
            return
        for peer in peers:
            for signed in bitfields:
                state.knows(peer).setdefault(signed.validator_index, False)
        for payload in messages(head, bitfields):
            self.ctx.send(SendMessage(tuple(peers), BITFIELD_DISTRIBUTION, payload))

    def _catch_up(self, peer: PeerId, head: Hash, messages: int) -> None:
        """A peer has begun to work on a head: give it what it has not got."""
        state = self._heads.get(head)
        if state is None or head not in self._peers.view(peer):
            return
        known = state.knows(peer)
        validators = len(state.session.validators)
        lacking = [
            signed
            for index, signed in islice(state.bitfields.items(), messages)
            if index not in known
            and (
                index == state.own
                or (
                    signed.bitfield.count()
                    and self._peers.repeats(self.ctx.random, validators, CATCH_UP_COPIES)
                )
            )
        ]
        self._tell(head, state, lacking, (peer,))
