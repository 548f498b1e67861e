"""Commits and catch-ups of peers: messages whose many signatures are verified apart. A part of the
machine."""

from __future__ import annotations

from collections.abc import Sequence

from parahost.consensus.grandpa.blocks import BlockRef, ChainView, finalized_of
from parahost.consensus.grandpa.catch_up import round_of
from parahost.consensus.grandpa.catching_up import RoundCatchUp
from parahost.consensus.grandpa.effects import Emit, PeerProof, SeekBlock, Wake
from parahost.consensus.grandpa.finality import Finality
from parahost.consensus.grandpa.gossip import GrandpaGossip
from parahost.consensus.grandpa.messages import CatchUp, CommitMessage, SignedMessage, expand
from parahost.consensus.grandpa.validity import (
    GrandpaVerdict,
    catch_up_votes,
    judge_catch_up,
    judge_commit,
    usable_part,
)
from parahost.consensus.grandpa.votes import votes_of
from parahost.primitives.basic import PeerId
from parahost.primitives.consensus import GrandpaCommit

COMMITS_HELD = 4
"""Commits kept until their blocks are imported."""


class Proofs:
    """Judges them and believes them."""

    def __init__(
        self,
        chain: ChainView,
        finality: Finality,
        gossip: GrandpaGossip,
        catching_up: RoundCatchUp,
        emit: Emit,
    ) -> None:
        self._chain = chain
        self._finality = finality
        self._gossip = gossip
        self._catching_up = catching_up
        self._emit = emit
        self.held: list[CommitMessage] = []
        """Commits whose signatures are good and whose blocks are not here yet, the highest
        first."""

    def unverified(self, proof: PeerProof) -> Sequence[SignedMessage]:
        """The votes whose signatures decide about a message: not those that we have seen, and none
        of a message that is no good anyway."""
        if self._judge(proof) is not GrandpaVerdict.ACCEPT:
            return []
        message, rounds = proof.message, self._finality.rounds
        if isinstance(message, CatchUp):
            votes = catch_up_votes(message)
        else:
            votes = votes_of(_full(message))
        return [vote for vote in votes if not rounds.contains(message.round, vote)]

    def take(self, proof: PeerProof, good: bool, now: float) -> GrandpaVerdict:
        """Believe a message if its signatures are ``good``, and the rest of it still is: others
        may have been quicker."""
        verdict = self._judge(proof)
        if verdict is not GrandpaVerdict.ACCEPT:
            return verdict
        if not good:
            return GrandpaVerdict.BAD_SIGNATURE
        if isinstance(proof.message, CatchUp):
            return self._take_catch_up(proof.peer, proof.message, now)
        verdict = self._take_commit(proof.message, proof.peer)
        if verdict is GrandpaVerdict.WAIT:
            self._hold(proof.peer, proof.message)
        return verdict

    def take_held(self) -> None:
        """Believe the highest commit whose blocks have come. Others follow, if they are still news
        when the chain has moved."""
        final = finalized_of(self._chain).number
        self.held = [held for held in self.held if held.commit.target_number > final]
        for message in list(self.held):
            verdict = self._take_commit(message, None)
            if verdict is not GrandpaVerdict.WAIT:
                self.held.remove(message)
            if verdict is GrandpaVerdict.ACCEPT:
                return

    def _judge(self, proof: PeerProof) -> GrandpaVerdict:
        """All of it but its signatures."""
        message = proof.message
        if isinstance(message, CatchUp):
            return judge_catch_up(message, self._finality.rounds, asked=proof.asked)
        settled: int = finalized_of(self._chain).number
        if self._gossip.held is not None:
            settled = min(settled, self._gossip.held.commit.target_number - 1)
        target = message.commit.target_hash
        is_held = any(held.commit.target_hash == target for held in self.held)
        if is_held and self._chain.header(target) is None:
            return GrandpaVerdict.WAIT
        return judge_commit(message, settled, self._finality.rounds)

    def _take_commit(self, message: CommitMessage, source: PeerId | None) -> GrandpaVerdict:
        """Count the votes of a commit, and make its target final."""
        voters = self._finality.rounds.voters
        usable = usable_part(_full(message), message.set_id, voters, self._chain)
        if isinstance(usable, GrandpaVerdict):
            return usable
        for vote in votes_of(usable):
            self._finality.count(message.round, vote)
        self._gossip.others_were_first(message)
        final = self._finality.finalize(message.round, usable)
        self._emit(Wake())
        if final is not None:
            self._gossip.pass_on_commit(final, source)
        return GrandpaVerdict.ACCEPT

    def _hold(self, peer: PeerId, message: CommitMessage) -> None:
        commit = message.commit
        self._emit(SeekBlock(peer, BlockRef(commit.target_hash, commit.target_number)))
        if message not in self.held:
            self.held.append(message)
            self.held.sort(key=lambda held: held.commit.target_number, reverse=True)
            del self.held[COMMITS_HELD:]

    def _take_catch_up(self, peer: PeerId, message: CatchUp, now: float) -> GrandpaVerdict:
        """Go on after the round that the votes complete, if they do, for the blocks we know."""
        prior = round_of(message, self._finality.rounds, self._chain)
        if prior is None or prior.votes is None:
            return GrandpaVerdict.WAIT
        self._finality.go_on_after(prior, now)
        self._finality.finalize(prior.number, prior.votes.commit(prior.base))
        self._emit(Wake())
        self._catching_up.helped(peer)
        return GrandpaVerdict.ACCEPT


def _full(message: CommitMessage) -> GrandpaCommit:
    commit = expand(message.commit)
    assert commit is not None, "judged before"
    return commit
