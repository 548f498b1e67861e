"""Statement Distribution, protocol ``stmd`` (A83-A87).

Each candidate has the guide's state machine: unknown (A) until its first ``Seconded``, open (B)
while its relay parent is worked on, closed (C) afterwards. A message on what is closed is dropped
without blame, for its sender may not have heard yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from parahost.node.backing.statement_rules import Heard, StatementRules, item_of
from parahost.node.backing.statement_wire import (
    ContradictionProof,
    StatementMessage,
    StatementOnWire,
    messages,
    read,
)
from parahost.node.gossip import Gossip, GossipItem, Wire
from parahost.node.messages.backing import (
    NoteStatement,
    PoVPeerGone,
    Share,
    StatementNetwork,
    StatementReceived,
)
from parahost.node.messages.base import Message
from parahost.node.messages.network import PeerDisconnected
from parahost.node.messages.signals import OverseerSignal, StartWork, StopWork
from parahost.node.messages.utility import ReportMisbehavior
from parahost.node.overseer import Context, Subsystem
from parahost.node.own_signatures import Look, look_at_unplaced
from parahost.node.protocols import STATEMENT_DISTRIBUTION
from parahost.ports import Verifier
from parahost.primitives.basic import Hash, PeerId
from parahost.primitives.misbehavior import Contradiction
from parahost.primitives.scale import ScaleEncodeError, encode, read_once
from parahost.primitives.statements import Invalid, Seconded, SignedStatement


@read_once
def _read(payload: bytes) -> tuple[Hash, tuple[GossipItem[StatementMessage], ...]]:
    relay_parent, said = read(payload)
    return relay_parent, tuple(map(item_of, said))


class StatementDistribution(Subsystem):
    """Gossip of statements among the nodes that work on the same leaves."""

    name = "statement-distribution"
    receives = (StatementNetwork, Share)
    sends: ClassVar[tuple[type[Message], ...]] = (
        *Gossip.SENDS,
        StatementReceived,
        ReportMisbehavior,
        NoteStatement,
        PoVPeerGone,
    )

    def __init__(self, verifier: Verifier, look: Look) -> None:
        """:param look: looks at what is said at heads that are not worked on here."""
        self._verifier = verifier
        self._look = look
        self._leaves: dict[Hash, StatementRules] = {}
        wire = Wire(STATEMENT_DISTRIBUTION, StatementNetwork, _read, messages)
        self._gossip: Gossip[StatementMessage, Heard] = Gossip(
            wire, self._on_news, on_unplaced=self._on_unplaced
        )

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        self._gossip.start(ctx)

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                rules = StatementRules(leaf.assignments, self._verifier)
                self._leaves[leaf.hash] = rules
                self._gossip.open(leaf.hash, leaf.number, rules, len(leaf.session.validators))
            case StopWork(relay_parent):
                self._leaves.pop(relay_parent, None)
                self._gossip.close(relay_parent)

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case StatementNetwork(event):
                self._gossip.on_event(event)
                if isinstance(event, PeerDisconnected):
                    self.ctx.send(PoVPeerGone(event.peer))
            case Share(relay_parent, signed):
                self._on_share(relay_parent, signed)

    def _on_share(self, relay_parent: Hash, signed: SignedStatement) -> None:
        """Our own statement: everybody who works on the leaf is to have it."""
        try:
            said = StatementOnWire.of(signed)
            encode(said)
        except ScaleEncodeError as error:  # admission should not have let it through
            candidate = signed.statement.candidate_hash()
            self.ctx.journal.record("statement.too_large", candidate=candidate, reason=str(error))
            return
        if self._gossip.publish(relay_parent, item_of(said)):
            self._leaves[relay_parent].take(signed)

    def _on_unplaced(self, head: Hash, items: Sequence[GossipItem[StatementMessage]]) -> None:
        said = (each.content for each in items if isinstance(each.content, StatementOnWire))
        look_at_unplaced(self._look, self.ctx.leaves.values(), head, said)

    def _on_news(self, relay_parent: Hash, heard: Heard, peer: PeerId) -> None:
        if isinstance(heard, SignedStatement):
            self._on_statement(relay_parent, heard, peer)
        else:
            self._report(relay_parent, heard)

    def _on_statement(self, relay_parent: Hash, signed: SignedStatement, peer: PeerId) -> None:
        """Something new and right: to Backing, and to those who fetch PoVs."""
        for found in self._leaves[relay_parent].take(signed):
            self._expose(relay_parent, found)
        self.ctx.send(StatementReceived(relay_parent, signed))
        said, author = signed.statement, signed.validator_index
        if not isinstance(said, Invalid):
            seconded = isinstance(said, Seconded)
            self.ctx.send(
                NoteStatement(relay_parent, said.candidate_hash(), author, peer, seconded)
            )

    # Routines

    def _expose(self, relay_parent: Hash, found: Contradiction) -> None:
        """We have seen a validator contradict itself. It need not have shown both statements to
        anybody else, so all are told, unless one was told before."""
        if self._gossip.publish(
            relay_parent, item_of(ContradictionProof(relay_parent, found.first, found.second))
        ):
            self._report(relay_parent, found)

    def _report(self, relay_parent: Hash, found: Contradiction) -> None:
        self.ctx.journal.record(
            "statement.contradiction",
            relay_parent=relay_parent,
            candidate=found.second.statement.candidate_hash(),
            other=found.first.statement.candidate_hash(),
            validator=found.second.validator_index,
            kind=type(found).__name__,
        )
        self.ctx.send(ReportMisbehavior(found))
