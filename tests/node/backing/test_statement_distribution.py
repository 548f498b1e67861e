"""Statement Distribution: what is taken from peers, and what is told to them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from math import isqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.consensus.fanout import RELAY_FANOUT
from parahost.crypto.verifier import DirectVerifier
from parahost.node.backing.assignments import Assignments, assign
from parahost.node.backing.statement_distribution import (
    COST_FLOOD,
    COST_NOT_ASSIGNED,
    COST_UNKNOWN_CANDIDATE,
    COST_WRONG_RELAY_PARENT,
    MAX_WAITING,
    HeadState,
    StatementDistribution,
    StatementGossip,
    StatementId,
    judge,
)
from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_DUPLICATE,
    COST_MALFORMED,
    COST_NO_VALIDATOR,
    COST_NOT_IN_VIEW,
    Acceptance,
    Verdict,
)
from parahost.node.messages.backing import (
    NoteStatement,
    PoVPeerGone,
    Share,
    StatementNetwork,
    StatementReceived,
)
from parahost.node.messages.network import (
    PeerDisconnected,
    PeerMessage,
    PeerSet,
    PeerViewChange,
    RegisterEventProducer,
    ReportPeer,
    ReputationChange,
    SendMessage,
    View,
)
from parahost.node.messages.utility import (
    DoubleVote,
    ReportMisbehavior,
    RuntimeCall,
    SelfContradiction,
)
from parahost.node.protocols import STATEMENT_DISTRIBUTION
from parahost.node.session import ChildSession
from parahost.ports import ObservedRole
from parahost.primitives.basic import H512, Hash, PeerId, ValidatorSignature
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.primitives.statements import Seconded, SignedStatement, SigningContext
from parahost.runtime import api
from tests.node.backing.world import (
    OCCUPIED_PARA,
    OTHER_RELAY_PARENT,
    RELAY_PARENT,
    SESSION,
    VALIDATORS,
    Silent,
    Stage,
    candidate,
    connected,
    cores,
    invalid,
    on_stage,
    runtime_answers,
    seconded,
    sign,
    valid,
)

A, B, C = candidate(1), candidate(2), candidate(3)
P, Q, R = PeerId("p"), PeerId("q"), PeerId("r")
VERIFIER = DirectVerifier()


def forged(signed: SignedStatement) -> SignedStatement:
    return replace(signed, signature=ValidatorSignature(H512(bytes(64))))


def from_peer(peer: PeerId, *statements: SignedStatement, head: Hash = RELAY_PARENT) -> list[Any]:
    return [
        StatementNetwork(PeerMessage(peer, encode(StatementGossip(head, signed))))
        for signed in statements
    ]


def told(stage: Stage, peer: PeerId) -> list[SignedStatement]:
    """What a peer was sent, in order."""
    return [
        decode(StatementGossip, message.payload).statement
        for message in stage.heard(SendMessage)
        if peer in message.peers
    ]


def changes(stage: Stage, peer: PeerId) -> list[ReputationChange]:
    return [message.change for message in stage.heard(ReportPeer) if message.peer == peer]


def passed_on(stage: Stage) -> list[SignedStatement]:
    """What Candidate Backing heard."""
    return [message.statement for message in stage.heard(StatementReceived)]


def peers(
    *names: str,
    view: Iterable[Hash] = (RELAY_PARENT,),
    role: ObservedRole = ObservedRole.FULL,
) -> list[Any]:
    return connected(StatementNetwork, *names, view=tuple(view), role=role)


def distribution() -> StatementDistribution:
    return StatementDistribution(VERIFIER)


# The verdict, a pure function


def assignments() -> Assignments:
    answers = runtime_answers()
    session = ChildSession(answers[api.validators](), SigningContext(SESSION, RELAY_PARENT))
    return Assignments(session, assign(answers[api.validator_groups](), cores()))


def state_after(*statements: SignedStatement, peer: PeerId = Q) -> HeadState:
    """What is known after another peer has sent these."""
    state = HeadState()
    for signed in statements:
        state.take(StatementId.of(signed), signed)
        state.knows(peer).note(StatementId.of(signed), from_peer=True)
    return state


def verdict(state: HeadState, signed: SignedStatement, peer: PeerId = P) -> Verdict:
    return judge(state, assignments(), peer, signed, VERIFIER)


REJECT, IGNORE, ACCEPT = Acceptance.REJECT, Acceptance.IGNORE, Acceptance.ACCEPT


@pytest.mark.guide("A83", "A84", "A85")
def test_verdicts_on_the_first_statement() -> None:
    fresh = HeadState()
    elsewhere = candidate(1, relay_parent=OTHER_RELAY_PARENT)
    stranger = replace(seconded(0, A), validator_index=6)
    assert verdict(fresh, seconded(0, A)) == Verdict(ACCEPT, BENEFIT_NEW)
    assert verdict(fresh, forged(seconded(0, A))) == Verdict(REJECT, COST_BAD_SIGNATURE)
    assert verdict(fresh, sign(0, Seconded(A), OTHER_RELAY_PARENT)) == Verdict(
        REJECT, COST_BAD_SIGNATURE
    )
    assert verdict(fresh, replace(seconded(0, A), validator_index=1)) == Verdict(
        REJECT, COST_BAD_SIGNATURE
    )
    assert verdict(fresh, stranger) == Verdict(REJECT, COST_NO_VALIDATOR)
    assert verdict(fresh, seconded(0, elsewhere)) == Verdict(REJECT, COST_WRONG_RELAY_PARENT)
    assert verdict(fresh, seconded(3, A)) == Verdict(REJECT, COST_NOT_ASSIGNED)
    assert verdict(fresh, valid(1, A)) == Verdict(REJECT, COST_UNKNOWN_CANDIDATE)
    assert verdict(fresh, invalid(1, A)) == Verdict(REJECT, COST_UNKNOWN_CANDIDATE)


@pytest.mark.guide("A84", "A85")
def test_a_candidate_that_is_seconded_is_open_for_its_group() -> None:
    state = state_after(seconded(0, A))
    assert verdict(state, valid(1, A)) == Verdict(ACCEPT, BENEFIT_NEW)
    assert verdict(state, invalid(1, A)) == Verdict(ACCEPT, BENEFIT_NEW)
    assert verdict(state, seconded(2, A)) == Verdict(ACCEPT, BENEFIT_NEW)
    assert verdict(state, valid(1, B)) == Verdict(REJECT, COST_UNKNOWN_CANDIDATE), "another one"
    assert verdict(state, valid(3, A)) == Verdict(REJECT, COST_NOT_ASSIGNED)
    assert verdict(state, forged(valid(1, A))) == Verdict(REJECT, COST_BAD_SIGNATURE)


@pytest.mark.guide("A86")
def test_copies_are_ignored_and_repetitions_cost() -> None:
    state = state_after(seconded(0, A), valid(1, A), peer=Q)
    assert verdict(state, seconded(0, A), P) == Verdict(IGNORE)
    assert verdict(state, seconded(0, A), Q) == Verdict(IGNORE, COST_DUPLICATE)
    state.knows(R).note(StatementId.of(valid(1, A)), from_peer=False)
    assert verdict(state, valid(1, A), R) == Verdict(IGNORE), "ours and theirs crossed"


@pytest.mark.guide("A87")
def test_equivocators_are_ignored_and_floods_cost() -> None:
    state = state_after(seconded(0, A), seconded(0, B), peer=Q)
    state.equivocators[0] = None
    assert verdict(state, seconded(0, C), P) == Verdict(IGNORE)
    assert verdict(state, seconded(0, C), Q) == Verdict(REJECT, COST_FLOOD)
    assert verdict(state, seconded(1, C), Q) == Verdict(ACCEPT, BENEFIT_NEW)

    state.knows(P).note(StatementId.of(seconded(0, C)), from_peer=True)
    assert verdict(state, valid(1, C), P) == Verdict(IGNORE), "it did introduce it"
    assert verdict(state, valid(1, C), Q) == Verdict(REJECT, COST_UNKNOWN_CANDIDATE)


# Receiving


async def test_it_registers_its_protocol() -> None:
    async with on_stage(distribution()) as stage:
        assert stage.heard(RegisterEventProducer) == [
            RegisterEventProducer(STATEMENT_DISTRIBUTION, PeerSet.VALIDATION, StatementNetwork)
        ]
    assert STATEMENT_DISTRIBUTION == b"stmd"


@pytest.mark.usefixtures("each_gain_is_reported")
@pytest.mark.guide("A83", "A84", "A85")
async def test_statements_in_order_reach_backing_and_those_who_fetch_povs() -> None:
    statements = [seconded(0, A), valid(1, A), invalid(2, A)]
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p"), *from_peer(P, *statements))
        assert passed_on(stage) == statements
        assert stage.heard(NoteStatement) == [
            NoteStatement(RELAY_PARENT, A.hash(), 0, P, seconded=True),
            NoteStatement(RELAY_PARENT, A.hash(), 1, P, seconded=False),
        ]
        assert changes(stage, P) == [BENEFIT_NEW] * 3


@pytest.mark.guide("A83")
async def test_a_wrong_signature_goes_nowhere() -> None:
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p", "q"), *from_peer(P, forged(seconded(0, A))))
        assert passed_on(stage) == [] and told(stage, Q) == []
        assert changes(stage, P) == [COST_BAD_SIGNATURE]
        await stage.say(*from_peer(P, seconded(0, A)))
        assert passed_on(stage) == [seconded(0, A)]


@pytest.mark.guide("A84", "A85")
async def test_what_depends_on_an_unknown_candidate_is_dropped() -> None:
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p", "q"), *from_peer(P, valid(1, A)))
        assert passed_on(stage) == [] and told(stage, Q) == []
        assert changes(stage, P) == [COST_UNKNOWN_CANDIDATE]


@pytest.mark.guide("A84")
async def test_a_head_that_is_not_in_our_view_costs() -> None:
    there = candidate(1, relay_parent=OTHER_RELAY_PARENT)
    signed = sign(0, Seconded(there), OTHER_RELAY_PARENT)
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p"), *from_peer(P, signed, head=OTHER_RELAY_PARENT))
        assert passed_on(stage) == []
        assert changes(stage, P) == [COST_NOT_IN_VIEW]


@pytest.mark.usefixtures("each_gain_is_reported")
@pytest.mark.guide("A85")
async def test_after_work_has_stopped_everything_is_dropped_without_blame() -> None:
    subsystem = distribution()
    async with on_stage(subsystem) as stage:
        await stage.say(*peers("p"), *from_peer(P, seconded(0, A)))
        await stage.move_on()
        before = len(stage.heard(SendMessage))
        await stage.say(*from_peer(P, valid(1, A), seconded(1, B)))
        await stage.say(Share(RELAY_PARENT, valid(2, A)))
        assert len(passed_on(stage)) == 1
        assert changes(stage, P) == [BENEFIT_NEW]
        assert len(stage.heard(SendMessage)) == before
        assert RELAY_PARENT not in subsystem._heads


async def test_garbage_costs() -> None:
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p"), StatementNetwork(PeerMessage(P, b"\xff\x00garbage")))
        assert changes(stage, P) == [COST_MALFORMED]


@given(st.binary(max_size=300))
def test_no_bytes_hurt_the_decoder(payload: bytes) -> None:
    try:
        gossip = decode(StatementGossip, payload)
    except ScaleDecodeError:
        return
    assert encode(gossip) == payload


async def test_statements_wait_until_the_assignments_are_known() -> None:
    held: list[RuntimeCall[Any]] = []
    known = runtime_answers()

    def hold(call: RuntimeCall[Any]) -> Any:
        held.append(call)
        raise Silent

    subsystem = distribution()
    async with on_stage(subsystem, answers={RuntimeCall: hold}) as stage:
        many = from_peer(P, seconded(0, A), valid(1, A)) * MAX_WAITING
        await stage.say(*peers("p"), *many)
        assert passed_on(stage) == [] and changes(stage, P) == []
        assert len(subsystem._heads[RELAY_PARENT].waiting) == MAX_WAITING
        while held:
            call = held.pop()
            call.reply.answer(known[call.function](*call.args))
            await stage.rest()
        assert [type(signed.statement).__name__ for signed in passed_on(stage)] == [
            "Seconded",
            "Valid",
        ]


# Telling


@pytest.mark.guide("A83", "A86")
async def test_our_own_statements_go_to_all_who_work_on_the_head() -> None:
    names = [f"peer {number}" for number in range(10)]
    async with on_stage(distribution()) as stage:
        await stage.say(*peers(*names), *peers("elsewhere", view=(OTHER_RELAY_PARENT,)))
        ours = seconded(0, A)
        await stage.say(Share(RELAY_PARENT, ours))
        (message,) = stage.heard(SendMessage)
        assert sorted(message.peers) == names
        assert message.protocol == b"stmd"
        assert decode(StatementGossip, message.payload) == StatementGossip(RELAY_PARENT, ours)

        await stage.say(Share(RELAY_PARENT, ours))
        assert len(stage.heard(SendMessage)) == 1, "all of them have it"


@pytest.mark.guide("A83", "A86")
async def test_others_statements_are_passed_on_to_a_few_who_lack_them() -> None:
    names = [f"peer {number}" for number in range(10)]
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p", *names), *from_peer(P, seconded(0, A)))
        (message,) = stage.heard(SendMessage)
        assert len(set(message.peers)) == RELAY_FANOUT and P not in message.peers


async def test_in_a_full_mesh_few_pass_others_statements_on() -> None:
    """All validators of the session are connected, and have heard the author themselves: each in
    isqrt(VALIDATORS) = 2 passes on what it hears, to one peer."""
    names = [f"peer {number}" for number in range(VALIDATORS - 2)]
    authorities = peers("p", *names, role=ObservedRole.AUTHORITY)
    assert isqrt(VALIDATORS) == 2
    statements = [seconded(0, A), valid(1, A), valid(2, A), seconded(1, B), valid(0, B)]
    statements += [valid(2, B), seconded(2, C), valid(0, C), valid(1, C)]
    async with on_stage(distribution()) as stage:
        await stage.say(*authorities, *peers("a full node"), *from_peer(P, *statements))
        assert passed_on(stage) == statements
        messages = stage.heard(SendMessage)
        assert all(len(message.peers) == 1 and P not in message.peers for message in messages)
        assert 0 < len(messages) < len(statements)


@pytest.mark.guide("A86")
async def test_nobody_is_told_what_it_told_us() -> None:
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p", "q"))
        await stage.say(*from_peer(P, seconded(0, A)), *from_peer(Q, seconded(0, A)))
        assert told(stage, P) == []
        assert len(told(stage, Q)) == 1  # before it told us
        assert changes(stage, Q) == []


@pytest.mark.guide("A84", "A86")
async def test_who_starts_to_work_on_a_head_gets_everything_in_order() -> None:
    statements = [seconded(0, A), valid(1, A), seconded(2, B), invalid(1, B)]
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p"), *peers("q", view=()), *from_peer(P, *statements))
        assert told(stage, Q) == []
        await stage.say(StatementNetwork(PeerViewChange(Q, View((RELAY_PARENT,)))))
        assert told(stage, Q) == statements

        await stage.say(
            StatementNetwork(PeerViewChange(Q, View(()))),
            StatementNetwork(PeerViewChange(Q, View((RELAY_PARENT,)))),
        )
        assert told(stage, Q) == statements, "once is enough"


@pytest.mark.guide("A86")
async def test_the_guides_example_of_what_a_peer_lacks() -> None:
    """Peers p and q, validators 0 and 1: p has sent 0's Seconded; q the same, with 1's Valid."""
    async with on_stage(distribution()) as stage:
        first, second = seconded(0, A), valid(1, A)
        await stage.say(*peers("p"), *from_peer(P, first))
        await stage.say(*peers("q", view=()), *from_peer(Q, first, second))
        assert told(stage, P) == [second]
        await stage.say(*peers("r"))
        assert told(stage, R) == [first, second]


@pytest.mark.guide("A86")
async def test_what_depends_on_seconded_comes_after_it_whoever_is_sampled() -> None:
    """With more peers than the fanout, each peer gets the introduction before the votes."""
    names = [f"peer {number}" for number in range(3 * RELAY_FANOUT)]
    statements = [seconded(0, A), valid(1, A), valid(2, A), seconded(1, B), valid(2, B)]
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p", *names), *from_peer(P, *statements))
        reached = 0
        for name in names:
            introduced = []
            for signed in told(stage, PeerId(name)):
                about = signed.statement.candidate_hash()
                if isinstance(signed.statement, Seconded):
                    introduced.append(about)
                assert about in introduced
                reached += 1
        assert reached >= RELAY_FANOUT * len(statements)


async def test_a_peer_that_comes_back_is_told_anew() -> None:
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("q"), Share(RELAY_PARENT, seconded(0, A)))
        await stage.say(StatementNetwork(PeerDisconnected(Q)))
        assert stage.heard(PoVPeerGone) == [PoVPeerGone(Q)]
        await stage.say(*peers("q"))
        assert len(told(stage, Q)) == 2


async def test_a_vote_of_ours_on_nothing_known_is_not_sent() -> None:
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("q"), Share(RELAY_PARENT, valid(0, A)))
        assert told(stage, Q) == []


# Contradictions


@pytest.mark.guide("A87", "A109")
async def test_a_double_vote_is_proven_and_its_author_heard_no_more() -> None:
    first, second = seconded(0, A), seconded(0, B)
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p"), *from_peer(P, first, second))
        (message,) = stage.heard(ReportMisbehavior)
        assert message.report == DoubleVote(RELAY_PARENT, first, second)
        assert passed_on(stage) == [first, second], "Backing must know whom not to count"

        await stage.say(*peers("q"))
        assert told(stage, Q) == [first, second], "so that others have the proof too"

        await stage.say(*from_peer(Q, seconded(0, C), invalid(0, A)))
        assert passed_on(stage) == [first, second]
        assert len(stage.heard(ReportMisbehavior)) == 1
        assert COST_BAD_SIGNATURE not in changes(stage, Q)

        await stage.say(*from_peer(Q, valid(1, A)))
        assert len(passed_on(stage)) == 3, "others are heard"


@pytest.mark.usefixtures("each_gain_is_reported")
@pytest.mark.guide("A87")
async def test_a_repetition_does_not_hide_the_proof() -> None:
    first, second = seconded(0, A), seconded(0, B)
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p"), *from_peer(P, first, first, second))
        assert changes(stage, P) == [BENEFIT_NEW, COST_DUPLICATE, BENEFIT_NEW]
        assert len(stage.heard(ReportMisbehavior)) == 1


@pytest.mark.guide("A87")
async def test_what_is_ignored_on_an_equivocators_candidate_leaves_no_trace() -> None:
    subsystem = distribution()
    async with on_stage(subsystem) as stage:
        await stage.say(*peers("p", "q"), *from_peer(P, seconded(0, A), seconded(0, B)))
        await stage.say(*from_peer(Q, seconded(0, C), valid(1, C), invalid(2, C)))
        known = subsystem._heads[RELAY_PARENT].known[Q].statements
        assert [each.kind for each in known if each.candidate == C.hash()] == [Seconded]
        assert changes(stage, Q) == [], "an honest peer may not know yet"


@pytest.mark.guide("A87", "A109")
async def test_a_self_contradiction_is_proven() -> None:
    yes, no = valid(1, A), invalid(1, A)
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p"), *from_peer(P, seconded(0, A), yes, no))
        (message,) = stage.heard(ReportMisbehavior)
        assert message.report == SelfContradiction(RELAY_PARENT, A.to_plain(), yes, no)
        await stage.say(*from_peer(P, seconded(1, B)))
        assert len(passed_on(stage)) == 3


@pytest.mark.guide("A87")
async def test_agreement_and_disagreement_of_several_is_no_equivocation() -> None:
    statements = [seconded(0, A), valid(1, A), seconded(1, B), invalid(2, A), valid(2, B)]
    other = candidate(1, para=OCCUPIED_PARA)
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p"), *from_peer(P, *statements, seconded(3, other)))
        assert passed_on(stage) == [*statements, seconded(3, other)]
        assert stage.heard(ReportMisbehavior) == []
