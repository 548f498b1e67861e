"""Gossip of checks: what is right, what it costs to say something else, and what is bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from parahost.approval.criteria import OwnAssignment, certify, own_assignments
from parahost.crypto.verifier import DirectVerifier
from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_DUPLICATE,
    COST_MALFORMED,
    COST_NO_VALIDATOR,
    COST_NOT_IN_VIEW,
    COST_OUT_OF_ORDER,
    Acceptance,
    Verdict,
)
from parahost.node.messages.network import PeerMessage
from parahost.node.messages.validity import ApprovalNetwork
from parahost.node.protocols import APPROVAL_DISTRIBUTION, GOSSIP_LIMITS
from parahost.node.validity.approval_rules import (
    COST_NO_CANDIDATE,
    COST_NOT_DRAWN,
    COST_TOO_EARLY,
    EARLY_SLOTS,
    ApprovalGossip,
    ApprovalHeard,
    ApprovalMessage,
    ApprovalRules,
    AssignmentHeard,
    AssignmentOnWire,
    CheckHeard,
    CheckOnWire,
    TimeNow,
    item_of,
    messages,
    read,
)
from parahost.node.validity.checked_block import CheckedBlock
from parahost.ports import KeyType, promises
from parahost.primitives.approval import (
    Approval,
    ApprovalParameters,
    Assignment,
    RelayVRFDelay,
    approval_payload,
)
from parahost.primitives.basic import (
    H512,
    U32,
    CoreIndex,
    Hash,
    PeerId,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.runtime_api import IncludedCandidate, SessionInfo
from parahost.primitives.scale import decode, encode
from tests.node.availability.world import key_store
from tests.node.harness import running
from tests.node.validity.nodes import APPROVAL, CheckingNode, include, relay_chain
from tests.node.validity.world import SLOT_MS, candidate, checked
from tests.runtime.parachains.world import validator_ids

VALIDATORS = 6
A = candidate("a", core=1, slot=100)
START_MS = 100 * SLOT_MS


def session(approval: ApprovalParameters = APPROVAL) -> SessionInfo:
    return SessionInfo(A.session, validator_ids(VALIDATORS), (), U32(2), approval)


def block(*candidates: IncludedCandidate, info: SessionInfo | None = None) -> CheckedBlock:
    return checked("one", 1, Hash(bytes(32)), *(candidates or (A,)), info=info or session())  # type: ignore[arg-type]


def rules(of: CheckedBlock | None = None, now_ms: int = START_MS) -> ApprovalRules:
    return ApprovalRules(of or block(), SLOT_MS, TimeNow(now_ms), DirectVerifier())


def drawn(who: int, of: IncludedCandidate = A) -> OwnAssignment:
    (own,) = own_assignments(
        key_store(who),
        validator_ids(VALIDATORS)[who],
        of.relay_vrf_story,
        APPROVAL,
        cores=2,
        candidates=[of.core],
    )
    return own


def assignment(who: int, of: IncludedCandidate = A, index: int = 0) -> AssignmentOnWire:
    public = validator_ids(VALIDATORS)[who]
    cert = certify(key_store(who), public, of.relay_vrf_story, drawn(who, of))
    return AssignmentOnWire(U32(index), Assignment(ValidatorIndex(U32(who)), cert))


def check(who: int, of: IncludedCandidate = A, *, valid: bool = True) -> CheckOnWire:
    payload = approval_payload(of.receipt.hash(), of.session, valid=valid)
    promised = [promises.verdict(of.receipt.hash(), valid=valid)]
    signature = key_store(who).sign(
        KeyType.PARACHAIN, validator_ids(VALIDATORS)[who], payload, promised
    )
    return CheckOnWire(
        U32(0), Approval(ValidatorIndex(U32(who)), ValidatorSignature(H512(signature)))
    )


def judged(said: ApprovalMessage, by: ApprovalRules) -> Verdict[ApprovalHeard]:
    return by.judge(item_of(said))


LATE = START_MS + 10 * SLOT_MS
EARLIEST = min(range(1, VALIDATORS), key=lambda who: drawn(who).tranche)
LATEST = max(range(1, VALIDATORS), key=lambda who: drawn(who).tranche)


def test_assignments_and_checks_that_are_right_are_news() -> None:
    for who in range(1, VALIDATORS):
        said, found = assignment(who), judged(assignment(who), rules(now_ms=LATE))
        heard = AssignmentHeard(0, said.assignment, drawn(who).tranche)
        assert found == Verdict(Acceptance.ACCEPT, BENEFIT_NEW, heard)
        done = check(who)
        assert judged(done, rules()) == Verdict(
            Acceptance.ACCEPT, BENEFIT_NEW, CheckHeard(0, done.approval)
        )


def test_what_is_wrong_costs() -> None:
    other = candidate("other", core=0, slot=100, story=b"other")
    right = assignment(1)
    stranger = replace(right.assignment, validator_index=ValidatorIndex(U32(VALIDATORS)))
    stolen = replace(right.assignment, validator_index=ValidatorIndex(U32(2)))
    moved = replace(right.assignment.cert, kind=RelayVRFDelay(CoreIndex(U32(0))))
    late = rules(now_ms=LATE)
    for said, cost in (
        (replace(right, candidate=U32(1)), COST_NO_CANDIDATE),
        (replace(right, assignment=stranger), COST_NO_VALIDATOR),
        (replace(right, assignment=stolen), COST_NOT_DRAWN),
        (assignment(0), COST_NOT_DRAWN),
        (replace(right, assignment=replace(right.assignment, cert=moved)), COST_NOT_DRAWN),
        (assignment(1, other), COST_NOT_DRAWN),
        (replace(check(1), candidate=U32(1)), COST_NO_CANDIDATE),
        (check(1, other), COST_BAD_SIGNATURE),
        (check(1, valid=False), COST_BAD_SIGNATURE),
        (check(1, candidate("a", core=1, session_index=2)), COST_BAD_SIGNATURE),
    ):
        assert judged(said, late) == Verdict(Acceptance.REJECT, cost), said


def test_clocks_differ_but_not_by_much() -> None:
    tranche, per_slot = drawn(LATEST).tranche, APPROVAL.tranches_per_slot
    assert tranche > 0
    begins = START_MS + tranche * SLOT_MS // per_slot
    assert judged(assignment(LATEST), rules(now_ms=START_MS)).acceptance is Acceptance.ACCEPT
    short = replace(APPROVAL, tranches_per_slot=U32(1), n_delay_tranches=U32(25))
    distant = session(short)
    who = next(w for w in range(1, VALIDATORS) if _tranche(w, short) > EARLY_SLOTS)
    public = validator_ids(VALIDATORS)[who]
    (own,) = own_assignments(
        key_store(who), public, A.relay_vrf_story, short, cores=2, candidates=[A.core]
    )
    cert = certify(key_store(who), public, A.relay_vrf_story, own)
    said = AssignmentOnWire(U32(0), Assignment(ValidatorIndex(U32(who)), cert))
    time = START_MS + (own.tranche - EARLY_SLOTS) * SLOT_MS
    of = block(info=distant)
    assert judged(said, rules(of, time - 1)) == Verdict(Acceptance.IGNORE, COST_TOO_EARLY)
    assert judged(said, rules(of, time)).acceptance is Acceptance.ACCEPT
    assert begins <= LATE


def _tranche(who: int, parameters: ApprovalParameters) -> int:
    (own,) = own_assignments(
        key_store(who),
        validator_ids(VALIDATORS)[who],
        A.relay_vrf_story,
        parameters,
        cores=2,
        candidates=[A.core],
    )
    return own.tranche


def test_a_check_stands_on_its_assignment() -> None:
    first, second = item_of(assignment(1)), item_of(check(1))
    assert first.introduces == second.depends_on
    assert item_of(assignment(2)).introduces != second.depends_on
    assert first.id != second.id


@given(st.lists(st.integers(0, 300), max_size=200))
def test_what_is_written_is_read(indices: Sequence[int]) -> None:
    said = [replace(ONE_ASSIGNMENT, candidate=U32(each)) for each in indices]
    payloads = list(messages(A.parent_hash, said))
    found = [item.content for payload in payloads for item in read(payload)[1]]
    assert found == said
    for payload in payloads:
        assert len(payload) <= GOSSIP_LIMITS[APPROVAL_DISTRIBUTION]
        assert decode(ApprovalGossip, payload).block == A.parent_hash


ONE_ASSIGNMENT = assignment(1)


@pytest.mark.usefixtures("each_gain_is_reported")
async def test_whoever_says_something_wrong_pays_and_the_node_goes_on(
    autojump_clock: MockClock,
) -> None:
    chain = relay_chain()
    head, _ = include(chain, 100)
    record = chain.world.api.included_candidates(chain.world.state)[0]
    node = CheckingNode(record.backers[0], chain, {})
    who = next(w for w in range(VALIDATORS) if w not in record.backers)
    mallory = PeerId("mallory")

    def hear(*said: ApprovalMessage, topic: Hash = head.hash()) -> None:
        payload = encode(ApprovalGossip(topic, said))
        node.overseer.send(ApprovalNetwork(PeerMessage(mallory, payload)))

    await trio.sleep(60)
    async with running(node.overseer, [chain.leaf(head)]):
        node.meets(mallory, head=head)
        await trio.sleep(0.1)
        early = check(who, record)
        hear(early)
        hear(assignment(who, record))
        hear(assignment(who, record))
        hear(early, early)
        hear(replace(assignment(who, record), candidate=U32(7)))
        hear(assignment(who, record), topic=Hash(record.receipt.hash()))
        node.overseer.send(ApprovalNetwork(PeerMessage(mallory, b"nonsense")))
        await trio.sleep(1)
        assert [change for _, change in node.wires.reports] == [
            COST_OUT_OF_ORDER,
            BENEFIT_NEW,
            COST_DUPLICATE,
            BENEFIT_NEW,
            COST_DUPLICATE,
            COST_NO_CANDIDATE,
            COST_NOT_IN_VIEW,
            COST_MALFORMED,
        ]
