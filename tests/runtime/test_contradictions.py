"""Two statements of one validator that exclude each other cost it a tenth of its stake, once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from parahost.crypto import sr25519
from parahost.primitives.basic import (
    H256,
    H512,
    U32,
    CandidateHash,
    Hash,
    SessionIndex,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.misbehavior import Contradiction, DoubleVote, SelfContradiction
from parahost.primitives.statements import (
    CompactSeconded,
    CompactStatement,
    Invalid,
    SignedCompactStatement,
    SigningContext,
    Valid,
    statement_payload,
)
from parahost.runtime.contradictions import ReportContradiction
from parahost.runtime.errors import EarlyReport, KnownDeed, LateReport, UnprovenReport
from parahost.runtime.extrinsic import inherent
from parahost.runtime.offences import OffenceReported
from parahost.runtime.session import SESSIONS_KEPT
from tests.runtime.test_staking import STAKE, STAKED, stake
from tests.runtime.world import NAMES, Chain, key

CONTEXT = SigningContext(SessionIndex(U32(0)), Hash(H256(bytes([3]) * 32)))
OFFENDER = 1


def candidate(number: int) -> CandidateHash:
    return CandidateHash(H256(bytes([number]) * 32))


def said(
    statement: CompactStatement, validator: int = OFFENDER, context: SigningContext = CONTEXT
) -> SignedCompactStatement:
    payload = statement_payload(type(statement), statement.candidate_hash(), context)
    made = sr25519.sign(key(NAMES[validator], "para"), payload)
    return SignedCompactStatement(
        statement, ValidatorIndex(U32(validator)), ValidatorSignature(H512(made))
    )


SECONDED, OTHER = said(CompactSeconded(candidate(1))), said(CompactSeconded(candidate(2)))
VALID, INVALID = said(Valid(candidate(1))), said(Invalid(candidate(1)))
TWO_SECONDED = DoubleVote(CONTEXT, SECONDED, OTHER)
BOTH_WAYS = SelfContradiction(CONTEXT, VALID, INVALID)


@pytest.mark.guide("A77", "A109")
@pytest.mark.parametrize(
    "proof", [TWO_SECONDED, BOTH_WAYS, SelfContradiction(CONTEXT, SECONDED, VALID)]
)
def test_a_contradiction_costs_a_tenth_of_the_stake_once(proof: Contradiction) -> None:
    chain = Chain(STAKED)
    chain.step(inherent(ReportContradiction(proof)))
    assert stake(chain, NAMES[OFFENDER]) == STAKE * 9 // 10
    assert any(isinstance(event, OffenceReported) for event in chain.events())
    turned = replace(proof, first=proof.second, second=proof.first)
    unsigned = replace(proof.second, signature=ValidatorSignature(H512(bytes(64))))
    for again in (proof, turned, replace(proof, second=unsigned)):
        with pytest.raises(KnownDeed):
            chain.step(inherent(ReportContradiction(again)))


@pytest.mark.guide("A109")
def test_two_deeds_are_two() -> None:
    chain = Chain(STAKED)
    chain.step(inherent(ReportContradiction(TWO_SECONDED)))
    chain.step(inherent(ReportContradiction(BOTH_WAYS)))
    assert stake(chain, NAMES[OFFENDER]) == STAKE * 81 // 100


@pytest.mark.guide("A109")
@pytest.mark.parametrize(
    "proof",
    [
        DoubleVote(CONTEXT, SECONDED, SECONDED),
        DoubleVote(CONTEXT, SECONDED, said(CompactSeconded(candidate(2)), validator=2)),
        SelfContradiction(CONTEXT, SECONDED, OTHER),
        SelfContradiction(CONTEXT, VALID, said(Invalid(candidate(2)))),
        DoubleVote(replace(CONTEXT, parent_hash=Hash(H256(bytes(32)))), SECONDED, OTHER),
        DoubleVote(
            CONTEXT, SECONDED, replace(OTHER, signature=ValidatorSignature(H512(bytes(64))))
        ),
        DoubleVote(
            CONTEXT,
            replace(SECONDED, validator_index=ValidatorIndex(U32(9))),
            replace(OTHER, validator_index=ValidatorIndex(U32(9))),
        ),
    ],
)
def test_what_proves_nothing_is_refused(proof: Contradiction) -> None:
    chain = Chain(STAKED)
    with pytest.raises(UnprovenReport):
        chain.step(inherent(ReportContradiction(proof)))
    assert stake(chain, NAMES[OFFENDER]) == STAKE


def test_what_was_long_ago_is_not_judged() -> None:
    chain = Chain(replace(STAKED, epoch_length=1))
    while chain.runtime.modules.session.index(chain.state) <= SESSIONS_KEPT:
        chain.step()
    with pytest.raises(LateReport):
        chain.step(inherent(ReportContradiction(BOTH_WAYS)))


def test_what_is_said_of_a_session_to_come_is_not_judged_yet() -> None:
    chain = Chain(STAKED)
    context = replace(CONTEXT, session_index=SessionIndex(U32(1)))
    with pytest.raises(EarlyReport):
        chain.step(inherent(ReportContradiction(DoubleVote(context, SECONDED, OTHER))))
