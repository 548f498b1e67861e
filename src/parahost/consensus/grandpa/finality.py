"""Which set votes, in which round it is, and what it has made final. A part of the machine."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from parahost.consensus.grandpa.blocks import (
    BlockRef,
    ChainView,
    ancestor_at,
    best_of,
    descends,
    finalized_of,
)
from parahost.consensus.grandpa.commits import target_of
from parahost.consensus.grandpa.effects import (
    Emit,
    FinalizeBlock,
    ReportEquivocation,
    SaveAuthorities,
    SaveCommit,
    SaveRound,
    TellContradiction,
)
from parahost.consensus.grandpa.justification import build_justification
from parahost.consensus.grandpa.messages import CommitMessage, SignedMessage, compact
from parahost.consensus.grandpa.recovery import Recovered, begin_set
from parahost.consensus.grandpa.rounds import PriorRound, Rounds, RoundsEffect
from parahost.consensus.grandpa.store import CompletedRound
from parahost.consensus.grandpa.target import VotingRule, VotingTarget
from parahost.consensus.grandpa.validity import VoterView
from parahost.consensus.grandpa.voters import VoterSet
from parahost.primitives.basic import U64, GrandpaId
from parahost.primitives.consensus import GrandpaCommit, GrandpaEquivocationProof
from parahost.primitives.events import BlockImportEvent

OwnKeys = Callable[[], Sequence[GrandpaId]]
"""The keys that this node holds now."""


class Finality:
    """The authority set in office, its rounds, and what follows from them for the chain.

    :param emit: takes the effects.
    :param gossip_s: T, in seconds.
    """

    def __init__(
        self,
        chain: ChainView,
        recovered: Recovered,
        own_keys: OwnKeys,
        rule: VotingRule,
        emit: Emit,
        *,
        gossip_s: float,
        now: float,
    ) -> None:
        self._chain = chain
        self._own_keys = own_keys
        self._emit = emit
        self._gossip_s = gossip_s
        self._target = VotingTarget(chain, lambda: self.authorities, rule)
        self._due: deque[RoundsEffect] = deque()
        self.authorities = recovered.authorities
        self.key: GrandpaId | None = None
        """The one with which this node votes in the present set."""
        self.progress_at = now
        """When a round was completed last."""
        self.rounds = self._rounds_after(recovered.round)

    @property
    def view(self) -> VoterView:
        """Where we are, as peers are told."""
        return VoterView(
            self.authorities.set_id,
            U64(self.rounds.current.number),
            finalized_of(self._chain).number,
        )

    def is_ours(self, key: GrandpaId) -> bool:
        """Whether this node holds that key, in office or not."""
        return key in self._own_keys()

    def announced(self, event: BlockImportEvent) -> None:
        """Note what an imported block announces about the authorities."""
        block = BlockRef(event.hash, event.header.number)
        self.authorities = self.authorities.with_announced(block, event.header)

    def due(self, now: float) -> RoundsEffect | None:
        """What the rounds have to do next."""
        if not self._due and not self.authorities.paused:
            self._due.extend(self.rounds.advance(now, self._target))
        return self._due.popleft() if self._due else None

    def count(self, round_number: int, vote: SignedMessage) -> bool:
        """Count a vote whose signature was checked; whether it was news."""
        news, equivocation = self.rounds.add(round_number, vote)
        self._report(equivocation)
        return news

    def completed(self, prior: PriorRound, now: float) -> None:
        """A round is over: a restarted node goes on after it."""
        self.progress_at = now
        base = prior.votes.base if prior.votes is not None else prior.base
        self._emit(
            SaveRound(
                CompletedRound(
                    U64(self.rounds.set_id),
                    U64(prior.number),
                    base,
                    prior.state,
                    tuple(prior.votes or ()),
                )
            )
        )

    def go_on_after(self, prior: PriorRound, now: float) -> None:
        """Leave out the rounds up to one that others have completed."""
        self._due.clear()
        self.rounds.start_after(prior)
        self.completed(prior, now)

    def finalize(
        self, round_number: int, commit: GrandpaCommit, justification: bytes | None = None
    ) -> CommitMessage | None:
        """Make the commit's target final, unless it is; gives the commit as it is sent. A
        justification that came with it is kept as it came, else one is made of it."""
        block, final = target_of(commit), finalized_of(self._chain)
        if block.number <= final.number:
            return None
        contradicts = self._contradicts(block, final)
        if contradicts is not None:
            self._emit(TellContradiction(self.rounds.set_id, round_number, block, contradicts))
            return None
        message = CommitMessage(U64(round_number), U64(self.rounds.set_id), compact(commit))
        self._emit(SaveCommit(message))
        proof = justification or build_justification(
            round_number, commit, self.rounds.voters, self._chain
        )
        self._emit(FinalizeBlock(block, proof))
        return message

    def _contradicts(self, block: BlockRef, final: BlockRef) -> str | None:
        limit = self.authorities.limit(block, self._target.descends)
        if limit is not None and block.number > limit:
            return f"the change of authorities at #{limit}"
        return None if descends(self._chain, block, final) else str(final)

    def follow(self, now: float) -> bool:
        """Take in what has happened to the chain, by us or by others; whether another set votes
        from now on."""
        before = self.authorities
        final = finalized_of(self._chain)
        state = before
        if before.finalized != final:
            state = before.finalize(final, self._target.descends)
        state = state.on_best(
            best_of(self._chain),
            self._target.descends,
            lambda block, number: ancestor_at(self._chain, block, number),
        )
        if state is not before:
            self.authorities = state
            self._emit(SaveAuthorities(state))
        another_set = state.set_id != before.set_id
        if another_set:
            self._due.clear()  # it concerned the old set
            self.rounds = self._rounds_after(begin_set(state))
            self.completed(self.rounds.prior, now)
        for equivocation in self.rounds.blocks_imported():
            self._report(equivocation)
        return another_set

    def _report(self, equivocation: GrandpaEquivocationProof | None) -> None:
        if equivocation is not None:
            self._emit(ReportEquivocation(equivocation))

    def _rounds_after(self, prior: PriorRound) -> Rounds:
        state = self.authorities
        voters = VoterSet(state.authorities)
        self.key = next((key for key in self._own_keys() if key in voters), None)
        return Rounds(
            state.set_id,
            voters,
            prior,
            self._chain,
            local=None if self.key is None else voters.index(self.key),
            gossip_s=self._gossip_s,
        )
