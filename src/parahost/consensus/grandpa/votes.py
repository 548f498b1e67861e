"""The votes of one round, and what follows from them.

The definitions are the GRANDPA paper's, by weight: n is the total, a supermajority is n - f.
g(V), the *prevote GHOST*, is the highest block with a supermajority of prevotes. A block is
*final* when it is at or above g(V) and has a supermajority of precommits. The *estimate* E is
the highest block at or above g(V) that may still get a supermajority of precommits. The round is
*completable* when E is above g(V), or nothing below g(V) may get one. A voter with two votes of
one kind counts for every block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field
from enum import Enum, IntEnum

from parahost.consensus.grandpa.blocks import BlockRef, HeaderSource
from parahost.consensus.grandpa.graph import NotInGraph, Support, VoteGraph
from parahost.consensus.grandpa.messages import SignedMessage
from parahost.consensus.grandpa.voters import VoterSet
from parahost.primitives.basic import U64, GrandpaId
from parahost.primitives.consensus import (
    GrandpaCommit,
    GrandpaEquivocationProof,
    GrandpaMessage,
    PlainPrecommit,
    Precommit,
    Prevote,
    PrimaryPropose,
    SignedPrecommit,
)
from parahost.primitives.values import dataclass

VOTES_PER_STAGE = 2
"""Of one voter: the second shows that it equivocates, a third would show nothing more."""


class Stage(IntEnum):
    """What a voter says once in a round. The values name promises and must not change."""

    PREVOTE = 0
    PRECOMMIT = 1
    PROPOSE = 2


def stage_of(message: GrandpaMessage) -> Stage:
    match message:
        case Prevote():
            return Stage.PREVOTE
        case Precommit():
            return Stage.PRECOMMIT
        case PrimaryPropose():
            return Stage.PROPOSE


@dataclass(frozen=True, slots=True)
class RoundState:
    """What is known of a round; ``None`` where the votes do not say yet."""

    prevote_ghost: BlockRef | None
    finalized: BlockRef | None
    estimate: BlockRef | None
    completable: bool

    @classmethod
    def settled(cls, block: BlockRef) -> RoundState:
        """A round before the first: everything about it is this final block."""
        return cls(block, block, block, True)


class Added(Enum):
    """What came of a vote that was added."""

    COUNTED = "counted"
    DUPLICATE = "the same vote again"
    EQUIVOCATION = "a second, different vote: the voter counts for every block from now on"
    SUPERFLUOUS = "a third or later different vote"


@dataclass(slots=True)
class _Tally:
    """The votes of one kind: at most two a voter."""

    by_voter: dict[int, list[SignedMessage]] = field(default_factory=dict)
    voted: int = 0
    equivocators: int = 0


class RoundVotes:
    """Counts the votes of a round, whose signatures have been checked.

    Costs memory for two votes of each kind a voter; a vote is counted in the time it takes to
    walk to a block known before.
    """

    def __init__(
        self, number: int, voters: VoterSet, base: BlockRef, headers: HeaderSource
    ) -> None:
        self.number = number
        self.voters = voters
        self.proposal: SignedMessage | None = None
        self.state = RoundState(None, None, None, False)
        self._graph = VoteGraph(base, headers)
        self._tallies = {Stage.PREVOTE: _Tally(), Stage.PRECOMMIT: _Tally()}

    @property
    def base(self) -> BlockRef:
        """The block that all honest votes of the round descend from."""
        return self._graph.base

    def __iter__(self) -> Iterator[SignedMessage]:
        """All votes kept, in a stable order: prevotes, then precommits."""
        for tally in self._tallies.values():
            for votes in tally.by_voter.values():
                yield from votes

    def voted(self, stage: Stage) -> int:
        """The set of voters who have cast a vote of that kind."""
        return self._tallies[stage].voted

    def everyone(self, stage: Stage) -> bool:
        """Whether every voter has cast its vote of that kind."""
        return self.voted(stage).bit_count() == len(self.voters)

    def contains(self, vote: SignedMessage) -> bool:
        """Whether exactly this vote, with this signature, has been counted."""
        index = self.voters.index(vote.id)
        stage = stage_of(vote.message)
        if index is None:
            return False
        if stage is Stage.PROPOSE:
            return self.proposal == vote
        return vote in self._tallies[stage].by_voter.get(index, ())

    def room(self, vote: SignedMessage) -> int:
        """How many more votes of that stage are taken from its voter."""
        stage, index = stage_of(vote.message), self.voters.index(vote.id)
        if index is None:
            return 0
        if stage is Stage.PROPOSE:
            return int(self.proposal is None and index == self.voters.primary(self.number))
        return VOTES_PER_STAGE - len(self._tallies[stage].by_voter.get(index, ()))

    def add(self, vote: SignedMessage) -> Added:
        """Count a vote or take the primary's proposal.

        :raises NotInGraph: when its target is unknown or does not descend from the base; nothing
            changes.
        :raises ValueError: when its signer is no voter of the round: a bug of the caller.
        """
        index = self.voters.index(vote.id)
        if index is None:
            raise ValueError(f"{vote.id.hex()} is no voter of this round")
        stage = stage_of(vote.message)
        if stage is Stage.PROPOSE:
            return self._take_proposal(index, vote)
        tally = self._tallies[stage]
        earlier = tally.by_voter.get(index, [])
        if any(vote.message == other.message for other in earlier):
            return Added.DUPLICATE
        if len(earlier) >= VOTES_PER_STAGE:
            return Added.SUPERFLUOUS
        if not earlier:
            voter = 1 << index
            if stage is Stage.PREVOTE:
                self._graph.insert(vote.target, prevotes=voter)
            else:
                self._graph.insert(vote.target, precommits=voter)
            tally.voted |= voter
        else:
            tally.equivocators |= 1 << index
        tally.by_voter[index] = [*earlier, vote]
        self._update()
        return Added.EQUIVOCATION if earlier else Added.COUNTED

    def equivocation(self, voter: GrandpaId, stage: Stage, set_id: int) -> GrandpaEquivocationProof:
        """The proof that a voter cast two votes of a kind, after ``Added.EQUIVOCATION``."""
        index = self.voters.index(voter)
        assert index is not None
        first, second = self._tallies[stage].by_voter[index]
        return GrandpaEquivocationProof(
            U64(set_id),
            U64(self.number),
            voter,
            first.message,
            first.signature,
            second.message,
            second.signature,
        )

    def commit(self, target: BlockRef) -> GrandpaCommit:
        """The precommits that make ``target`` final. An equivocator's two votes are both there
        if neither descends from the target."""
        tally = self._tallies[Stage.PRECOMMIT]
        chosen: list[SignedMessage] = []
        for votes in tally.by_voter.values():
            below = [vote for vote in votes if self._descends(vote.target, target)]
            chosen += below[:1] or (votes if len(votes) > 1 else [])
        return commit_of(target, chosen)

    def _take_proposal(self, index: int, vote: SignedMessage) -> Added:
        if index != self.voters.primary(self.number):
            return Added.SUPERFLUOUS
        if self.proposal is not None:
            return Added.DUPLICATE if self.proposal == vote else Added.SUPERFLUOUS
        self.proposal = vote
        return Added.COUNTED

    def _descends(self, block: BlockRef, ancestor: BlockRef) -> bool:
        try:
            return self._graph.descends(block, ancestor)
        except NotInGraph:
            return False

    def _update(self) -> None:
        voters, threshold = self.voters, self.voters.threshold
        prevotes, precommits = self._tallies[Stage.PREVOTE], self._tallies[Stage.PRECOMMIT]
        if voters.weight(prevotes.voted) < threshold:
            return
        ghost = self._graph.ghost(
            lambda support: voters.weight(support.prevotes | prevotes.equivocators) >= threshold
        )
        assert ghost is not None, "everyone who prevoted stands behind the base"
        precommitted = voters.weight(precommits.voted)
        if precommitted < threshold:
            self.state = RoundState(ghost, None, ghost, False)
            return

        def final(support: Support) -> bool:
            return voters.weight(support.precommits | precommits.equivocators) >= threshold

        missing = voters.total - precommitted
        tolerated = voters.total - threshold
        further_equivocations = max(tolerated - voters.weight(precommits.equivocators), 0)

        def possible(support: Support) -> bool:
            """May still become final: those who have not precommitted may do so for it, and of
            those who precommitted for others as many may equivocate as faults are tolerated."""
            behind = voters.weight(support.precommits | precommits.equivocators)
            turning = min(precommitted - behind, further_equivocations)
            return behind + missing + turning >= threshold

        # A block that nobody voted for cannot become final once a supermajority precommitted:
        # those missing and the tolerated equivocators are at most 2f.
        estimate = self._graph.highest_ancestor(ghost, possible)
        self.state = RoundState(
            prevote_ghost=ghost,
            finalized=self._graph.highest_ancestor(ghost, final),
            estimate=estimate,
            completable=estimate is not None
            and (estimate != ghost or not self._graph.any_below(ghost, possible)),
        )


def commit_of(target: BlockRef, precommits: Sequence[SignedMessage]) -> GrandpaCommit:
    """A commit from precommits as they were received."""
    return GrandpaCommit(
        target.hash,
        target.number,
        tuple(
            SignedPrecommit(
                PlainPrecommit(vote.target.hash, vote.target.number), vote.signature, vote.id
            )
            for vote in precommits
        ),
    )


def votes_of(commit: GrandpaCommit) -> list[SignedMessage]:
    """The precommits of a commit as they were signed."""
    return [
        SignedMessage(
            Precommit(signed.precommit.target_hash, signed.precommit.target_number),
            signed.signature,
            signed.id,
        )
        for signed in commit.precommits
    ]
