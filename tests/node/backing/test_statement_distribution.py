"""Statement Distribution: what is taken from peers, and what is told to them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import isqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from parahost.consensus.fanout import RELAY_FANOUT
from parahost.crypto import sr25519
from parahost.crypto.verifier import DirectVerifier
from parahost.node.backing import statement_wire
from parahost.node.backing.assignments import Assignments, assign
from parahost.node.backing.statement_distribution import StatementDistribution
from parahost.node.backing.statement_rules import (
    COST_NO_PROOF,
    COST_NOT_ASSIGNED,
    COST_WRONG_COMMITMENTS,
    COST_WRONG_RELAY_PARENT,
    StatementRules,
    item_of,
)
from parahost.node.backing.statement_wire import (
    ContradictionProof,
    SecondedOnWire,
    StatementGossip,
    StatementOnWire,
    Statements,
    messages,
)
from parahost.node.gossip import (
    BENEFIT_NEW,
    COST_BAD_SIGNATURE,
    COST_DUPLICATE,
    COST_FLOOD,
    COST_MALFORMED,
    COST_NO_VALIDATOR,
    COST_NOT_IN_VIEW,
    COST_OUT_OF_ORDER,
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
    ValidatorPeers,
    View,
)
from parahost.node.messages.utility import (
    ReportMisbehavior,
)
from parahost.node.protocols import GOSSIP_LIMITS, STATEMENT_DISTRIBUTION
from parahost.node.session import ChildSession
from parahost.ports import KeyType, ObservedRole
from parahost.primitives.basic import (
    H512,
    U32,
    Hash,
    HeadData,
    PeerId,
    ValidationCode,
    ValidatorIndex,
    ValidatorSignature,
)
from parahost.primitives.candidates import CandidateCommitments
from parahost.primitives.hashing import blake2_256
from parahost.primitives.misbehavior import DoubleVote, SelfContradiction
from parahost.primitives.scale import ScaleDecodeError, decode, encode
from parahost.primitives.statements import (
    Seconded,
    SignedStatement,
    SigningContext,
    statement_payload,
)
from parahost.runtime import api
from tests.node.backing.world import (
    OCCUPIED_PARA,
    OTHER_RELAY_PARENT,
    RELAY_PARENT,
    SESSION,
    VALIDATORS,
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
    validator,
)

A, B, C = candidate(1), candidate(2), candidate(3)
SIGNING = SigningContext(SESSION, RELAY_PARENT)
P, Q, R = PeerId("p"), PeerId("q"), PeerId("r")
VERIFIER = DirectVerifier()


def forged(signed: SignedStatement) -> SignedStatement:
    return replace(signed, signature=ValidatorSignature(H512(bytes(64))))


def from_peer(peer: PeerId, *statements: SignedStatement, head: Hash = RELAY_PARENT) -> list[Any]:
    return [
        StatementNetwork(PeerMessage(peer, payload))
        for signed in statements
        for payload in messages(head, [StatementOnWire.of(signed)])
    ]


def told(stage: Stage, peer: PeerId) -> list[SignedStatement]:
    """What a peer was sent, in order."""
    return [
        read
        for message in stage.heard(SendMessage)
        if peer in message.peers
        and isinstance(gossip := decode(StatementGossip, message.payload), Statements)
        for signed in gossip.statements
        if (read := signed.read()) is not None
    ]


def proofs_told(stage: Stage, peer: PeerId) -> list[ContradictionProof]:
    """Of whose guilt a peer was sent a proof."""
    return [
        gossip
        for message in stage.heard(SendMessage)
        if peer in message.peers
        and isinstance(gossip := decode(StatementGossip, message.payload), ContradictionProof)
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
    return StatementDistribution(VERIFIER, lambda *_: None)


# The verdict, a pure function


def assignments() -> Assignments:
    answers = runtime_answers()
    session = ChildSession(answers[api.validators](), SigningContext(SESSION, RELAY_PARENT))
    return Assignments(session, assign(answers[api.validator_groups](), cores()))


def rules_after(*statements: SignedStatement) -> StatementRules:
    """The rules at a head where these have been taken."""
    rules = StatementRules(assignments(), VERIFIER)
    for signed in statements:
        rules.take(signed)
    return rules


def verdict(rules: StatementRules, signed: SignedStatement) -> Verdict[Any]:
    return rules.judge(item_of(StatementOnWire.of(signed)))


REJECT, IGNORE, ACCEPT = Acceptance.REJECT, Acceptance.IGNORE, Acceptance.ACCEPT


@pytest.mark.guide("A83", "A84", "A85")
def test_verdicts_on_the_first_statement() -> None:
    fresh = rules_after()
    elsewhere = candidate(1, relay_parent=OTHER_RELAY_PARENT)
    stranger = replace(seconded(0, A), validator_index=ValidatorIndex(U32(6)))
    assert verdict(fresh, seconded(0, A)) == Verdict(ACCEPT, BENEFIT_NEW, seconded(0, A))
    assert verdict(fresh, forged(seconded(0, A))) == Verdict(REJECT, COST_BAD_SIGNATURE)
    assert verdict(fresh, sign(0, Seconded(A), OTHER_RELAY_PARENT)) == Verdict(
        REJECT, COST_BAD_SIGNATURE
    )
    assert verdict(
        fresh, replace(seconded(0, A), validator_index=ValidatorIndex(U32(1)))
    ) == Verdict(REJECT, COST_BAD_SIGNATURE)
    assert verdict(fresh, stranger) == Verdict(REJECT, COST_NO_VALIDATOR)
    assert verdict(fresh, seconded(0, elsewhere)) == Verdict(REJECT, COST_WRONG_RELAY_PARENT)
    assert verdict(fresh, seconded(3, A)) == Verdict(REJECT, COST_NOT_ASSIGNED)


@pytest.mark.guide("A84", "A85")
def test_a_candidate_that_is_seconded_is_open_for_its_group() -> None:
    rules = rules_after(seconded(0, A))
    for right in (valid(1, A), invalid(1, A), seconded(2, A)):
        assert verdict(rules, right) == Verdict(ACCEPT, BENEFIT_NEW, right)
    assert verdict(rules, valid(3, A)) == Verdict(REJECT, COST_NOT_ASSIGNED)
    assert verdict(rules, forged(valid(1, A))) == Verdict(REJECT, COST_BAD_SIGNATURE)


@pytest.mark.guide("A84")
def test_what_is_said_of_a_candidate_depends_on_its_seconded() -> None:
    introduction = item_of(StatementOnWire.of(seconded(0, A)))
    assert introduction.introduces == (A.hash(),) and introduction.depends_on == ()
    for statement in (valid(1, A), invalid(1, A)):
        assert item_of(StatementOnWire.of(statement)).depends_on == (A.hash(),)


@pytest.mark.guide("A87")
def test_who_has_contradicted_itself_is_ignored() -> None:
    rules = rules_after(seconded(0, A), seconded(0, B))
    assert verdict(rules, seconded(0, C)) == Verdict(IGNORE)
    assert verdict(rules, valid(0, A)) == Verdict(IGNORE)
    assert verdict(rules, seconded(1, C)) == Verdict(ACCEPT, BENEFIT_NEW, seconded(1, C))


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
            NoteStatement(RELAY_PARENT, A.hash(), ValidatorIndex(U32(0)), P, seconded=True),
            NoteStatement(RELAY_PARENT, A.hash(), ValidatorIndex(U32(1)), P, seconded=False),
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
        await stage.say(*peers("p", "q"), *from_peer(P, valid(1, A), invalid(2, A)))
        assert passed_on(stage) == [] and told(stage, Q) == []
        assert changes(stage, P) == [COST_OUT_OF_ORDER] * 2


@pytest.mark.guide("A87")
async def test_a_peer_brings_no_more_seconded_of_one_validator_than_prove_its_guilt() -> None:
    """Whoever knows less may bring others than we have, but not more."""
    many = [seconded(0, candidate(number)) for number in range(4, 7)]
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p", "q"), *from_peer(P, seconded(0, A), seconded(0, B)))
        await stage.say(*from_peer(Q, *many, seconded(1, C)))
        assert changes(stage, Q) == [COST_FLOOD]
        assert passed_on(stage) == [seconded(0, A), seconded(0, B), seconded(1, C)]


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
        assert RELAY_PARENT not in subsystem._leaves


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
    assert encode(gossip, StatementGossip) == payload


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
        assert told(stage, PeerId(names[0])) == [ours]

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
    """All validators of the session are connected, by their records, and have heard the author
    themselves: each in isqrt(VALIDATORS) = 2 passes on what it hears, to one peer."""
    names = ["p", *(f"peer {number}" for number in range(VALIDATORS - 2))]
    proven = ValidatorPeers(tuple(PeerId(name) for name in names))
    authorities = [*peers(*names), StatementNetwork(proven)]
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
        assert message.report == DoubleVote(SIGNING, first.to_compact(), second.to_compact())
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
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p", "q"), *from_peer(P, seconded(0, A), seconded(0, B)))
        ignored = from_peer(Q, seconded(0, C), valid(1, C), invalid(2, C))
        await stage.say(*ignored)
        assert changes(stage, Q) == [], "an honest peer may not know yet"
        await stage.say(*ignored)
        assert changes(stage, Q) == [COST_DUPLICATE], "the Seconded alone was noted"


@pytest.mark.guide("A87", "A109")
async def test_a_self_contradiction_is_proven() -> None:
    yes, no = valid(1, A), invalid(1, A)
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p"), *from_peer(P, seconded(0, A), yes, no))
        (message,) = stage.heard(ReportMisbehavior)
        assert message.report == SelfContradiction(SIGNING, yes.to_compact(), no.to_compact())
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


# Evidence


@pytest.mark.guide("A109")
async def test_whoever_sees_a_contradiction_tells_all() -> None:
    """In a full mesh others' statements go to one peer at most; the proof goes to everybody."""
    names = [f"peer {number}" for number in range(VALIDATORS - 2)]
    proven = ValidatorPeers(tuple(PeerId(name) for name in ("p", *names)))
    authorities = [*peers("p", *names), StatementNetwork(proven)]
    first, second = seconded(0, A), seconded(0, B)
    proof = ContradictionProof(RELAY_PARENT, first.to_compact(), second.to_compact())
    late = PeerId("elsewhere")
    async with on_stage(distribution()) as stage:
        await stage.say(*authorities, *peers(late, view=()))
        await stage.say(*from_peer(P, first, second))
        assert all(proofs_told(stage, PeerId(name)) == [proof] for name in names)
        assert proofs_told(stage, late) == [], "it does not work on the head"
        assert stage.told("statement.contradiction") == [
            {
                "relay_parent": RELAY_PARENT,
                "candidate": B.hash(),
                "other": A.hash(),
                "validator": 0,
                "kind": "DoubleVote",
            }
        ]
        await stage.say(*from_peer(P, invalid(0, A)))
        assert proofs_told(stage, PeerId(names[0])) == [proof], "once"

        await stage.say(StatementNetwork(PeerViewChange(late, View((RELAY_PARENT,)))))
        assert proofs_told(stage, late) == [proof], "when it comes to"


@pytest.mark.usefixtures("each_gain_is_reported")
@pytest.mark.guide("A109")
async def test_who_is_told_of_a_contradiction_reports_it_and_passes_it_on_once() -> None:
    names = [f"peer {number}" for number in range(10)]
    first, second = seconded(0, A), seconded(0, B)
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p", "q", *names), proof_from(P, first, second))
        (message,) = stage.heard(ReportMisbehavior)
        assert message.report == DoubleVote(SIGNING, first.to_compact(), second.to_compact())
        assert changes(stage, P) == [BENEFIT_NEW]
        (passed,) = stage.heard(SendMessage)
        assert len(passed.peers) == RELAY_FANOUT and P not in passed.peers

        await stage.say(proof_from(Q, second, first), proof_from(P, first, second))
        assert len(stage.heard(ReportMisbehavior)) == len(stage.heard(SendMessage)) == 1
        assert changes(stage, Q) == [], "it may not have known"
        assert changes(stage, P) == [BENEFIT_NEW, COST_DUPLICATE]

        await stage.say(*from_peer(Q, first, second))
        assert passed_on(stage) == [first, second], "statements are heard as before"
        assert len(stage.heard(ReportMisbehavior)) == 1, "but nothing is reported again"


@pytest.mark.guide("A109")
async def test_who_comes_late_hears_of_all_guilt_that_is_proven() -> None:
    """From everybody: of statements, a peer of 600 gets 12 in 600 from us."""
    names = [PeerId(f"peer {number}") for number in range(600)]
    async with on_stage(distribution()) as stage:
        await stage.say(*peers(*names, "p", view=()))
        await stage.say(proof_from(P, seconded(0, A), seconded(0, B)))
        for peer in names[:20]:
            await stage.say(StatementNetwork(PeerViewChange(peer, View((RELAY_PARENT,)))))
            assert len(proofs_told(stage, peer)) == 1


@pytest.mark.guide("A109")
async def test_what_is_no_proof_costs() -> None:
    first, second = seconded(0, A), seconded(0, B)
    nobody = [
        replace(each, validator_index=ValidatorIndex(U32(VALIDATORS))) for each in (first, second)
    ]
    no_proofs = {
        COST_NO_PROOF: [(first, first), (valid(0, A), valid(0, B)), (first, seconded(1, B))],
        COST_BAD_SIGNATURE: [(first, forged(second)), (forged(first), second)],
        COST_NO_VALIDATOR: [(nobody[0], nobody[1])],
    }
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p", "q"))
        for cost, pairs in no_proofs.items():
            for pair in pairs:
                await stage.say(proof_from(P, *pair))
                assert changes(stage, P)[-1] == cost
        assert stage.heard(ReportMisbehavior) == [] and proofs_told(stage, Q) == []


def proof_from(peer: PeerId, first: SignedStatement, second: SignedStatement) -> StatementNetwork:
    proof = ContradictionProof(RELAY_PARENT, first.to_compact(), second.to_compact())
    return StatementNetwork(PeerMessage(peer, encode(proof, StatementGossip)))


# What a message may cost


def with_commitments(signed: SignedStatement, commitments: bytes) -> StatementNetwork:
    """The statement, with these bytes in place of its commitments."""
    on_wire = StatementOnWire.of(signed)
    assert isinstance(on_wire.statement, SecondedOnWire)
    said = replace(on_wire.statement, commitments=commitments)
    gossip = Statements(RELAY_PARENT, (replace(on_wire, statement=said),))
    return StatementNetwork(PeerMessage(P, encode(gossip, StatementGossip)))


async def test_nobodys_commitments_are_read_before_the_author_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Six million empty messages: a stranger sends them under a receipt that it invents, with a
    signature that is none, under a validator's name that may not vouch for the para, or under
    another's receipt."""

    def read(type_: Any, payload: bytes) -> Any:
        assert type_ is not CandidateCommitments, "the commitments were read"
        return decode(type_, payload)

    monkeypatch.setattr(statement_wire, "decode_once", read)
    many = 6_000_000
    bomb = (many << 2 | 2).to_bytes(4, "little") + bytes(many)
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p"))
        invented = replace(A.to_plain(), commitments_hash=blake2_256(bomb))
        unsigned = StatementOnWire(
            SecondedOnWire(invented, bomb), ValidatorIndex(U32(0)), valid(0, A).signature
        )
        gossip = Statements(RELAY_PARENT, (unsigned,))
        await stage.say(StatementNetwork(PeerMessage(P, encode(gossip, StatementGossip))))
        await stage.say(
            with_commitments(replace(seconded(0, A), validator_index=ValidatorIndex(U32(3))), bomb)
        )
        await stage.say(with_commitments(seconded(0, A), bomb))
        assert changes(stage, P) == [COST_BAD_SIGNATURE, COST_NOT_ASSIGNED, COST_WRONG_COMMITMENTS]


async def test_other_commitments_do_not_keep_out_the_right_ones() -> None:
    unreadable = replace(A.to_plain(), commitments_hash=blake2_256(b"\xff"))
    payload = statement_payload(Seconded, unreadable.hash(), SIGNING)
    vote = sr25519.sign(validator(0), payload)
    gossip = Statements(
        RELAY_PARENT,
        (
            StatementOnWire(
                SecondedOnWire(unreadable, b"\xff"),
                ValidatorIndex(U32(0)),
                ValidatorSignature(H512(vote)),
            ),
        ),
    )
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p", "q"), with_commitments(seconded(1, A), b"others"))
        await stage.say(StatementNetwork(PeerMessage(P, encode(gossip, StatementGossip))))
        assert changes(stage, P) == [COST_WRONG_COMMITMENTS] * 2
        assert passed_on(stage) == [] and told(stage, Q) == []
        await stage.say(*from_peer(P, seconded(1, A)))
        assert passed_on(stage) == [seconded(1, A)] == told(stage, Q)


def test_messages_are_split_by_number_and_size() -> None:
    def sizes(statements: list[SignedStatement]) -> list[int]:
        payloads = messages(RELAY_PARENT, map(StatementOnWire.of, statements))
        return [len(decode(StatementGossip, payload).statements) for payload in payloads]

    commitments = replace(A.commitments, head_data=HeadData(bytes(1024 * 1024)))
    large = replace(A, commitments=commitments)
    assert sizes([]) == []
    assert sizes([valid(0, A)] * 64) == [64]
    assert sizes([valid(0, A)] * 130) == [64, 64, 2]
    assert sizes([seconded(0, A), seconded(0, large), valid(1, large)]) == [2, 1]


def test_the_largest_statement_can_be_sent() -> None:
    commitments = replace(
        A.commitments,
        head_data=HeadData(bytes(1024 * 1024)),
        new_validation_code=ValidationCode(bytes(5 * 1024 * 1024)),
    )
    largest = seconded(0, replace(A, commitments=commitments))
    small = [seconded(0, candidate(number)) for number in range(63)]
    for payload in messages(RELAY_PARENT, map(StatementOnWire.of, [*small, largest])):
        assert len(payload) <= GOSSIP_LIMITS[STATEMENT_DISTRIBUTION]
        assert decode(StatementGossip, payload).statements[-1].read() is not None


async def test_a_statement_that_cannot_be_sent_is_dropped_with_a_word() -> None:
    """Each part has the size that its type allows; all together are more than a message holds."""
    commitments = replace(A.commitments, upward_messages=(bytes(64 * 1024),) * 100)
    ours = seconded(0, replace(A, commitments=commitments))
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("q"), Share(RELAY_PARENT, ours))
        assert told(stage, Q) == []
        assert "statement.too_large" in stage.journal()


# Catching up


async def test_who_comes_late_always_gets_our_own_statements() -> None:
    """Of others' statements a peer of 600 gets 12 in 600 from us."""
    names = [PeerId(f"peer {number}") for number in range(600)]
    theirs = [seconded(1, A), valid(2, A)]
    async with on_stage(distribution()) as stage:
        await stage.say(*peers(*names, "p", view=()), *from_peer(P, *theirs))
        await stage.say(Share(RELAY_PARENT, valid(0, A)))
        for peer in names[:20]:
            await stage.say(StatementNetwork(PeerViewChange(peer, View((RELAY_PARENT,)))))
            assert told(stage, peer)[0] == seconded(1, A), "it stands before what depends on it"
            assert valid(0, A) in told(stage, peer)
        assert sum(valid(2, A) in told(stage, peer) for peer in names[:20]) < 10


async def test_a_view_that_brings_no_new_head_is_answered_with_nothing() -> None:
    """Else who changes its view often would get everything, and the bus with it."""
    names = [PeerId(f"peer {number}") for number in range(600)]
    statements = [seconded(number, candidate(number)) for number in range(3)]
    views = [View((RELAY_PARENT, OTHER_RELAY_PARENT)), View((RELAY_PARENT,))]
    async with on_stage(distribution()) as stage:
        await stage.say(*peers(*names, "p", view=()), *from_peer(P, *statements))
        for number in range(500):
            await stage.say(StatementNetwork(PeerViewChange(names[0], views[number % 2])))
        assert len(told(stage, names[0])) < 3


async def test_a_peer_that_comes_late_gets_one_message_for_all() -> None:
    theirs = [seconded(1, B), seconded(2, C)]
    ours = [seconded(0, A), valid(0, B), valid(0, C)]
    async with on_stage(distribution()) as stage:
        await stage.say(*peers("p", view=()), *from_peer(P, *theirs))
        await stage.say(*(Share(RELAY_PARENT, signed) for signed in ours), *peers("q"))
        assert told(stage, Q) == [*theirs, *ours]
        assert len(stage.heard(SendMessage)) == 1


# Our own key


async def test_what_is_said_at_a_head_that_nobody_here_knows_is_looked_at() -> None:
    """As of each session that is worked on: whose it is, the watch over our keys sees."""
    looked_at: list[tuple[bytes, bytes, bytes]] = []

    def look(role: KeyType, public: bytes, payload: Callable[[], bytes], signature: bytes) -> None:
        assert role is KeyType.PARACHAIN
        looked_at.append((public, payload(), signature))

    said = valid(2, A)
    async with on_stage(StatementDistribution(VERIFIER, look)) as stage:
        await stage.say(*peers(P), *from_peer(P, seconded(1, A)))
        assert not looked_at, "a rule of its own judges it"
        (payload,) = messages(OTHER_RELAY_PARENT, [StatementOnWire.of(said)])
        await stage.say(StatementNetwork(PeerMessage(P, payload)))
    context = SigningContext(SIGNING.session_index, OTHER_RELAY_PARENT)
    public = validator(2).public
    assert looked_at == [(public, said.payload(context), said.signature)]
