"""Statement Distribution, protocol ``stmd`` (A83-A87).

Each candidate has the guide's state machine: unknown (A) until its first ``Seconded``, open (B)
while its relay parent is worked on, closed (C) afterwards. A message on what is closed is dropped
without blame, for its sender may not have heard yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import field
from typing import ClassVar

from parahost.node.backing.assignments import Assignments, learn_assignments
from parahost.node.backing.statement_table import MAX_SECONDED, Contradiction, contradictions
from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_DUPLICATE,
    COST_MALFORMED,
    COST_NO_VALIDATOR,
    COST_NOT_IN_VIEW,
    Acceptance,
    GossipPeers,
    Verdict,
)
from parahost.node.messages.backing import (
    NoteStatement,
    PoVPeerGone,
    Share,
    StatementNetwork,
    StatementReceived,
)
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
from parahost.node.messages.utility import ReportMisbehavior, RuntimeCall
from parahost.node.overseer import Context, Subsystem
from parahost.node.protocols import STATEMENT_DISTRIBUTION
from parahost.ports import Verifier
from parahost.primitives.basic import CandidateHash, Hash, PeerId, ValidatorIndex
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.scale import ScaleDecodeError, decode_once, encode
from parahost.primitives.statements import Invalid, Seconded, SignedStatement, Statement
from parahost.primitives.values import dataclass

MAX_WAITING = 256
"""Statements kept for a head whose assignments are still being looked up."""
CLOSED_HEADS = 32
"""Heads that are remembered after work on them has stopped."""

COST_WRONG_RELAY_PARENT = ReputationChange(-100, "a candidate made for another relay parent")
COST_NOT_ASSIGNED = ReputationChange(-50, "from a validator that is not assigned to the para")
COST_UNKNOWN_CANDIDATE = ReputationChange(-5, "a statement on a candidate before its Seconded")
COST_FLOOD = ReputationChange(-100, "more candidates of one validator than prove its guilt")


@dataclass(frozen=True, slots=True)
class StatementGossip:
    """On the wire."""

    relay_parent: Hash
    statement: SignedStatement


@dataclass(frozen=True, slots=True)
class StatementId:
    """Who says what of which candidate."""

    candidate: CandidateHash
    kind: type[Statement]
    validator: ValidatorIndex

    @classmethod
    def of(cls, signed: SignedStatement) -> StatementId:
        return cls(
            signed.statement.candidate_hash(), type(signed.statement), signed.validator_index
        )


@dataclass(slots=True)
class PeerKnowledge:
    """What a peer has, because it sent it to us or we to it (A86)."""

    statements: dict[StatementId, bool] = field(default_factory=dict)
    """The value tells whether the peer sent it to us."""
    candidates: dict[CandidateHash, None] = field(default_factory=dict)
    """Those whose ``Seconded`` is among them."""
    seconded: dict[ValidatorIndex, int] = field(default_factory=dict)
    """How many candidates seconded by whom the peer has sent to us."""

    def note(self, known: StatementId, from_peer: bool) -> None:
        self.statements[known] = from_peer or self.statements.get(known, False)
        if known.kind is Seconded:
            self.candidates[known.candidate] = None
            if from_peer:
                self.seconded[known.validator] = self.seconded.get(known.validator, 0) + 1


@dataclass(slots=True)
class HeadState:
    """What we know at one head. Statements are in the order of their arrival, so that a
    ``Seconded`` stands before what depends on it."""

    assignments: Assignments | None = None
    candidates: dict[CandidateHash, CandidateReceipt] = field(default_factory=dict)
    statements: dict[StatementId, SignedStatement] = field(default_factory=dict)
    by_validator: dict[ValidatorIndex, list[SignedStatement]] = field(default_factory=dict)
    equivocators: dict[ValidatorIndex, None] = field(default_factory=dict)
    known: dict[PeerId, PeerKnowledge] = field(default_factory=dict)
    own: dict[StatementId, None] = field(default_factory=dict)
    """Those that this node has made."""
    waiting: list[tuple[PeerId, SignedStatement]] = field(default_factory=list)

    def knows(self, peer: PeerId) -> PeerKnowledge:
        return self.known.setdefault(peer, PeerKnowledge())

    def take(self, known: StatementId, signed: SignedStatement) -> None:
        if isinstance(signed.statement, Seconded):
            self.candidates.setdefault(known.candidate, signed.statement.candidate.to_plain())
        self.statements[known] = signed
        self.by_validator.setdefault(known.validator, []).append(signed)


def judge(
    head: HeadState,
    assignments: Assignments,
    peer: PeerId,
    signed: SignedStatement,
    verifier: Verifier,
) -> Verdict:
    """Whether a peer's statement at a head in our view is new, in order, and right (A83-A87)."""
    known = StatementId.of(signed)
    knowledge = head.known.get(peer, PeerKnowledge())
    statement, author = signed.statement, signed.validator_index
    if author >= len(assignments.session.validators):
        return Verdict(Acceptance.REJECT, COST_NO_VALIDATOR)
    if knowledge.statements.get(known, False):
        return Verdict(Acceptance.IGNORE, COST_DUPLICATE)
    if isinstance(statement, Seconded):
        if statement.candidate.descriptor.relay_parent != assignments.session.signing.parent_hash:
            return Verdict(Acceptance.REJECT, COST_WRONG_RELAY_PARENT)
        if knowledge.seconded.get(author, 0) >= MAX_SECONDED:
            return Verdict(Acceptance.REJECT, COST_FLOOD)
        para = statement.candidate.descriptor.para_id
    elif known.candidate in head.candidates:
        para = head.candidates[known.candidate].descriptor.para_id
    elif known.candidate in knowledge.candidates:
        return Verdict(Acceptance.IGNORE)  # the peer did send the Seconded, of an equivocator
    else:
        return Verdict(Acceptance.REJECT, COST_UNKNOWN_CANDIDATE)
    if author not in assignments.group(para):
        return Verdict(Acceptance.REJECT, COST_NOT_ASSIGNED)
    if known in head.statements or author in head.equivocators:
        return Verdict(Acceptance.IGNORE)
    if not verifier.sr25519(
        assignments.session.validators[author],
        signed.payload(assignments.session.signing),
        signed.signature,
    ):
        return Verdict(Acceptance.REJECT, COST_BAD_SIGNATURE)
    return Verdict(Acceptance.ACCEPT, BENEFIT_NEW)


class StatementDistribution(Subsystem):
    """Gossip of statements among the nodes that work on the same heads."""

    name = "statement-distribution"
    receives = (StatementNetwork, Share)
    sends: ClassVar[tuple[type[Message], ...]] = (
        RegisterEventProducer,
        SendMessage,
        ReportPeer,
        RuntimeCall,
        StatementReceived,
        ReportMisbehavior,
        NoteStatement,
        PoVPeerGone,
    )

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._peers = GossipPeers()
        self._heads: dict[Hash, HeadState] = {}
        self._closed: deque[Hash] = deque(maxlen=CLOSED_HEADS)

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        ctx.send(
            RegisterEventProducer(STATEMENT_DISTRIBUTION, PeerSet.VALIDATION, StatementNetwork)
        )

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(head):
                state = self._heads[head] = HeadState()
                self.ctx.spawn(head, lambda: self._learn(head, state), "learn assignments")
            case StopWork(head):
                if self._heads.pop(head, None) is not None:
                    self._closed.append(head)

    async def _learn(self, head: Hash, state: HeadState) -> None:
        state.assignments = await learn_assignments(self.ctx, head)
        waiting, state.waiting = state.waiting, []
        for peer, signed in waiting:
            self._on_statement(peer, head, signed)

    # Handlers

    def on_message(self, message: Message) -> None:
        match message:
            case StatementNetwork(event):
                self._on_network(event)
            case Share(head, signed):
                self._on_share(head, signed)

    def _on_share(self, head: Hash, signed: SignedStatement) -> None:
        """Our own statement: everybody who works on the head is to have it."""
        state = self._heads.get(head)
        known = StatementId.of(signed)
        if state is None or not (known.kind is Seconded or known.candidate in state.candidates):
            return
        if known not in state.statements:
            state.take(known, signed)
        state.own[known] = None
        self._tell(head, state, known, self._lacking(head, state, known))

    def _on_network(self, event: NetworkBridgeEvent) -> None:
        self._peers.note(event)
        match event:
            case PeerMessage(peer, payload):
                try:
                    gossip = decode_once(StatementGossip, payload)
                except ScaleDecodeError:
                    self.ctx.send(ReportPeer(peer, COST_MALFORMED))
                    return
                self._on_statement(peer, gossip.relay_parent, gossip.statement)
            case PeerViewChange(peer, view):
                for head in view.heads:
                    self._catch_up(peer, head)
            case PeerDisconnected(peer):
                for state in self._heads.values():
                    state.known.pop(peer, None)
                self.ctx.send(PoVPeerGone(peer))

    def _on_statement(self, peer: PeerId, head: Hash, signed: SignedStatement) -> None:
        state = self._heads.get(head)
        if state is None:
            if head not in self._closed:
                self.ctx.send(ReportPeer(peer, COST_NOT_IN_VIEW))
            return
        if state.assignments is None:
            if len(state.waiting) < MAX_WAITING:
                state.waiting.append((peer, signed))
            return
        verdict = judge(state, state.assignments, peer, signed, self._verifier)
        self._peers.report(self.ctx, peer, verdict.change)
        if verdict.acceptance is Acceptance.REJECT:
            return
        known = StatementId.of(signed)
        is_of_use = known.kind is Seconded or known.candidate in state.candidates
        if is_of_use and verdict.change is not COST_DUPLICATE:
            state.knows(peer).note(known, from_peer=True)
        if verdict.acceptance is Acceptance.ACCEPT:
            self._accept(head, state, peer, signed)

    # Routines

    def _accept(self, head: Hash, state: HeadState, peer: PeerId, signed: SignedStatement) -> None:
        """Something new and right: to Backing, to those who fetch PoVs, to a few more peers. What
        proves a contradiction goes the same way, and is the last that is heard of its author."""
        known = StatementId.of(signed)
        earlier = tuple(state.by_validator.get(known.validator, ()))
        state.take(known, signed)
        candidate = state.candidates[known.candidate]
        for found in contradictions(head, candidate, earlier, signed):
            self._report(head, known, found)
            state.equivocators[known.validator] = None
        self.ctx.send(StatementReceived(head, signed))
        if known.kind is not Invalid:
            self.ctx.send(
                NoteStatement(head, known.candidate, known.validator, peer, known.kind is Seconded)
            )
        validators = len(state.assignments.session.validators) if state.assignments else 0
        few = self._peers.to_pass_on(
            self.ctx.random, validators, lambda peer: self._lacks(peer, head, state, known)
        )
        self._tell(head, state, known, few)

    def _report(self, head: Hash, known: StatementId, found: Contradiction) -> None:
        self.ctx.journal.record(
            "statement.contradiction",
            relay_parent=head,
            candidate=known.candidate,
            validator=known.validator,
            kind=type(found).__name__,
        )
        self.ctx.send(ReportMisbehavior(found))

    def _lacking(self, head: Hash, state: HeadState, known: StatementId) -> list[PeerId]:
        return [peer for peer in self._peers.all() if self._lacks(peer, head, state, known)]

    def _lacks(self, peer: PeerId, head: Hash, state: HeadState, known: StatementId) -> bool:
        """Whether a peer works on the head and, as far as we know, has not got the statement."""
        if head not in self._peers.view(peer).heads:
            return False
        knowledge = state.known.get(peer)
        return knowledge is None or known not in knowledge.statements

    def _tell(
        self, head: Hash, state: HeadState, known: StatementId, peers: Sequence[PeerId]
    ) -> None:
        """Send a statement, and before it the ``Seconded`` to those who lack it (A86)."""
        if not peers:
            return
        if known.kind is not Seconded:
            ignorant = [p for p in peers if known.candidate not in state.knows(p).candidates]
            introduction = next(
                other
                for other in state.statements
                if other.candidate == known.candidate and other.kind is Seconded
            )
            self._tell(head, state, introduction, ignorant)
        for peer in peers:
            state.knows(peer).note(known, from_peer=False)
        payload = encode(StatementGossip(head, state.statements[known]))
        self.ctx.send(SendMessage(tuple(peers), STATEMENT_DISTRIBUTION, payload))

    def _catch_up(self, peer: PeerId, head: Hash) -> None:
        """A peer has begun to work on a head: give it what it has not got."""
        state = self._heads.get(head)
        if state is None:
            return
        validators = len(state.assignments.session.validators) if state.assignments else 0
        for known in state.statements:
            if known not in state.knows(peer).statements and (
                known in state.own or self._peers.repeats(self.ctx.random, validators)
            ):
                self._tell(head, state, known, (peer,))
