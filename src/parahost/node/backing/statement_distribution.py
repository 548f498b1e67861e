"""Statement Distribution, protocol ``stmd`` (A83-A87).

Each candidate has the guide's state machine: unknown (A) until its first ``Seconded``, open (B)
while its relay parent is worked on, closed (C) afterwards. A message on what is closed is dropped
without blame, for its sender may not have heard yet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import field
from functools import partial
from itertools import islice
from typing import ClassVar

from parahost.node.backing.assignments import Assignments
from parahost.node.backing.statement_table import MAX_SECONDED, contradictions
from parahost.node.backing.statement_wire import (
    Proof,
    SecondedOnWire,
    StatementGossip,
    StatementOnWire,
    messages,
)
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
from parahost.node.messages.utility import ReportMisbehavior
from parahost.node.overseer import Context, Subsystem
from parahost.node.protocols import STATEMENT_DISTRIBUTION
from parahost.ports import Verifier
from parahost.primitives.basic import CandidateHash, Hash, PeerId, ValidatorIndex
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.misbehavior import Contradiction, contradiction
from parahost.primitives.scale import ScaleDecodeError, ScaleEncodeError, decode_once, encode
from parahost.primitives.statements import (
    Invalid,
    Seconded,
    SignedCompactStatement,
    SignedStatement,
    Statement,
)
from parahost.primitives.values import dataclass

CLOSED_HEADS = 32
"""Heads that are remembered after work on them has stopped."""

COST_WRONG_RELAY_PARENT = ReputationChange(-100, "a candidate made for another relay parent")
COST_NOT_ASSIGNED = ReputationChange(-50, "from a validator that is not assigned to the para")
COST_UNKNOWN_CANDIDATE = ReputationChange(-5, "a statement on a candidate before its Seconded")
COST_FLOOD = ReputationChange(-100, "more candidates of one validator than prove its guilt")
COST_WRONG_COMMITMENTS = ReputationChange(-100, "commitments that are not those of the receipt")
COST_NO_PROOF = ReputationChange(-100, "statements that do not contradict each other")


@dataclass(frozen=True, slots=True)
class StatementId:
    """Who says what of which candidate."""

    candidate: CandidateHash
    kind: type[Statement]
    validator: ValidatorIndex

    @classmethod
    def of(cls, signed: SignedStatement | StatementOnWire) -> StatementId:
        kind = signed.kind if isinstance(signed, StatementOnWire) else type(signed.statement)
        return cls(signed.statement.candidate_hash(), kind, signed.validator_index)


@dataclass(slots=True)
class PeerKnowledge:
    """What a peer has, because it sent it to us or we to it (A86)."""

    statements: dict[StatementId, bool] = field(default_factory=dict)
    """The value tells whether the peer sent it to us."""
    candidates: dict[CandidateHash, None] = field(default_factory=dict)
    """Those whose ``Seconded`` is among them."""
    seconded: dict[ValidatorIndex, int] = field(default_factory=dict)
    """How many candidates seconded by whom the peer has sent to us."""
    proofs: dict[ValidatorIndex, bool] = field(default_factory=dict)
    """Whose guilt the peer knows; true when it told us."""

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

    relay_parent: Hash
    assignments: Assignments
    candidates: dict[CandidateHash, CandidateReceipt] = field(default_factory=dict)
    statements: dict[StatementId, SignedStatement] = field(default_factory=dict)
    by_validator: dict[ValidatorIndex, list[SignedStatement]] = field(default_factory=dict)
    equivocators: dict[ValidatorIndex, None] = field(default_factory=dict)
    """Those of whom we took two statements that contradict each other, and take no more."""
    proofs: dict[ValidatorIndex, Contradiction] = field(default_factory=dict)
    """What proves the guilt of whom: the first that we saw or were told."""
    known: dict[PeerId, PeerKnowledge] = field(default_factory=dict)
    own: dict[StatementId, None] = field(default_factory=dict)
    """Those that this node has made."""

    @property
    def validators(self) -> int:
        """How many the session has."""
        return len(self.assignments.session.validators)

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
    signed: StatementOnWire,
    verifier: Verifier,
) -> Verdict:
    """Whether a peer's statement at a head in our view is new, in order, and signed (A83-A87).
    Commitments are not looked at."""
    known = StatementId.of(signed)
    knowledge = head.known.get(peer, PeerKnowledge())
    statement, author = signed.statement, signed.validator_index
    if author >= len(assignments.session.validators):
        return Verdict(Acceptance.REJECT, COST_NO_VALIDATOR)
    if knowledge.statements.get(known, False):
        return Verdict(Acceptance.IGNORE, COST_DUPLICATE)
    if isinstance(statement, SecondedOnWire):
        if statement.receipt.descriptor.relay_parent != assignments.session.signing.parent_hash:
            return Verdict(Acceptance.REJECT, COST_WRONG_RELAY_PARENT)
        if knowledge.seconded.get(author, 0) >= MAX_SECONDED:
            return Verdict(Acceptance.REJECT, COST_FLOOD)
        para = statement.receipt.descriptor.para_id
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
    if not _is_signed(assignments, signed, verifier):
        return Verdict(Acceptance.REJECT, COST_BAD_SIGNATURE)
    return Verdict(Acceptance.ACCEPT, BENEFIT_NEW)


def judge_proof(
    head: HeadState, assignments: Assignments, peer: PeerId, proof: Proof, verifier: Verifier
) -> Verdict:
    """Whether what a peer says of a validator's guilt is new, and a proof (A109). One of each
    validator at a head is enough."""
    author = proof.first.validator_index
    if author >= len(assignments.session.validators):
        return Verdict(Acceptance.REJECT, COST_NO_VALIDATOR)
    if author in head.proofs:
        repeated = head.known.get(peer, PeerKnowledge()).proofs.get(author, False)
        return Verdict(Acceptance.IGNORE, COST_DUPLICATE if repeated else None)
    if contradiction(assignments.session.signing, proof.first, proof.second) is None:
        return Verdict(Acceptance.REJECT, COST_NO_PROOF)
    if not all(_is_signed(assignments, each, verifier) for each in (proof.first, proof.second)):
        return Verdict(Acceptance.REJECT, COST_BAD_SIGNATURE)
    return Verdict(Acceptance.ACCEPT, BENEFIT_NEW)


def _is_signed(
    assignments: Assignments,
    signed: StatementOnWire | SignedCompactStatement,
    verifier: Verifier,
) -> bool:
    session = assignments.session
    return verifier.sr25519(
        session.validators[signed.validator_index],
        signed.payload(session.signing),
        signed.signature,
    )


class StatementDistribution(Subsystem):
    """Gossip of statements among the nodes that work on the same heads."""

    name = "statement-distribution"
    receives = (StatementNetwork, Share)
    sends: ClassVar[tuple[type[Message], ...]] = (
        RegisterEventProducer,
        SendMessage,
        ReportPeer,
        StatementReceived,
        ReportMisbehavior,
        NoteStatement,
        PoVPeerGone,
    )

    def __init__(self, verifier: Verifier) -> None:
        self._verifier = verifier
        self._peers = GossipPeers()
        self._heads: dict[Hash, HeadState] = {}
        self._catching_up = CatchingUp(self._catch_up)
        self._closed: deque[Hash] = deque(maxlen=CLOSED_HEADS)

    def start(self, ctx: Context) -> None:
        super().start(ctx)
        ctx.send(
            RegisterEventProducer(STATEMENT_DISTRIBUTION, PeerSet.VALIDATION, StatementNetwork)
        )
        ctx.spawn(None, partial(self._catching_up.run, ctx), "catch up")

    # Signals

    def on_signal(self, signal: OverseerSignal) -> None:
        match signal:
            case StartWork(leaf):
                self._heads[leaf.hash] = HeadState(leaf.hash, leaf.assignments)
            case StopWork(head):
                if self._heads.pop(head, None) is not None:
                    self._closed.append(head)

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
        try:
            encode(StatementOnWire.of(signed))
        except ScaleEncodeError as error:  # admission should not have let it through
            self.ctx.journal.record(
                "statement.too_large", candidate=known.candidate, reason=str(error)
            )
            return
        if known not in state.statements:
            state.take(known, signed)
        state.own[known] = None
        self._tell(state, known, self._lacking(state, known))

    def _on_network(self, event: NetworkBridgeEvent) -> None:
        for head in self._peers.note(event):
            state = self._heads.get(head)
            if isinstance(event, PeerViewChange) and state is not None:
                self._catching_up.add(event.peer, head, len(state.statements) + len(state.proofs))
        match event:
            case PeerMessage(peer, payload):
                self._on_payload(peer, payload)
            case PeerDisconnected(peer):
                for state in self._heads.values():
                    state.known.pop(peer, None)
                self.ctx.send(PoVPeerGone(peer))

    def _on_payload(self, peer: PeerId, payload: bytes) -> None:
        try:
            gossip: StatementGossip = decode_once(StatementGossip, payload)
        except ScaleDecodeError:
            self.ctx.send(ReportPeer(peer, COST_MALFORMED))
            return
        state = self._heads.get(gossip.relay_parent)
        if state is None:
            if gossip.relay_parent not in self._closed:
                self.ctx.send(ReportPeer(peer, COST_NOT_IN_VIEW))
        else:
            self._on_gossip(peer, state, state.assignments, gossip)

    def _on_gossip(
        self, peer: PeerId, state: HeadState, assignments: Assignments, gossip: StatementGossip
    ) -> None:
        if isinstance(gossip, Proof):
            self._on_proof(peer, state, assignments, gossip)
            return
        for signed in gossip.statements:
            self._on_statement(peer, state, assignments, signed)

    def _on_statement(
        self, peer: PeerId, state: HeadState, assignments: Assignments, signed: StatementOnWire
    ) -> None:
        verdict = judge(state, assignments, peer, signed, self._verifier)
        taken: SignedStatement | None = None
        if verdict.acceptance is Acceptance.ACCEPT and (taken := signed.read()) is None:
            verdict = Verdict(Acceptance.REJECT, COST_WRONG_COMMITMENTS)
        self._peers.report(self.ctx, peer, verdict.change)
        if verdict.acceptance is Acceptance.REJECT:
            return
        known = StatementId.of(signed)
        is_of_use = known.kind is Seconded or known.candidate in state.candidates
        if is_of_use and verdict.change is not COST_DUPLICATE:
            state.knows(peer).note(known, from_peer=True)
        if taken is not None:
            self._accept(state, assignments, peer, taken)

    def _on_proof(
        self, peer: PeerId, state: HeadState, assignments: Assignments, proof: Proof
    ) -> None:
        verdict = judge_proof(state, assignments, peer, proof, self._verifier)
        self._peers.report(self.ctx, peer, verdict.change)
        if verdict.acceptance is Acceptance.REJECT:
            return
        author = proof.first.validator_index
        state.knows(peer).proofs[author] = True
        found = contradiction(assignments.session.signing, proof.first, proof.second)
        if verdict.acceptance is Acceptance.ACCEPT and found is not None:
            self._report(state, found)
            few = self._peers.to_pass_on(
                self.ctx.random,
                state.validators,
                lambda other: self._lacks_proof(other, state, author),
            )
            self._tell_proof(state, author, few)

    # Routines

    def _accept(
        self, state: HeadState, assignments: Assignments, peer: PeerId, signed: SignedStatement
    ) -> None:
        """Something new and right: to Backing, to those who fetch PoVs, to a few more peers. What
        proves a contradiction goes the same way, and is the last that is heard of its author."""
        head, known = state.relay_parent, StatementId.of(signed)
        earlier = tuple(state.by_validator.get(known.validator, ()))
        state.take(known, signed)
        for found in contradictions(assignments.session.signing, earlier, signed):
            state.equivocators[known.validator] = None
            self._expose(state, found)
        self.ctx.send(StatementReceived(head, signed))
        if known.kind is not Invalid:
            self.ctx.send(
                NoteStatement(head, known.candidate, known.validator, peer, known.kind is Seconded)
            )
        few = self._peers.to_pass_on(
            self.ctx.random, state.validators, lambda other: self._lacks(other, state, known)
        )
        self._tell(state, known, few)

    def _expose(self, state: HeadState, found: Contradiction) -> None:
        """We have seen a validator contradict itself. It need not have shown both statements to
        anybody else, so all are told who have not been told yet."""
        author = found.first.validator_index
        if author in state.proofs:
            return
        self._report(state, found)
        lacking = [p for p in self._peers.all() if self._lacks_proof(p, state, author)]
        self._tell_proof(state, author, lacking)

    def _report(self, state: HeadState, found: Contradiction) -> None:
        state.proofs[found.first.validator_index] = found
        self.ctx.journal.record(
            "statement.contradiction",
            relay_parent=state.relay_parent,
            candidate=found.second.statement.candidate_hash(),
            validator=found.second.validator_index,
            kind=type(found).__name__,
        )
        self.ctx.send(ReportMisbehavior(found))

    def _lacking(self, state: HeadState, known: StatementId) -> list[PeerId]:
        return [peer for peer in self._peers.all() if self._lacks(peer, state, known)]

    def _lacks(self, peer: PeerId, state: HeadState, known: StatementId) -> bool:
        """Whether a peer works on the head and, as far as we know, has not got the statement."""
        if state.relay_parent not in self._peers.view(peer).heads:
            return False
        knowledge = state.known.get(peer)
        return knowledge is None or known not in knowledge.statements

    def _lacks_proof(self, peer: PeerId, state: HeadState, author: ValidatorIndex) -> bool:
        """Likewise, of the proof of a validator's guilt."""
        if state.relay_parent not in self._peers.view(peer).heads:
            return False
        knowledge = state.known.get(peer)
        return knowledge is None or author not in knowledge.proofs

    def _tell(self, state: HeadState, known: StatementId, peers: Sequence[PeerId]) -> None:
        """Send a statement, and before it the ``Seconded`` to those who lack it (A86)."""
        if known.kind is not Seconded:
            ignorant = [p for p in peers if known.candidate not in state.knows(p).candidates]
            self._send(state, (_introduction(state, known),), ignorant)
        self._send(state, (known,), peers)

    def _tell_proof(
        self, state: HeadState, author: ValidatorIndex, peers: Sequence[PeerId]
    ) -> None:
        if not peers:
            return
        for peer in peers:
            state.knows(peer).proofs.setdefault(author, False)
        found = state.proofs[author]
        proof = Proof(state.relay_parent, found.first, found.second)
        payload = encode(proof, StatementGossip)
        self.ctx.send(SendMessage(tuple(peers), STATEMENT_DISTRIBUTION, payload))

    def _send(
        self, state: HeadState, statements: Sequence[StatementId], peers: Sequence[PeerId]
    ) -> None:
        """Send statements in this order, in as few messages as may be."""
        if not peers:
            return
        for peer in peers:
            for known in statements:
                state.knows(peer).note(known, from_peer=False)
        on_wire = [StatementOnWire.of(state.statements[known]) for known in statements]
        for payload in messages(state.relay_parent, on_wire):
            self.ctx.send(SendMessage(tuple(peers), STATEMENT_DISTRIBUTION, payload))

    def _catch_up(self, peer: PeerId, head: Hash, messages: int) -> None:
        """A peer has begun to work on a head: give it what it has not got."""
        state = self._heads.get(head)
        if state is None or head not in self._peers.view(peer):
            return
        knowledge, wanted = state.knows(peer), dict[StatementId, None]()
        introduced = dict(knowledge.candidates)
        for known in islice(state.statements, messages):
            if known not in knowledge.statements and (
                known in state.own or self._peers.repeats(self.ctx.random, state.validators)
            ):
                if known.candidate not in introduced:
                    wanted[_introduction(state, known)] = None
                    introduced[known.candidate] = None
                wanted[known] = None
        self._send(state, tuple(wanted), (peer,))
        for author in state.proofs:
            if self._lacks_proof(peer, state, author):
                self._tell_proof(state, author, (peer,))


def _introduction(state: HeadState, known: StatementId) -> StatementId:
    """A ``Seconded`` of the statement's candidate."""
    return next(
        other
        for other in state.statements
        if other.candidate == known.candidate and other.kind is Seconded
    )
