"""The disputes' machine: which votes count, what this node says, and what nobody can make it do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from parahost.node.validity.disputes.effects import (
    Checked,
    CheckFailed,
    DisputeStep,
    Forget,
    SessionsOver,
    TellBothWays,
    TellLeaning,
    TellStep,
    TellVoiceless,
    TellVote,
    VotesBrought,
    VotesInBlock,
    VotesVerdict,
)
from parahost.node.validity.disputes.participation import CHECK_AGAIN_S, MAX_CHECKS
from parahost.node.validity.disputes.spam import MAX_PARTS, MAX_UNCONFIRMED
from parahost.ports import KeyType, promises
from parahost.primitives.approval import approval_payload
from parahost.primitives.basic import H256, U32, Hash, SessionIndex, ValidatorIndex
from parahost.primitives.candidates import CandidateReceipt
from parahost.primitives.disputes import (
    ApprovalCheckingMultipleCandidates,
    BackingValid,
    DisputeOutcome,
    SignedDisputeStatement,
    VoteValid,
)
from tests.node.backing.world import validator

from .world import (
    OWN,
    SESSION,
    Disk,
    Killed,
    Node,
    approves,
    backs,
    brought,
    contested,
    denies,
    judged,
    key_of,
    receipt,
    session_info,
    signed,
    vouches,
)

ONE, TWO = receipt(1), receipt(2)
DENIAL, _, FORGED = denies(TWO, 2)
OLD, LATER = SessionIndex(U32(3)), SessionIndex(U32(8))

# What peers bring


@pytest.mark.parametrize(
    ("message", "verdict"),
    [
        (contested(ONE), VotesVerdict.NEW),
        (replace(contested(ONE), receipt=TWO), VotesVerdict.MISNAMED),
        (
            brought(ONE, backs(ONE, 0), denies(ONE, 2), session=OLD),
            VotesVerdict.UNKNOWN_SESSION,
        ),
        (brought(ONE), VotesVerdict.ONE_SIDED),
        (brought(ONE, denies(ONE, 2), denies(ONE, 3)), VotesVerdict.ONE_SIDED),
        (brought(ONE, backs(ONE, 0), approves(ONE, 3)), VotesVerdict.ONE_SIDED),
        (
            brought(ONE, backs(ONE, 0), denies(ONE, 2), denies(ONE, 2)),
            VotesVerdict.REPEATED,
        ),
        (
            brought(ONE, backs(ONE, 0), (*denies(ONE, 2)[:1], ValidatorIndex(U32(7)), FORGED)),
            VotesVerdict.NO_VALIDATOR,
        ),
        (
            brought(
                ONE,
                signed(ONE, 0, VoteValid(BackingValid(Hash(H256(bytes(32)))))),
                denies(ONE, 2),
            ),
            VotesVerdict.BAD_FORM,
        ),
        (
            brought(
                ONE,
                signed(ONE, 0, VoteValid(ApprovalCheckingMultipleCandidates((ONE.hash(),)))),
                denies(ONE, 2),
            ),
            VotesVerdict.BAD_FORM,
        ),
        (
            brought(ONE, backs(ONE, 0), (*denies(ONE, 2)[:2], FORGED)),
            VotesVerdict.BAD_SIGNATURE,
        ),
        (
            brought(ONE, backs(ONE, 0), (denies(ONE, 2)[0], ValidatorIndex(U32(3)), FORGED)),
            VotesVerdict.BAD_SIGNATURE,
        ),
    ],
)
def test_what_peers_bring_is_judged(message: VotesBrought, verdict: VotesVerdict) -> None:
    node = Node()
    assert node.take(message) is verdict
    assert (key_of(ONE) in node.machine.disputes) == verdict.is_taken
    assert not node.machine.disputes or node.said(ONE) == {(0, "backing"), (2, "invalid")}


def test_what_is_known_is_no_news_and_its_signature_is_nobodys_work() -> None:
    node = Node()
    node.take(contested(ONE))
    assert node.take(contested(ONE)) is VotesVerdict.KNOWN
    again = (*denies(ONE, 2)[:2], FORGED)
    assert node.take(brought(ONE, backs(ONE, 0), again)) is VotesVerdict.KNOWN
    assert node.dispute(ONE).statements[ValidatorIndex(U32(2)), 2] == denies(ONE, 2)  # type: ignore[index]


def test_all_that_blocks_have_said_counts_when_a_dispute_begins() -> None:
    node = Node()
    node.include(ONE, backs(ONE, 0), backs(ONE, 1), approves(ONE, 3))
    assert not node.machine.disputes, "nobody disputes it"
    node.take(brought(ONE, backs(ONE, 1), denies(ONE, 2)))
    said = {(0, "backing"), (1, "backing"), (3, "valid"), (2, "invalid")}
    assert node.said(ONE) == said
    begun, confirmed = [each for each in node.done if isinstance(each, TellStep)]
    assert (begun.step, confirmed.step) == (DisputeStep.BEGUN, DisputeStep.CONFIRMED)


def test_what_a_block_adds_to_a_dispute_is_told_as_all_else() -> None:
    """What blocks say is written down before the machine hears of it."""
    node = Node()
    node.include(ONE, backs(ONE, 0))
    node.take(brought(ONE, backs(ONE, 0), denies(ONE, 2)))
    node.done.clear()
    checks = approves(ONE, 2), approves(ONE, 3)
    node.disk.testimony[key_of(ONE)] = node.disk.testimony[key_of(ONE)].with_statements(checks)
    node.take(VotesInBlock(key_of(ONE), checks))
    assert [each for each in node.done if isinstance(each, TellVote)] == [
        TellVote(key_of(ONE), ValidatorIndex(U32(validator)), valid=True) for validator in (2, 3)
    ]
    assert TellBothWays(key_of(ONE), ValidatorIndex(U32(2))) in node.done
    assert TellStep(key_of(ONE), DisputeStep.CONFIRMED) in node.done


def test_votes_in_blocks_begin_a_dispute_and_what_contradicts_nobody_does_not() -> None:
    node = Node()
    node.take(VotesInBlock(key_of(ONE), (backs(ONE, 0), approves(ONE, 2))))
    assert not node.machine.disputes
    node.take(VotesInBlock(key_of(ONE), (denies(ONE, 3),)))
    node.take(VotesInBlock(key_of(ONE), (approves(ONE, 2),)))
    assert node.said(ONE) == {(3, "invalid"), (2, "valid")}


# How far it comes


@pytest.mark.guide("A62")
@pytest.mark.parametrize(
    ("against", "in_favour", "outcome"),
    [
        ((2, 3, 4, 5), (0,), None),
        ((2, 3, 4, 5, 1), (0,), DisputeOutcome.INVALID),
        ((2,), (0, 1, 3, 4, 5), DisputeOutcome.VALID),
        ((2, 3, 4, 5, 1), (0, 1), None),
    ],
)
def test_a_supermajority_concludes_as_the_chain_counts(
    against: Sequence[int], in_favour: Sequence[int], outcome: DisputeOutcome | None
) -> None:
    """Who votes both ways counts for neither side."""
    node = Node(sessions=[judged(own=None)])
    statements = [vouches(ONE, each) for each in in_favour]
    statements += [denies(ONE, each) for each in against]
    node.take(brought(ONE, *statements))
    assert node.dispute(ONE).outcome is outcome
    concluded = TellStep(key_of(ONE), DisputeStep.CONCLUDED, outcome)
    assert node.done.count(concluded) == (outcome is not None)
    both_ways = [each.validator for each in node.done if isinstance(each, TellBothWays)]
    assert both_ways == sorted(set(against) & set(in_favour))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_order_of_votes_does_not_matter(data: st.DataObject) -> None:
    """The same statements, in any order, come to the same dispute. Only if somebody votes both ways
    after a conclusion, that stays, as it does on the chain."""
    sides = data.draw(st.lists(st.sampled_from((denies, vouches, backs)), min_size=7, max_size=7))
    both_ways = data.draw(st.booleans())
    statements = [say(ONE, author) for author, say in enumerate(sides)]
    statements += [denies(ONE, 0), vouches(ONE, 0)] if both_ways else []
    if denies not in sides and not both_ways:
        return
    order = data.draw(st.permutations(statements))
    at_once, one_by_one = (Node(sessions=[judged(own=None)]) for _ in range(2))
    at_once.take(VotesInBlock(key_of(ONE), tuple(statements)))
    one_by_one.take(VotesInBlock(key_of(ONE), tuple(s for s in order if s[0] == DENIAL)[:1]))
    for each in order:
        one_by_one.take(VotesInBlock(key_of(ONE), (each,)))
    assert one_by_one.said(ONE) == at_once.said(ONE)
    assert one_by_one.dispute(ONE).votes == at_once.dispute(ONE).votes
    outcomes = one_by_one.dispute(ONE).outcome, at_once.dispute(ONE).outcome
    assert outcomes[0] is outcomes[1] or (both_ways and outcomes[1] is None)


# Our own part


@pytest.mark.guide("A56")
@pytest.mark.parametrize("valid", [True, False])
def test_what_a_fork_of_ours_has_included_is_checked_and_the_finding_is_voted(valid: bool) -> None:
    node = Node(finds={key_of(ONE): valid})
    node.include(ONE, backs(ONE, 0), backs(ONE, 1))
    node.take(contested(ONE))
    own = (vouches if valid else denies)(ONE, OWN)
    assert [vote[:2] for vote in node.own_votes(ONE)] == [own[:2]]
    (told,) = node.distributed()
    assert told.receipt == ONE
    assert [vote[:2] for vote in told.statements.statements] == [
        own[:2],
        (denies(ONE, 2) if valid else backs(ONE, 0))[:2],
    ]


def test_a_lack_of_data_is_no_vote_and_is_tried_again() -> None:
    node = Node(finds={})
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE))
    assert node.checked() == [key_of(ONE)] and not node.own_votes(ONE)
    node.wait(CHECK_AGAIN_S - 1)
    assert len(node.checked()) == 1
    assert node.machine.next_due() == CHECK_AGAIN_S
    node.finds = {key_of(ONE): False}
    node.wait(1)
    assert len(node.checked()) == 2 and node.own_votes(ONE)
    assert node.machine.next_due() is None


def test_what_is_tried_again_is_not_due_until_it_has_failed_again() -> None:
    node = Node(finds={})
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE))
    node.finds = None
    node.wait(CHECK_AGAIN_S)
    assert len(node.checked()) == 2 and node.machine.next_due() is None
    node.wait(1)
    node.take(Checked(key_of(ONE), None))
    assert node.machine.next_due() == node.now + 2 * CHECK_AGAIN_S


def test_what_nobody_wants_any_more_is_not_due() -> None:
    """A vote of an earlier life of this validator comes with a block."""
    node = Node(finds={})
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE))
    node.take(VotesInBlock(key_of(ONE), (vouches(ONE, OWN),)))
    assert node.machine.next_due() is None
    node.wait(CHECK_AGAIN_S)
    assert len(node.checked()) == 1


def test_what_is_due_waits_for_room() -> None:
    fillers = [receipt(each) for each in range(20, 20 + MAX_CHECKS)]
    node = Node(finds={})
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE))
    node.finds = None
    for each in fillers:
        node.include(each, backs(each, 0))
        node.take(contested(each))
    node.wait(CHECK_AGAIN_S)
    assert node.machine.next_due() is None and len(node.checked()) == 1 + MAX_CHECKS
    node.take(Checked(key_of(fillers[0]), True))
    assert node.checked()[-1] == key_of(ONE)


def test_that_a_block_backs_it_makes_it_no_more_than_it_was() -> None:
    """Whichever comes first: its data may never be available. Who has backed it is learnt."""
    for first in ("backed", "disputed"):
        node = Node(finds={key_of(ONE): True}, sessions=[judged(validators=10)])
        if first == "backed":
            node.back(ONE, backs(ONE, 0))
        node.take(contested(ONE))
        if first == "disputed":
            node.back(ONE, backs(ONE, 0), backs(ONE, 1))
            assert node.said(ONE) == {(0, "backing"), (1, "backing"), (2, "invalid")}
        assert not node.checked() and not node.machine.bars(ONE.hash())
        node.include(ONE)
        assert node.checked() == [key_of(ONE)] and node.machine.bars(ONE.hash())


def test_what_is_neither_confirmed_nor_included_is_not_checked() -> None:
    node = Node(finds={key_of(ONE): True})
    node.take(contested(ONE))
    assert not node.checked(), "two of seven: perhaps nobody honest"
    node.take(brought(ONE, backs(ONE, 0), denies(ONE, 3)))
    assert node.checked() == [key_of(ONE)]


def test_who_has_backed_or_checked_it_is_not_asked_again_and_says_so_to_all() -> None:
    for said in (backs, approves):
        node = Node(finds={key_of(ONE): False})
        node.include(ONE, backs(ONE, 0), said(ONE, OWN))
        node.take(contested(ONE))
        assert not node.checked() and node.own_votes(ONE) == [said(ONE, OWN)]
        (told,) = node.distributed()
        assert told.statements.statements == (said(ONE, OWN), denies(ONE, 2))


def test_a_failed_check_begins_a_dispute() -> None:
    node = Node()
    node.include(ONE, backs(ONE, 0), backs(ONE, 1))
    node.take(CheckFailed(SESSION, ONE))
    assert node.said(ONE) == {(0, "backing"), (1, "backing"), (OWN, "invalid")}
    (told,) = node.distributed()
    assert told.statements.statements[1] == backs(ONE, 0)
    node.take(CheckFailed(SESSION, ONE))
    assert len(node.distributed()) == 1


def test_a_vote_against_ones_own_is_refused_whatever_this_machine_remembers() -> None:
    """The approval is out, and the chain has not got it: the key store knows."""
    disk = Disk()
    payload = approval_payload(ONE.hash(), SESSION)
    key = validator(OWN).public
    disk.keys.sign(KeyType.PARACHAIN, key, payload, [promises.verdict(ONE.hash(), valid=True)])
    node = Node(disk, finds={key_of(ONE): False})
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE))
    assert not node.own_votes(ONE) and TellVoiceless(key_of(ONE)) in node.done
    again = Node(disk, finds={key_of(ONE): False})
    assert not again.own_votes(ONE) and not again.checked()


def test_who_is_none_of_the_session_only_listens() -> None:
    node = Node(sessions=[judged(own=None)], finds={key_of(ONE): False})
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE))
    node.take(CheckFailed(SESSION, TWO))
    assert not node.checked() and not node.distributed()
    assert node.said(ONE) == {(0, "backing"), (2, "invalid")}


def test_checks_go_by_what_is_included_and_confirmed_then_by_age() -> None:
    confirmed_elsewhere, included, both, second = (receipt(each) for each in (11, 12, 13, 14))
    fillers = [receipt(each) for each in range(20, 20 + MAX_CHECKS)]
    node = Node()
    for each in fillers:
        node.include(each, backs(each, 0))
        node.take(contested(each))
    node.now = 1
    node.take(
        brought(
            confirmed_elsewhere,
            backs(confirmed_elsewhere, 0),
            *(denies(confirmed_elsewhere, each) for each in (2, 3)),
        )
    )
    for at, each in ((2, included), (3, both), (4, second)):
        node.now = at
        node.include(each, backs(each, 0))
        node.take(contested(each))
    node.take(brought(both, backs(both, 0), denies(both, 3)))
    assert node.checked() == [key_of(each) for each in fillers], "so many at a time"
    for each in fillers:
        node.take(Checked(key_of(each), True))
    wanted = [key_of(each) for each in (both, included, second)]
    assert node.checked()[MAX_CHECKS:] == wanted
    node.take(Checked(key_of(both), True))
    assert node.checked()[-1] == key_of(confirmed_elsewhere)


def test_more_votes_ask_for_no_second_check() -> None:
    node = Node()
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE))
    node.take(brought(ONE, backs(ONE, 1), denies(ONE, 3)))
    node.include(ONE)
    node.take(VotesInBlock(key_of(ONE), (denies(ONE, 4),)))
    assert node.checked() == [key_of(ONE)]
    node.take(Checked(key_of(ONE), True))
    node.take(brought(ONE, backs(ONE, 1), denies(ONE, 5)))
    assert node.checked() == [key_of(ONE)] and len(node.own_votes(ONE)) == 1


def test_what_a_fork_includes_meanwhile_goes_before_what_has_waited_longer() -> None:
    fillers = [receipt(each) for each in range(20, 20 + MAX_CHECKS)]
    node = Node()
    for each in fillers:
        node.include(each, backs(each, 0))
        node.take(contested(each))
    for node.now, each in ((1, ONE), (2, TWO)):
        node.take(brought(each, backs(each, 0), denies(each, 2), denies(each, 3)))
    node.include(TWO)
    for each in fillers[:2]:
        node.take(Checked(key_of(each), True))
    assert node.checked()[MAX_CHECKS:] == [key_of(TWO), key_of(ONE)]


# Spam


def test_a_validator_has_so_many_unconfirmed_disputes_and_no_more() -> None:
    node = Node()
    spam = [receipt(each) for each in range(100, 100 + MAX_UNCONFIRMED + 3)]
    verdicts = [node.take(contested(each)) for each in spam]
    assert verdicts == [VotesVerdict.NEW] * MAX_UNCONFIRMED + [VotesVerdict.TOO_MANY] * 3
    assert len(node.machine.disputes) == MAX_UNCONFIRMED
    assert node.take(contested(spam[-1], against=3)) is VotesVerdict.NEW, "another has room"


def test_a_start_frees_nobodys_room() -> None:
    node = Node()
    spam = [receipt(each) for each in range(100, 100 + MAX_UNCONFIRMED)]
    for each in spam:
        node.take(contested(each))
    again = Node(node.disk)
    assert again.take(contested(ONE)) is VotesVerdict.TOO_MANY
    again.take(SessionsOver(LATER))
    again.take(judged(session=LATER))
    later = brought(ONE, *_in(LATER), session=LATER)
    assert again.take(later) is VotesVerdict.NEW, "a session has room of its own"


def test_what_is_confirmed_or_included_costs_nobody_its_room() -> None:
    node = Node()
    spam = [receipt(each) for each in range(100, 100 + MAX_UNCONFIRMED)]
    for each in spam:
        node.take(contested(each))
    node.include(ONE, backs(ONE, 0))
    assert node.take(contested(ONE)) is VotesVerdict.NEW
    confirmed = brought(TWO, backs(TWO, 0), backs(TWO, 1), denies(TWO, 2))
    assert node.take(confirmed) is VotesVerdict.NEW
    more = receipt(3)
    assert node.take(contested(more)) is VotesVerdict.TOO_MANY
    node.take(brought(spam[0], backs(spam[0], 1), denies(spam[0], 3)))
    assert node.take(contested(more)) is VotesVerdict.NEW, "one is confirmed: its room is free"


def test_a_validator_has_a_part_in_so_many_unconfirmed_disputes_and_no_more() -> None:
    """Else f liars, who may begin ten each, could all say something in all of them."""
    node = Node(sessions=[judged(own=None, validators=100)])
    spam = [receipt(each) for each in range(100, 101 + MAX_PARTS)]
    for number, each in enumerate(spam):
        beginner = 10 + number // MAX_UNCONFIRMED
        assert node.take(contested(each, against=beginner)) is VotesVerdict.NEW
    *joined, last = spam
    for say in (denies, vouches):
        for each in joined:
            node.take(joins(node, each, say(each, 30)))
    assert node.take(joins(node, last, denies(last, 30))) is VotesVerdict.TOO_MANY
    for each in joined:
        assert set(node.dispute(each).votes.invalid) >= {30}
        assert 30 not in node.dispute(each).votes.valid, "one part in each"
    with_another = joins(node, last, denies(last, 30), vouches(last, 31))
    assert node.take(with_another) is VotesVerdict.NEW, "who has room brings what others say"


def joins(node: Node, made: CandidateReceipt, *more: SignedDisputeStatement) -> VotesBrought:
    """Statements, with those that are known."""
    known = tuple(node.dispute(made).statements.values())
    return brought(made, *known[:2], *more)


def test_what_confirms_a_dispute_is_heard_whoever_says_it() -> None:
    """f = 2: the third who has a part makes it more than spam."""
    node = Node(sessions=[judged(own=None)])
    with patch("parahost.node.validity.disputes.spam.MAX_PARTS", 1):
        assert node.take(contested(ONE)) is VotesVerdict.NEW
        two = brought(TWO, backs(TWO, 1), denies(TWO, 2))
        assert node.take(two) is VotesVerdict.NEW, "one has room"
        assert node.take(joins(node, TWO, vouches(TWO, 2))) is VotesVerdict.TOO_MANY
        assert node.take(joins(node, TWO, backs(TWO, 0))) is VotesVerdict.NEW
    assert node.machine.is_confirmed(node.dispute(TWO))


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60), st.integers(4, 5)), max_size=120))
def test_two_liars_fill_no_more_than_their_room_and_stop_no_confirmed_dispute(
    attempts: list[tuple[int, int]],
) -> None:
    """f = 2 of them vouch and deny as they like; three honest ones are heard all the same."""
    node = Node(sessions=[judged(own=None)])
    for number, liar in attempts:
        made = receipt(1000 + number)
        voucher = 4 if liar == 5 else 5
        node.take(brought(made, vouches(made, voucher), denies(made, liar)))
    unconfirmed = [
        each for each in node.machine.disputes.values() if not node.machine.is_confirmed(each)
    ]
    assert len(unconfirmed) <= 2 * MAX_UNCONFIRMED
    for against in (1, 2, 3):
        node.take(brought(ONE, backs(ONE, 0), denies(ONE, against)))
    assert node.machine.is_confirmed(node.dispute(ONE))
    assert node.machine.bars(ONE.hash())


def test_a_vote_of_few_about_what_no_fork_has_included_bars_nothing() -> None:
    node = Node()
    node.take(contested(ONE))
    assert not node.machine.bars(ONE.hash())
    node.include(ONE, backs(ONE, 0))
    assert node.machine.bars(ONE.hash())
    for each in (1, 3, 4, 5):
        node.take(brought(ONE, vouches(ONE, each), denies(ONE, 2)))
    assert node.dispute(ONE).outcome is DisputeOutcome.VALID
    assert not node.machine.bars(ONE.hash())


def test_who_chooses_forks_hears_where_a_dispute_leans() -> None:
    """Liars turn nobody away, f + 1 do. What this node has found itself counts at once."""
    node = Node()
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE))
    node.take(brought(ONE, backs(ONE, 0), denies(ONE, 3)))
    assert not leanings(node), "two of seven may lie"
    node.take(brought(ONE, backs(ONE, 0), denies(ONE, 4)))
    assert leanings(node) == [TellLeaning(key_of(ONE), towards_invalid=True)]
    node.take(CheckFailed(SESSION, TWO))
    assert leanings(node)[1:] == [TellLeaning(key_of(TWO), towards_invalid=True)]
    again = Node(node.disk, sessions=[judged(), judged(session=LATER)])
    assert leanings(again) == leanings(node), "also after a start"
    again.take(SessionsOver(LATER))
    assert [each.towards_invalid for each in leanings(again)[2:]] == [False, False]


def leanings(node: Node) -> list[TellLeaning]:
    return [each for each in node.done if isinstance(each, TellLeaning)]


# Sessions


def test_what_no_fork_judges_any_more_is_forgotten() -> None:
    node = Node(sessions=[judged(), judged(session=LATER)])
    node.take(contested(ONE))
    node.take(brought(ONE, *_in(LATER), session=LATER))
    node.take(SessionsOver(LATER))
    assert list(node.machine.disputes) == [key_of(ONE, LATER)]
    assert node.done[-1] == Forget(LATER)
    assert node.take(contested(TWO)) is VotesVerdict.UNKNOWN_SESSION
    assert node.machine.sessions[LATER].info == session_info(LATER)


def test_checks_of_a_session_that_is_over_leave_their_room_to_others() -> None:
    """They end with it, and nobody tells how."""
    node = Node(sessions=[judged(), judged(session=LATER)])
    for each in (receipt(number) for number in range(20, 20 + MAX_CHECKS)):
        node.include(each, backs(each, 0))
        node.take(contested(each))
    assert len(node.checked()) == MAX_CHECKS
    node.take(SessionsOver(LATER))
    confirmed = (*_in(LATER), signed(ONE, 3, denies(ONE, 3)[0], LATER))
    node.take(brought(ONE, *confirmed, session=LATER))
    assert node.checked()[MAX_CHECKS:] == [key_of(ONE, LATER)]


def _in(session: SessionIndex) -> list[SignedDisputeStatement]:
    against = signed(ONE, 2, denies(ONE, 2)[0], session)
    return [signed(ONE, 0, backs(ONE, 0)[0], session), against]


def test_of_a_candidate_of_two_sessions_each_is_a_dispute_of_its_own() -> None:
    """The same keys vote in both, and a vote in one says nothing in the other."""
    node = Node(sessions=[judged(own=None), judged(own=None, session=LATER)])
    against = [denies(ONE, each) for each in range(2, 7)]
    node.take(brought(ONE, backs(ONE, 0), *against))
    replayed = [signed(ONE, 0, backs(ONE, 0)[0], LATER), *against]
    assert node.take(brought(ONE, *replayed, session=LATER)) is VotesVerdict.BAD_SIGNATURE
    assert node.take(brought(ONE, *_in(LATER), session=LATER)) is VotesVerdict.NEW
    outcomes = {key[0]: each.outcome for key, each in node.machine.disputes.items()}
    assert outcomes == {SESSION: DisputeOutcome.INVALID, LATER: None}
    node.take(SessionsOver(LATER))
    assert not node.machine.bars(ONE.hash()), "two of seven, about what no fork has included there"


# Restarts


def test_a_dispute_of_an_earlier_life_is_checked_and_voted_on() -> None:
    """What is included is asked for again, what is neither that nor confirmed is not; when it is
    included meanwhile, it is."""
    node = Node()
    node.include(ONE, backs(ONE, 0))
    node.take(contested(ONE))
    node.take(contested(TWO))
    assert node.checked() == [key_of(ONE)] and not node.own_votes(ONE), "killed while it checks"
    again = Node(node.disk, finds={key_of(ONE): True, key_of(TWO): True})
    assert again.checked() == [key_of(ONE)] and again.own_votes(ONE)
    assert not again.own_votes(TWO)
    again.include(TWO, backs(TWO, 0))
    assert again.own_votes(TWO)
    last = Node(node.disk, finds={})
    assert not last.checked(), "all has been said"
    assert {each.receipt.hash() for each in last.distributed()} == {ONE.hash(), TWO.hash()}


def run(node: Node) -> None:
    node.include(ONE, backs(ONE, 0), backs(ONE, 1))
    node.take(contested(ONE))
    node.take(CheckFailed(SESSION, TWO))
    node.take(contested(TWO))
    for each in (1, 3, 4, 5):
        node.take(brought(ONE, backs(ONE, 0), denies(ONE, each)))


@pytest.mark.parametrize("effects", range(24))
def test_killed_before_any_effect_it_goes_on_and_contradicts_nothing(effects: int) -> None:
    """What was decided is voted, what was voted is told; and no vote is another one's contrary."""
    disk = Disk()
    with_all = {key_of(ONE): False}
    try:
        first = Node(disk, finds=with_all, effects_left=effects)
        run(first)
    except Killed:
        pass
    node = Node(disk, finds={key_of(ONE): True, key_of(TWO): True})
    decided = {key: row.decided for key, row in disk.rows.items() if row.decided is not None}
    for key, valid in decided.items():
        (vote,) = node.machine.disputes[key].of(ValidatorIndex(U32(OWN)))
        assert vote[0].kind == (vouches if valid else denies)(ONE, OWN)[0].kind
    run(node)
    for made in (ONE, TWO):
        assert len(node.own_votes(made)) == 1
        told = [each for each in node.distributed() if each.receipt == made]
        assert len(told) == 1
        assert told[0].statements.statements[0] == node.own_votes(made)[0]
