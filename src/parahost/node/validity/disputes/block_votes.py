"""What a block says of candidates that may be disputed (pure).

Backing and checks count as votes (D23), and are only to be had from the block that brings them: the
state keeps who has said something, and no signature.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from parahost.node.validity.disputes.effects import VotesBrought
from parahost.node.validity.disputes.record import IncludedAt, Testimony
from parahost.primitives.approval import SecondaryChecks
from parahost.primitives.basic import BlockNumber, CandidateHash, Hash, ValidatorIndex
from parahost.primitives.disputes import (
    ApprovalChecking,
    BackingSeconded,
    BackingValid,
    DisputeStatementSet,
    SignedDisputeStatement,
    VoteValid,
)
from parahost.primitives.header import Extrinsic
from parahost.primitives.inherent import ParachainsInherentData
from parahost.primitives.remote_disputes import RemoteDispute
from parahost.primitives.runtime_api import (
    CandidateBackedEvent,
    CandidateEvent,
    CandidateIncludedEvent,
    SessionInfo,
)
from parahost.primitives.statements import BackedCandidate, Implicit
from parahost.runtime.errors import MalformedExtrinsic
from parahost.runtime.extrinsic import open_envelope
from parahost.runtime.module import RuntimeCall
from parahost.runtime.parachains.inclusion_inherent import InclusionCall
from parahost.runtime.parachains.remote_disputes import DisputeRemotely
from parahost.runtime.parachains.validity import NoteChecks
from parahost.runtime.parachains.windows import CandidateKey

VotesOfBlock = tuple[SignedDisputeStatement, ...]


@dataclass(slots=True)
class BlockVotes:
    """What a block says. ``votes`` the chain has verified; what is ``brought`` came in
    transactions, which are in the block whether they had success or not."""

    testimony: dict[CandidateKey, Testimony] = field(default_factory=dict)
    """What is new of candidates that it backs or includes."""
    votes: list[tuple[CandidateKey, VotesOfBlock]] = field(default_factory=list)
    """Checks of candidates, and votes in disputes."""
    brought: list[VotesBrought] = field(default_factory=list)


def read_block(
    block: Hash,
    number: BlockNumber,
    body: Sequence[Extrinsic],
    events: Sequence[CandidateEvent],
    info: SessionInfo,
) -> BlockVotes:
    """What a block says that was executed in that session."""
    said = BlockVotes()
    groups = {
        event.receipt.hash(): info.groups[event.group]
        for event in events
        if isinstance(event, CandidateBackedEvent)
    }
    for call in _calls(body):
        match call:
            case InclusionCall(data):
                _read_inherent(said, data, groups, info)
            case NoteChecks(checks):
                said.votes += map(_checks, checks)
            case DisputeRemotely(dispute):
                said.brought.append(_brought(dispute))
            case _:
                pass
    for event in events:
        if isinstance(event, CandidateIncludedEvent):
            key = info.session_index, event.receipt.hash()
            known = said.testimony.get(key, Testimony(event.receipt))
            said.testimony[key] = known.with_inclusion(IncludedAt(block, number, event.core))
    return said


def _calls(body: Sequence[Extrinsic]) -> Iterator[RuntimeCall]:
    """The calls of a block that was executed; none of its extrinsics is malformed."""
    for extrinsic in body:
        try:
            yield open_envelope(extrinsic).call()
        except MalformedExtrinsic:
            continue


def _read_inherent(
    said: BlockVotes,
    data: ParachainsInherentData,
    groups: dict[CandidateHash, tuple[ValidatorIndex, ...]],
    info: SessionInfo,
) -> None:
    for backed in data.backed_candidates:
        candidate = backed.candidate.hash()
        if candidate in groups:
            key = info.session_index, candidate
            statements = _backing(backed, groups[candidate])
            said.testimony[key] = Testimony(backed.candidate.to_plain(), statements)
    said.votes += [((each.session, each.candidate_hash), each.statements) for each in data.disputes]


def _backing(backed: BackedCandidate, group: Sequence[ValidatorIndex]) -> VotesOfBlock:
    parent = backed.candidate.descriptor.relay_parent
    return tuple(
        (
            VoteValid(
                BackingSeconded(parent) if isinstance(vote, Implicit) else BackingValid(parent)
            ),
            group[position],
            vote.signature,
        )
        for position, vote in zip(
            backed.validator_indices.ones(), backed.validity_votes, strict=True
        )
    )


def _checks(given: SecondaryChecks) -> tuple[CandidateKey, VotesOfBlock]:
    statements = (
        (VoteValid(ApprovalChecking()), approval.validator_index, approval.signature)
        for approval in given.approvals
    )
    return (given.session, given.candidate_hash), tuple(statements)


def _brought(dispute: RemoteDispute) -> VotesBrought:
    statements = DisputeStatementSet(dispute.receipt.hash(), dispute.session, dispute.statements)
    return VotesBrought(dispute.receipt, statements)
