"""What may be said at one leaf, and what becomes of it (A83-A87, A109). Pure."""

from __future__ import annotations

from parahost.node.backing.assignments import Assignments
from parahost.node.backing.statement_table import MAX_SECONDED, contradictions
from parahost.node.backing.statement_wire import (
    ContradictionProof,
    SecondedOnWire,
    StatementMessage,
    StatementOnWire,
)
from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_NO_VALIDATOR,
    Acceptance,
    GossipItem,
    Quota,
    Verdict,
)
from parahost.node.messages.network import ReputationChange
from parahost.ports import Verifier
from parahost.primitives.basic import CandidateHash, ParaId, ValidatorIndex
from parahost.primitives.misbehavior import Contradiction, contradiction
from parahost.primitives.statements import (
    Seconded,
    SignedCompactStatement,
    SignedStatement,
    Statement,
)
from parahost.primitives.values import dataclass

COST_WRONG_RELAY_PARENT = ReputationChange(-100, "a candidate made for another relay parent")
COST_NOT_ASSIGNED = ReputationChange(-50, "from a validator that is not assigned to the para")
COST_WRONG_COMMITMENTS = ReputationChange(-100, "commitments that are not those of the receipt")
COST_NO_PROOF = ReputationChange(-100, "statements that do not contradict each other")


@dataclass(frozen=True, slots=True)
class StatementId:
    """Who says what of which candidate."""

    candidate: CandidateHash
    kind: type[Statement]
    validator: ValidatorIndex


@dataclass(frozen=True, slots=True)
class Guilt:
    """What a proof shows. One for each validator at a leaf is enough."""

    validator: ValidatorIndex


Heard = SignedStatement | Contradiction
"""A statement in full, or what a proof shows."""


def item_of(said: StatementMessage) -> GossipItem[StatementMessage]:
    """A candidate's statements need its ``Seconded`` (A84). A validator seconds one candidate;
    a second one proves its guilt, and nobody needs more."""
    if isinstance(said, ContradictionProof):
        return GossipItem(Guilt(said.first.validator_index), said, is_essential=True)
    candidate, author = said.statement.candidate_hash(), said.validator_index
    known = StatementId(candidate, said.kind, author)
    if said.kind is Seconded:
        return GossipItem(known, said, introduces=(candidate,), quota=Quota(author, MAX_SECONDED))
    return GossipItem(known, said, depends_on=(candidate,))


class StatementRules:
    """Remembers what has been taken at the leaf: the paras of the candidates, and who said what."""

    def __init__(self, assignments: Assignments, verifier: Verifier) -> None:
        self._assignments = assignments
        self.session = assignments.session
        self._verifier = verifier
        self._paras: dict[CandidateHash, ParaId] = {}
        self._statements: dict[ValidatorIndex, list[SignedStatement]] = {}
        self._equivocators: dict[ValidatorIndex, None] = {}
        """Those of whom we took two statements that contradict each other, and take no more."""

    def judge(self, item: GossipItem[StatementMessage]) -> Verdict[Heard]:
        if isinstance(item.content, ContradictionProof):
            return self._judge_proof(item.content)
        return self._judge_statement(item.content)

    def _judge_statement(self, said: StatementOnWire) -> Verdict[Heard]:
        """Commitments are looked at last: they may be large."""
        statement, author = said.statement, said.validator_index
        if author >= len(self.session.validators):
            return Verdict(Acceptance.REJECT, COST_NO_VALIDATOR)
        if isinstance(statement, SecondedOnWire):
            descriptor = statement.receipt.descriptor
            if descriptor.relay_parent != self.session.signing.parent_hash:
                return Verdict(Acceptance.REJECT, COST_WRONG_RELAY_PARENT)
            para = descriptor.para_id
        else:
            para = self._paras[statement.candidate_hash()]
        if author not in self._assignments.group(para):
            return Verdict(Acceptance.REJECT, COST_NOT_ASSIGNED)
        if author in self._equivocators:
            return Verdict(Acceptance.IGNORE)
        if not self._is_signed(said):
            return Verdict(Acceptance.REJECT, COST_BAD_SIGNATURE)
        signed = said.read()
        if signed is None:
            return Verdict(Acceptance.REJECT, COST_WRONG_COMMITMENTS)
        return Verdict(Acceptance.ACCEPT, BENEFIT_NEW, signed)

    def _judge_proof(self, proof: ContradictionProof) -> Verdict[Heard]:
        if proof.first.validator_index >= len(self.session.validators):
            return Verdict(Acceptance.REJECT, COST_NO_VALIDATOR)
        found = contradiction(self.session.signing, proof.first, proof.second)
        if found is None:
            return Verdict(Acceptance.REJECT, COST_NO_PROOF)
        if not all(self._is_signed(each) for each in (proof.first, proof.second)):
            return Verdict(Acceptance.REJECT, COST_BAD_SIGNATURE)
        return Verdict(Acceptance.ACCEPT, BENEFIT_NEW, found)

    def _is_signed(self, signed: StatementOnWire | SignedCompactStatement) -> bool:
        return self._verifier.sr25519(
            self.session.validators[signed.validator_index],
            signed.payload(self.session.signing),
            signed.signature,
        )

    def take(self, signed: SignedStatement) -> tuple[Contradiction, ...]:
        """Take account of a statement; gives what it contradicts of its author's earlier ones."""
        said, author = signed.statement, signed.validator_index
        if isinstance(said, Seconded):
            self._paras.setdefault(said.candidate_hash(), said.candidate.descriptor.para_id)
        earlier = self._statements.setdefault(author, [])
        found = tuple(contradictions(self.session.signing, earlier, signed))
        if found:
            self._equivocators[author] = None
        earlier.append(signed)
        return found
