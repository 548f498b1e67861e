"""One voter's round, step by step: when it speaks and what it says."""

from __future__ import annotations

from dataclasses import dataclass, field

from parahost.consensus.grandpa.blocks import BlockRef
from parahost.consensus.grandpa.round import Cast, Complete, Finalize, Step, VotingRound
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.grandpa.votes import RoundState, RoundVotes
from parahost.primitives.consensus import Precommit, Prevote, PrimaryPropose
from tests.consensus.grandpa.test_votes import vote, voter
from tests.consensus.grandpa.world import GENESIS, Tree, chain_of, ref

T = 10.0
MAIN = chain_of(GENESIS, 5, 1)
SIDE = chain_of(MAIN[1], 2, 2)
SETTLED = RoundState.settled(ref(GENESIS))


@dataclass
class Seat:
    """Voter 0 of 4 in round 1, whose primary is voter 1, or in the round given."""

    number: int = 1
    tree: Tree = field(default_factory=Tree)

    def __post_init__(self) -> None:
        voters = VoterSet([(voter(index), 1) for index in range(4)])
        votes = RoundVotes(self.number, voters, ref(GENESIS), self.tree)
        self.round = VotingRound(votes, local=0, gossip_s=T)
        self.target: BlockRef | None = None
        for header in MAIN + SIDE:
            self.tree.add(header)

    @property
    def finalized(self) -> BlockRef:
        return ref(GENESIS)

    def best_containing(self, block: BlockRef, /) -> BlockRef | None:
        best = self.target or ref(MAIN[4])
        return best if self.descends(best, block) else block

    def descends(self, block: BlockRef, ancestor: BlockRef, /) -> bool:
        return self.tree.is_ancestor(ancestor.hash, block.hash)

    def at(self, now: float, previous: RoundState = SETTLED) -> list[object]:
        return list(self.round.advance(now, previous, self))


def test_a_round_waits_for_something_to_finalise() -> None:
    seat = Seat()
    seat.target = ref(GENESIS)
    assert seat.at(0) == [] and seat.at(100 * T) == []
    assert seat.round.step is Step.WAITING and seat.round.deadline(0) is None
    seat.target = ref(MAIN[0])
    assert seat.at(100 * T) == []
    assert seat.round.deadline(100 * T) == 102 * T
    assert seat.at(101.9 * T) == []
    assert seat.at(102 * T) == [Cast(Prevote(MAIN[0].hash(), MAIN[0].number))]


def test_others_votes_begin_it_too() -> None:
    seat = Seat()
    seat.target = ref(GENESIS)
    seat.round.add(vote(Prevote, GENESIS, 3))
    assert seat.at(0) == []
    assert seat.round.active


def test_an_ordinary_round() -> None:
    seat = Seat()
    assert seat.at(0) == []
    assert seat.at(2 * T) == [Cast(Prevote(MAIN[4].hash(), MAIN[4].number))]
    assert seat.at(2 * T) == []
    for index in range(3):
        seat.round.add(vote(Prevote, MAIN[3 + index % 2], index))
    assert seat.at(3.9 * T) == []
    assert seat.at(4 * T) == [Cast(Precommit(MAIN[3].hash(), MAIN[3].number))]
    for index in range(2):
        seat.round.add(vote(Precommit, MAIN[3], index))
    assert seat.at(5 * T) == []
    seat.round.add(vote(Precommit, MAIN[3], 2))
    assert seat.at(5 * T) == [Finalize(ref(MAIN[3])), Complete()]
    assert seat.at(6 * T) == []
    assert seat.round.deadline(6 * T) is None


def test_no_waiting_when_everybody_has_prevoted() -> None:
    seat = Seat()
    seat.at(0)
    seat.at(2 * T)
    for index in range(4):
        seat.round.add(vote(Prevote, MAIN[4], index))
    assert seat.at(2.1 * T) == [Cast(Precommit(MAIN[4].hash(), MAIN[4].number))]


def test_a_completed_round_is_joined_at_once() -> None:
    seat = Seat()
    for kind in (Prevote, Precommit):
        for index in (1, 2, 3):
            seat.round.add(vote(kind, MAIN[2], index))
    assert seat.at(0) == [Cast(Prevote(MAIN[4].hash(), MAIN[4].number))]
    assert seat.at(0) == [Cast(Precommit(MAIN[2].hash(), MAIN[2].number))]
    assert seat.at(0) == [Finalize(ref(MAIN[2])), Complete()]


def test_no_precommit_before_the_prevotes_contain_the_last_estimate() -> None:
    seat = Seat()
    previous = RoundState(ref(MAIN[2]), ref(GENESIS), ref(MAIN[2]), True)
    seat.at(0, previous)
    assert seat.at(2 * T, previous) == [Cast(Prevote(MAIN[4].hash(), MAIN[4].number))]
    for index in (0, 1, 2):
        seat.round.add(vote(Prevote, MAIN[1], index))
    assert seat.at(50 * T, previous) == []
    sharper = RoundState(ref(MAIN[2]), ref(GENESIS), ref(MAIN[0]), True)
    assert seat.at(50 * T, sharper) == [Cast(Precommit(MAIN[1].hash(), MAIN[1].number))]


def test_the_next_round_waits_for_the_last_estimate_to_be_final() -> None:
    seat = Seat()
    previous = RoundState(ref(MAIN[2]), ref(GENESIS), ref(MAIN[2]), True)
    for kind in (Prevote, Precommit):
        for index in (1, 2, 3):
            seat.round.add(vote(kind, MAIN[1], index))
    seat.at(0, previous)
    assert seat.at(0, previous) == [Finalize(ref(MAIN[1]))]
    late = RoundState(ref(MAIN[2]), ref(MAIN[2]), ref(MAIN[2]), True)
    effects = [effect for _ in range(3) for effect in seat.at(0, late)]
    assert effects[-1] == Complete()


def test_the_primary_proposes_an_estimate_that_is_not_final() -> None:
    previous = RoundState(ref(MAIN[3]), ref(GENESIS), ref(MAIN[2]), True)
    primary, other = Seat(number=4), Seat(number=5)
    assert primary.at(0, previous) == [Cast(PrimaryPropose(MAIN[2].hash(), MAIN[2].number))]
    assert primary.at(0, previous) == []
    assert other.at(0, previous) == []
    assert Seat(number=4).at(0, SETTLED) == []


def test_a_proposal_binds_within_the_last_rounds_result() -> None:
    """Our best is on the side fork; the proposal is on the main one."""
    side = Cast(Prevote(SIDE[1].hash(), SIDE[1].number))
    cases = [(MAIN[2], ref(MAIN[3]), Cast(Prevote(MAIN[2].hash(), MAIN[2].number)))]
    cases += [(MAIN[4], ref(MAIN[3]), side)]  # below what was prevoted
    cases += [(GENESIS, ref(MAIN[3]), side)]  # above the estimate
    cases += [(MAIN[2], ref(SIDE[1]), side)]  # not what was prevoted
    for proposal, ghost, expected in cases:
        seat = Seat()
        seat.target = ref(SIDE[1])
        previous = RoundState(ghost, ref(GENESIS), ref(MAIN[0]), True)
        seat.round.add(vote(PrimaryPropose, proposal, 1))
        seat.at(0, previous)
        assert seat.at(2 * T, previous) == [expected]


def test_without_a_key_it_only_watches() -> None:
    seat = Seat()
    seat.round = VotingRound(seat.round.votes, local=None, gossip_s=T)
    seat.at(0)
    assert seat.at(9 * T) == []
    for kind in (Prevote, Precommit):
        for index in (1, 2, 3):
            seat.round.add(vote(kind, MAIN[2], index))
    assert seat.at(9 * T) == [Finalize(ref(MAIN[2])), Complete()]
