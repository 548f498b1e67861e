"""Bitfield Distribution, protocol ``bitd`` (A94)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from parahost.node.availability.bitfield_rules import BitfieldRules, item_of, messages, read
from parahost.node.gossip import Gossip, GossipItem, Wire
from parahost.node.messages.availability import BitfieldNetwork, DistributeBitfield
from parahost.node.messages.base import Message
from parahost.node.messages.signals import OverseerSignal, StartWork, StopWork
from parahost.node.messages.utility import ProvisionBitfield
from parahost.node.overseer import Context, Subsystem
from parahost.node.own_signatures import Look, look_at_unplaced
from parahost.node.protocols import BITFIELD_DISTRIBUTION
from parahost.ports import Verifier
from parahost.primitives.availability import SignedAvailabilityBitfield
from parahost.primitives.basic import Hash, PeerId

COPIES = 2
"""How many give a bitfield to a peer that comes late, on average: with 17 of 20 it has enough."""


class BitfieldDistribution(Subsystem):
    """Gossip of availability votes among the nodes that work on the same leaves."""

    name = "bitfield-distribution"
    receives = (BitfieldNetwork, DistributeBitfield)
    sends: ClassVar[tuple[type[Message], ...]] = (*Gossip.SENDS, ProvisionBitfield)

    def __init__(self, verifier: Verifier, look: Look) -> None:
        """:param look: looks at what is said at heads that are not worked on here."""
        self._verifier = verifier
        self._look = look
        self._gossip = Gossip(
            Wire(BITFIELD_DISTRIBUTION, BitfieldNetwork, read, messages),
            self._on_news,
            copies=COPIES,
            on_unplaced=self._on_unplaced,
        )

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        self._gossip.start(ctx)

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                rules = BitfieldRules(leaf.session, len(leaf.cores), self._verifier)
                self._gossip.open(leaf.hash, leaf.number, rules, len(leaf.session.validators))
            case StopWork(relay_parent):
                self._gossip.close(relay_parent)

    def on_message(self, message: Message) -> None:
        match message:
            case BitfieldNetwork(event):
                self._gossip.on_event(event)
            case DistributeBitfield(relay_parent, signed):
                if self._gossip.publish(relay_parent, item_of(signed)):
                    self.ctx.send(ProvisionBitfield(relay_parent, signed))

    def _on_unplaced(
        self, head: Hash, items: Sequence[GossipItem[SignedAvailabilityBitfield]]
    ) -> None:
        said = (item.content for item in items)
        look_at_unplaced(self._look, self.ctx.leaves.values(), head, said)

    def _on_news(
        self, relay_parent: Hash, signed: SignedAvailabilityBitfield, peer: PeerId
    ) -> None:
        self.ctx.send(ProvisionBitfield(relay_parent, signed))
