"""What statements that a peer brings are worth (pure)."""

from __future__ import annotations

from collections.abc import Collection

from parahost.node.validity.disputes.effects import VotesVerdict
from parahost.node.validity.disputes.record import StatementKey, VoteForm, statement_key
from parahost.ports.verifier import Verifier
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import (
    ApprovalCheckingMultipleCandidates,
    BackingSeconded,
    BackingValid,
    DisputeStatement,
    DisputeStatementSet,
    SignedDisputeStatement,
    vote_payload,
)
from parahost.primitives.runtime_api import SessionInfo


def judge(
    receipt: CandidateReceipt,
    brought: DisputeStatementSet,
    info: SessionInfo | None,
    known: Collection[StatementKey],
    verifier: Verifier,
) -> VotesVerdict:
    """The cheap rules first; then the signatures of what is not ``known``."""
    if receipt.hash() != brought.candidate_hash:
        return VotesVerdict.MISNAMED
    if info is None:
        return VotesVerdict.UNKNOWN_SESSION
    keys = [statement_key(signed) for signed in brought.statements]
    if len({form is VoteForm.INVALID for _, form in keys}) != 2:
        return VotesVerdict.ONE_SIDED
    if len(set(keys)) != len(keys):
        return VotesVerdict.REPEATED
    if any(validator >= len(info.validators) for validator, _ in keys):
        return VotesVerdict.NO_VALIDATOR
    if not all(_fits(statement, receipt) for statement, _, _ in brought.statements):
        return VotesVerdict.BAD_FORM
    news = [s for s, key in zip(brought.statements, keys, strict=True) if key not in known]
    if not news:
        return VotesVerdict.KNOWN
    if not all(_is_signed(signed, brought, info, verifier) for signed in news):
        return VotesVerdict.BAD_SIGNATURE
    return VotesVerdict.NEW


def _fits(statement: DisputeStatement, receipt: CandidateReceipt) -> bool:
    """Whether somebody may have signed it of this candidate: it is backed at its own relay parent,
    and an approval is of one candidate."""
    match statement.kind:
        case BackingSeconded(relay_parent) | BackingValid(relay_parent):
            return relay_parent == receipt.descriptor.relay_parent
        case ApprovalCheckingMultipleCandidates():
            return False
        case _:
            return True


def _is_signed(
    signed: SignedDisputeStatement,
    brought: DisputeStatementSet,
    info: SessionInfo,
    verifier: Verifier,
) -> bool:
    statement, validator, signature = signed
    payload = vote_payload(statement, brought.candidate_hash, brought.session)
    return payload is not None and verifier.sr25519(info.validators[validator], payload, signature)
