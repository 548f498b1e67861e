"""The rounds of one authority set: the one that runs, and the one before, which late votes may
still move. Pure: told everything, gives effects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from parahost.consensus.grandpa.blocks import BlockRef, HeaderSource, known
from parahost.consensus.grandpa.graph import NotInGraph
from parahost.consensus.grandpa.messages import SignedMessage
from parahost.consensus.grandpa.round import (
    Cast,
    Complete,
    Finalize,
    Step,
    Surroundings,
    VotingRound,
)
from parahost.consensus.grandpa.voters import VoterSet
from parahost.consensus.grandpa.votes import (
    VOTES_PER_STAGE,
    Added,
    RoundState,
    RoundVotes,
    Stage,
    stage_of,
)
from parahost.primitives.basic import GrandpaId
from parahost.primitives.consensus import GrandpaEquivocationProof, GrandpaMessage


@dataclass(slots=True)
class PriorRound:
    """A completed round. ``votes`` is ``None`` for round 0, which every set begins after.
    ``completed`` is its state when it was completed."""

    number: int
    completed: RoundState
    votes: RoundVotes | None = None

    @property
    def state(self) -> RoundState:
        """Its state by now; later votes only sharpen it."""
        if self.votes is not None and self.votes.state.completable:
            return self.votes.state
        return self.completed

    @property
    def base(self) -> BlockRef:
        """The base of the round after it: final by this round at the latest, so that every
        honest vote of the next round descends from it, on whichever node."""
        assert self.completed.finalized is not None, "a completable round has finalised something"
        return self.completed.finalized


@dataclass(frozen=True, slots=True)
class CastIn:
    round: int
    message: GrandpaMessage


@dataclass(frozen=True, slots=True)
class FinalIn:
    """A block is final by the votes of a round."""

    votes: RoundVotes
    block: BlockRef


@dataclass(frozen=True, slots=True)
class Completed:
    round: PriorRound


RoundsEffect = CastIn | FinalIn | Completed


class Rounds:
    """Starts after ``prior``. Memory: two rounds' votes, and as many that wait for their block."""

    def __init__(
        self,
        set_id: int,
        voters: VoterSet,
        prior: PriorRound,
        headers: HeaderSource,
        *,
        local: int | None,
        gossip_s: float,
    ) -> None:
        self.set_id = set_id
        self.voters = voters
        self._headers = headers
        self._local = local
        self._gossip_s = gossip_s
        self._waiting: dict[tuple[int, GrandpaId, object], list[SignedMessage]] = {}
        self._reported: set[tuple[int, GrandpaId]] = set()
        self.start_after(prior)

    def start_after(self, prior: PriorRound) -> None:
        """Go to the round after a completed one."""
        self.prior = prior
        self._prior_final = prior.state.finalized
        votes = RoundVotes(prior.number + 1, self.voters, prior.base, self._headers)
        self.current = VotingRound(votes, local=self._local, gossip_s=self._gossip_s)
        self._waiting = {key: votes for key, votes in self._waiting.items() if self.has(key[0])}
        self._reported = {key for key in self._reported if self.has(key[0])}

    @property
    def counted(self) -> Sequence[RoundVotes]:
        """The votes of the round that runs, and those of the one before, if it had any."""
        prior = self.prior.votes
        return (self.current.votes,) if prior is None else (self.current.votes, prior)

    def has(self, round_number: int) -> bool:
        """Whether votes of the round are taken."""
        return self.votes(round_number) is not None

    @property
    def votes_wait(self) -> bool:
        """Whether there are votes whose blocks are not known."""
        return bool(self._waiting)

    def votes(self, round_number: int) -> RoundVotes | None:
        current = self.current.votes
        if round_number == current.number:
            return current
        return self.prior.votes if round_number == self.prior.number else None

    def contains(self, round_number: int, vote: SignedMessage) -> bool:
        """Whether the vote, whose signature was checked then, is counted or waits for its block."""
        votes = self.votes(round_number)
        return votes is not None and (
            votes.contains(vote) or vote in self._waiting_with(round_number, vote)
        )

    def has_room(self, round_number: int, vote: SignedMessage) -> bool:
        """Whether a further vote of that stage would be taken from its voter."""
        votes = self.votes(round_number)
        waiting = len(self._waiting_with(round_number, vote))
        return votes is not None and votes.room(vote) > waiting

    def add(
        self, round_number: int, vote: SignedMessage
    ) -> tuple[bool, GrandpaEquivocationProof | None]:
        """Count a vote of a voter, whose signature was checked, or keep it until its block is
        imported. Gives whether it was news, and the proof if it is the first that shows its
        voter to equivocate in this round."""
        votes = self.votes(round_number)
        if votes is None:
            return False, None
        if not known(self._headers, vote.target):
            return self._wait(round_number, vote), None
        try:
            added = votes.add(vote)
        except NotInGraph:
            return False, None
        if added is not Added.EQUIVOCATION:
            return added is Added.COUNTED, None
        if (round_number, vote.id) in self._reported:
            return True, None
        self._reported.add((round_number, vote.id))
        return True, votes.equivocation(vote.id, stage_of(vote.message), self.set_id)

    def may_advance(self, votes: RoundVotes, before: RoundState) -> bool:
        """Whether there may be something to do after a vote that was news, in a round whose state
        was ``before`` by then. Most votes change nothing: not the first, and not the one that
        makes a supermajority."""
        return (
            votes.state != before
            or self.current.step is Step.WAITING
            or (self.current.step is Step.PREVOTED and votes.everyone(Stage.PREVOTE))
        )

    def blocks_imported(self) -> list[GrandpaEquivocationProof]:
        """Count the votes whose blocks have come; gives the equivocations that they show."""
        proofs: list[GrandpaEquivocationProof] = []
        for key, votes in list(self._waiting.items()):
            come = [vote for vote in votes if known(self._headers, vote.target)]
            self._waiting[key] = [vote for vote in votes if vote not in come]
            for vote in come:
                _, proof = self.add(key[0], vote)
                proofs += [proof] if proof is not None else []
        self._waiting = {key: votes for key, votes in self._waiting.items() if votes}
        return proofs

    def deadline(self, now: float) -> float | None:
        return self.current.deadline(now)

    def advance(self, now: float, surroundings: Surroundings) -> Sequence[RoundsEffect]:
        """What is due now; see :class:`VotingRound`. To be called until it gives nothing."""
        effects: list[RoundsEffect] = []
        late = self.prior.state.finalized
        if self.prior.votes is not None and late is not None and late != self._prior_final:
            self._prior_final = late
            effects.append(FinalIn(self.prior.votes, late))
        for effect in self.current.advance(now, self.prior.state, surroundings):
            match effect:
                case Cast(message):
                    effects.append(CastIn(self.current.number, message))
                case Finalize(block):
                    effects.append(FinalIn(self.current.votes, block))
                case Complete():
                    votes = self.current.votes
                    self.start_after(PriorRound(votes.number, votes.state, votes))
                    effects.append(Completed(self.prior))
        return effects

    def _waiting_with(self, round_number: int, vote: SignedMessage) -> list[SignedMessage]:
        return self._waiting.get((round_number, vote.id, stage_of(vote.message)), [])

    def _wait(self, round_number: int, vote: SignedMessage) -> bool:
        waiting = self._waiting.setdefault((round_number, vote.id, stage_of(vote.message)), [])
        if vote in waiting or len(waiting) >= VOTES_PER_STAGE:
            return False
        waiting.append(vote)
        return True
