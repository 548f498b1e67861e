"""Gossip of checks: their form, and what is right about one block (D22).

A validator announces once that it checks a candidate, with the proof that it was drawn; then it
tells once that it found it valid. Nothing else can be said, so what is kept of a block is bounded
by its candidates and their checkers.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Final

from parahost.approval.criteria import AssignmentFault, assigned_tranche
from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_NO_VALIDATOR,
    MAX_BATCH,
    Acceptance,
    GossipItem,
    Verdict,
    in_batches,
)
from parahost.node.messages.network import ReputationChange
from parahost.node.validity.checked_block import CheckedBlock
from parahost.node.validity.checking import TrancheTime
from parahost.ports import Verifier
from parahost.primitives.approval import Approval, Assignment, Tranche, approval_payload
from parahost.primitives.basic import U32, Hash
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.primitives.scale import MaxLen, decode, encode, read_once, variant
from parahost.primitives.values import dataclass

COST_NO_CANDIDATE = ReputationChange(-50, "a check of a candidate that the block does not have")
COST_NOT_DRAWN = ReputationChange(-100, "a checker who was not drawn for the candidate")
COST_TOO_EARLY = ReputationChange(-10, "a checker whose time has not come by far")

EARLY_SLOTS: Final = 2
"""Clocks differ: a checker is believed so many slots before its time. It counts from then on."""


# The wire


@variant(0)
@dataclass(frozen=True, slots=True)
class AssignmentOnWire:
    """A validator checks the block's ``candidate``-th candidate."""

    candidate: U32
    assignment: Assignment


@variant(1)
@dataclass(frozen=True, slots=True)
class CheckOnWire:
    """A validator has found it valid."""

    candidate: U32
    approval: Approval


ApprovalMessage = AssignmentOnWire | CheckOnWire


@dataclass(frozen=True, slots=True)
class ApprovalGossip:
    """On the wire: what is said of the candidates of one block. At most 9 KiB."""

    block: Hash
    said: Annotated[tuple[ApprovalMessage, ...], MaxLen(MAX_BATCH)]


def item_of(said: ApprovalMessage) -> GossipItem[ApprovalMessage]:
    """A check stands on its assignment."""
    match said:
        case AssignmentOnWire(candidate, assignment):
            subject = candidate, assignment.validator_index
            return GossipItem(("assignment", *subject), said, introduces=(subject,))
        case CheckOnWire(candidate, approval):
            subject = candidate, approval.validator_index
            return GossipItem(("check", *subject), said, depends_on=(subject,))


@read_once
def read(payload: bytes) -> tuple[Hash, tuple[GossipItem[ApprovalMessage], ...]]:
    """:raises ScaleDecodeError: when it is no message of this protocol."""
    gossip: ApprovalGossip = decode(ApprovalGossip, payload)
    return gossip.block, tuple(map(item_of, gossip.said))


def messages(block: Hash, said: Sequence[ApprovalMessage]) -> Iterator[bytes]:
    """The messages that bring these, in their order."""
    for batch in in_batches(said):
        yield encode(ApprovalGossip(block, batch))


# The rules


@dataclass(slots=True)
class TimeNow:
    """What time it is, in milliseconds since the Unix epoch: whoever asks the rules says it."""

    now_ms: int = 0


@dataclass(frozen=True, slots=True)
class AssignmentHeard:
    """An assignment that is right, with what its proof shows."""

    candidate: int
    assignment: Assignment
    tranche: Tranche


@dataclass(frozen=True, slots=True)
class CheckHeard:
    """A check that is right."""

    candidate: int
    approval: Approval


ApprovalHeard = AssignmentHeard | CheckHeard


@dataclass(frozen=True, slots=True)
class ApprovalRules:
    """What is right about one block."""

    block: CheckedBlock
    slot_ms: int
    moment: TimeNow
    verifier: Verifier

    def judge(self, item: GossipItem[ApprovalMessage]) -> Verdict[ApprovalHeard]:
        said = item.content
        if said.candidate >= len(self.block.candidates):
            return Verdict(Acceptance.REJECT, COST_NO_CANDIDATE)
        candidate = self.block.candidates[said.candidate]
        session = self.block.session_of(candidate)
        what = said.assignment if isinstance(said, AssignmentOnWire) else said.approval
        if what.validator_index >= len(session.validators):
            return Verdict(Acceptance.REJECT, COST_NO_VALIDATOR)
        if isinstance(said, AssignmentOnWire):
            return self._judge_assignment(said, candidate, session)
        return self._judge_check(said, candidate, session)

    def _judge_assignment(
        self, said: AssignmentOnWire, candidate: IncludedCandidate, session: SessionInfo
    ) -> Verdict[ApprovalHeard]:
        assignment, parameters = said.assignment, session.approval
        if assignment.validator_index in candidate.backers:
            return Verdict(Acceptance.REJECT, COST_NOT_DRAWN)
        tranche = assigned_tranche(
            self.verifier,
            session.validators[assignment.validator_index],
            assignment.cert,
            candidate.relay_vrf_story,
            parameters,
            cores=session.cores,
            core=candidate.core,
        )
        if isinstance(tranche, AssignmentFault):
            return Verdict(Acceptance.REJECT, COST_NOT_DRAWN)
        time = TrancheTime(candidate.included_slot, self.slot_ms, parameters.tranches_per_slot)
        if tranche > time.at(self.moment.now_ms) + EARLY_SLOTS * parameters.tranches_per_slot:
            return Verdict(Acceptance.IGNORE, COST_TOO_EARLY)
        heard = AssignmentHeard(said.candidate, assignment, tranche)
        return Verdict(Acceptance.ACCEPT, BENEFIT_NEW, heard)

    def _judge_check(
        self, said: CheckOnWire, candidate: IncludedCandidate, session: SessionInfo
    ) -> Verdict[ApprovalHeard]:
        approval = said.approval
        payload = approval_payload(candidate.receipt.hash(), candidate.session)
        public = session.validators[approval.validator_index]
        if not self.verifier.sr25519(public, payload, approval.signature):
            return Verdict(Acceptance.REJECT, COST_BAD_SIGNATURE)
        return Verdict(Acceptance.ACCEPT, BENEFIT_NEW, CheckHeard(said.candidate, approval))
